// The numbers of handles.h. An operator finds its group without a lock, as it may take no longer than what it
// does there: by a few that were used last, in each of which is told, in one word, what number it has and how
// many operators use it.
#include "handles.h"

#include <array>
#include <map>

namespace muster_torch
{

// What a number stands for. Its memory serves another number later and is never given back, so that whoever
// has looked it up too late finds another number there, and nothing that is gone.
class Handled
{
  public:
    muster_group *group = nullptr; // null: it is a backend's
    c10::weak_intrusive_ptr<Backend> backend{ c10::intrusive_ptr<Backend>() };

    // From now on it is found, with what it has.
    void begin(int64_t number)
    {
        state_.store(static_cast<uint64_t>(number) << NUMBER, std::memory_order_release);
    }

    // An operator is under way; unless it has another number, or has ended.
    bool enter(int64_t number)
    {
        uint64_t seen = state_.load(std::memory_order_relaxed);

        do
            if (seen >> NUMBER != static_cast<uint64_t>(number) || seen & ENDED)
                return false;
        while (!state_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed));
        return true;
    }

    // Whether it has ended, and this was the last operator. All others have done what they do before.
    bool leave()
    {
        return ((state_.fetch_sub(1, std::memory_order_acq_rel) - 1) & (ENDED | USERS)) == ENDED;
    }

    // No operator begins any more: if none is under way, or, with adopt, also if one is. How many are.
    uint64_t end(bool adopt)
    {
        uint64_t seen = state_.load(std::memory_order_relaxed);

        while (adopt || !(seen & USERS))
            if (state_.compare_exchange_weak(seen, seen | ENDED, std::memory_order_acq_rel,
                                             std::memory_order_relaxed))
                break;
        return seen & USERS;
    }

    bool has_ended() const
    {
        return state_.load(std::memory_order_relaxed) & ENDED;
    }

    // The backend, unless it is closed.
    c10::intrusive_ptr<Backend> open() const
    {
        auto found = group ? nullptr : backend.lock();

        return found && !found->is_closed() ? found : nullptr;
    }

  private:
    static constexpr uint64_t USERS = 0xfffff, ENDED = USERS + 1;
    static constexpr int NUMBER = 21; // the bits from there on

    std::atomic<uint64_t> state_{ ENDED };
};

namespace
{

// Of one process. Never destroyed, as a backend may end after all that is static.
struct Handles {
    explicit Handles(const Handles *parents)
        : parents(parents), first(parents ? parents->next.load() : 1), next(first)
    {
    }

    std::mutex mutex;
    std::map<int64_t, Handled *> all;
    std::vector<Handled *> unused;
    std::array<std::atomic<Handled *>, 64> recent{}; // each by the last bits of its number
    const Process process;
    const Handles *const parents; // whose mutex a thread of the parent may have
    const int64_t first;          // those below are the parents'
    std::atomic<int64_t> next;

    std::atomic<Handled *> &recent_of(int64_t number)
    {
        return recent[static_cast<uint64_t>(number) % recent.size()];
    }

    auto find(const muster_group *group)
    {
        return std::find_if(all.begin(), all.end(), [=](const auto &each) {
            return each.second->group == group && !each.second->has_ended();
        });
    }

    int64_t add(muster_group *group, c10::weak_intrusive_ptr<Backend> backend)
    {
        if (unused.empty())
            unused.push_back(new Handled());
        Handled *handled = unused.back();

        all.emplace(next, handled);
        unused.pop_back();
        handled->group = group;
        handled->backend = std::move(backend);
        handled->begin(next);
        return next++;
    }

    // Of one that has ended, and that no operator uses.
    std::map<int64_t, Handled *>::iterator remove(std::map<int64_t, Handled *>::iterator at)
    {
        at->second->backend.reset();
        unused.push_back(at->second);
        return all.erase(at);
    }
};

Handles &handles()
{
    static std::atomic<Handles *> current = new Handles(nullptr);
    Handles *found = current;

    while (!found->process.is_here()) // a forked child has none of its parent's
        if (auto *own = new Handles(found); !current.compare_exchange_strong(found, own))
            delete own;
        else
            found = own;
    return *found;
}

[[noreturn]] void refuse(int64_t number, const Handles &its)
{
    if (number > 0 && number < its.first)
        fail_with(MUSTER_ERR_FORKED,
                  c10::str("group ", number,
                           " is a handle of the process that has forked this one, and this one is "
                           "not a rank itself"));
    fail_with(MUSTER_ERR_INVALID,
              c10::str("group ", number,
                       number > 0 && number < its.next
                           ? " is the handle of a group that has been left or destroyed"
                           : " is no handle of this process; muster.torch.handle(group) gives them"));
}

} // namespace

int64_t handle_of(muster_group *group)
{
    Handles &its = handles();
    std::lock_guard<std::mutex> held(its.mutex);
    const auto found = its.find(group);

    return found == its.all.end()
               ? its.add(group, c10::weak_intrusive_ptr<Backend>(c10::intrusive_ptr<Backend>()))
               : found->first;
}

int64_t handle_of(const c10::intrusive_ptr<Backend> &backend)
{
    std::vector<c10::intrusive_ptr<Backend>> kept; // the last reference to one does not go with the lock held
    Handles &its = handles();
    std::lock_guard<std::mutex> held(its.mutex);

    backend->check_open();
    for (auto at = its.all.begin(); at != its.all.end();) {
        kept.push_back(at->second->open());
        if (kept.back() == backend)
            return at->first;
        const bool is_over = !at->second->group && !kept.back() && !at->second->end(false);
        at = is_over ? its.remove(at) : std::next(at);
    }
    return its.add(nullptr, c10::weak_intrusive_ptr<Backend>(backend));
}

bool end_handle(muster_group *group, bool adopt)
{
    Handles &its = handles();
    std::lock_guard<std::mutex> held(its.mutex);
    const auto found = its.find(group);

    if (found == its.all.end())
        return false;
    if (!found->second->end(adopt)) {
        its.remove(found);
        return false;
    }
    if (!adopt)
        fail_with(MUSTER_ERR_BUSY, "an operator of torch.ops.muster is under way in the group");
    return true;
}

// Which an operator uses from now on.
static Handled *enter_handle(int64_t number)
{
    Handles &its = handles();
    std::atomic<Handled *> &recent = its.recent_of(number);
    Handled *handled = recent.load(std::memory_order_acquire);

    if (C10_LIKELY(handled && handled->enter(number)))
        return handled;
    std::lock_guard<std::mutex> held(its.mutex);
    const auto found = its.all.find(number);
    if (found == its.all.end() || !found->second->enter(number))
        refuse(number, its);
    recent.store(found->second, std::memory_order_release);
    return found->second;
}

Handle::Handle(int64_t number) : number_(number), handled_(enter_handle(number)), group_(handled_->group)
{
    if (group_)
        return;
    backend_ = handled_->open();
    if (!backend_) {
        handled_->leave();
        refuse(number, handles());
    }
}

Handle::~Handle()
{
    if (C10_LIKELY(!handled_->leave()))
        return;
    {
        Handles &its = handles();
        std::lock_guard<std::mutex> held(its.mutex);
        const auto found = its.all.find(number_);

        if (found == its.all.end() || found->second != handled_)
            return; // a forked child, whose parent's it is
        its.remove(found);
    }
    if (group_) // others need not wait until the group is left
        muster_group_free(group_);
}

} // namespace muster_torch
