// The numbers of handles.h.
#include "handles.h"

#include <map>

namespace muster_torch
{
namespace
{

// What a number stands for.
struct Handled {
    muster_group *group; // null: it is a backend's
    c10::weak_intrusive_ptr<Backend> backend{ c10::intrusive_ptr<Backend>() };
    int users = 0;           // operators that are under way in the group
    bool is_adopted = false; // the last of them frees it

    // The backend, unless it is closed.
    c10::intrusive_ptr<Backend> open() const
    {
        auto found = group ? nullptr : backend.lock();

        return found && !found->is_closed() ? found : nullptr;
    }
};

// Of one process. Never destroyed, as a backend may end after all that is static.
struct Handles {
    explicit Handles(const Handles *parents)
        : parents(parents), first(parents ? parents->next.load() : 1), next(first)
    {
    }

    std::mutex mutex;
    std::map<int64_t, Handled> all;
    const Process process;
    const Handles *const parents; // whose mutex a thread of the parent may have
    const int64_t first;          // those below are the parents'
    std::atomic<int64_t> next;

    auto find(const muster_group *group)
    {
        return std::find_if(all.begin(), all.end(), [=](const auto &each) {
            return each.second.group == group && !each.second.is_adopted;
        });
    }

    int64_t add(Handled &&handled)
    {
        all.emplace(next, std::move(handled));
        return next++;
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

    return found == its.all.end() ? its.add({ .group = group }) : found->first;
}

int64_t handle_of(const c10::intrusive_ptr<Backend> &backend)
{
    std::vector<c10::intrusive_ptr<Backend>> kept; // the last reference to one does not go with the lock held
    Handles &its = handles();
    std::lock_guard<std::mutex> held(its.mutex);

    backend->check_open();
    for (auto at = its.all.begin(); at != its.all.end();) {
        kept.push_back(at->second.open());
        if (kept.back() == backend)
            return at->first;
        at = at->second.group || kept.back() ? std::next(at) : its.all.erase(at);
    }
    return its.add({ .group = nullptr, .backend = c10::weak_intrusive_ptr<Backend>(backend) });
}

bool end_handle(muster_group *group, bool adopt)
{
    Handles &its = handles();
    std::lock_guard<std::mutex> held(its.mutex);
    const auto found = its.find(group);

    if (found == its.all.end())
        return false;
    if (!found->second.users) {
        its.all.erase(found);
        return false;
    }
    if (!adopt)
        fail_with(MUSTER_ERR_BUSY, "an operator of torch.ops.muster is under way in the group");
    return found->second.is_adopted = true;
}

Handle::Handle(int64_t number) : number_(number)
{
    Handles &its = handles();
    std::lock_guard<std::mutex> held(its.mutex);
    const auto found = its.all.find(number);

    if (found == its.all.end() || found->second.is_adopted)
        refuse(number, its);
    group_ = found->second.group;
    backend_ = found->second.open();
    if (group_)
        found->second.users++;
    else if (!backend_)
        refuse(number, its);
}

Handle::~Handle()
{
    if (!group_)
        return;
    Handles &its = handles();
    std::unique_lock<std::mutex> held(its.mutex);
    const auto found = its.all.find(number_);

    if (found == its.all.end() || --found->second.users || !found->second.is_adopted)
        return;
    its.all.erase(found);
    held.unlock(); // others need not wait until the group is left
    muster_group_free(group_);
}

} // namespace muster_torch
