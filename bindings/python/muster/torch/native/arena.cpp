// The allocator of arena.h.
#include "arena.h"

#include <algorithm>
#include <unordered_map>

#include <pthread.h>

#include <c10/core/CPUAllocator.h>

#include "errors.h"

namespace muster_torch
{
namespace
{

constexpr size_t LEAST_BYTES = 1024; // of a tensor that comes from the arena, in which a block has 4 KiB
constexpr size_t BLOCK_BYTES = 4096;

thread_local std::vector<std::shared_ptr<Arena>> entered; // the last one serves

// Arenas of groups, and the blocks that tensors have, by address. Never destroyed, as tensors may be later
// than all that is static. The lock is held across forks, so that a child finds all of it whole, and free;
// what is of its parent's arenas stays as it is there.
struct Blocks {
    std::mutex mutex;
    std::map<muster_group *, std::weak_ptr<Arena>> arenas;
    struct Block {
        std::shared_ptr<Arena> arena;
        size_t bytes;
    };
    std::unordered_map<void *, Block> all;

    // Whether the address was one.
    bool give(void *data)
    {
        std::unique_lock<std::mutex> held(mutex);
        const auto found = all.find(data);
        if (found == all.end())
            return false;
        if (!found->second.arena->is_here())
            return true;
        const Block block = std::move(found->second);
        all.erase(found);
        held.unlock();
        block.arena->give(data, block.bytes);
        return true;
    }
};

Blocks &blocks()
{
    static auto *all = new Blocks;

    return *all;
}

[[maybe_unused]] const int locks = pthread_atfork(
    [] { blocks().mutex.lock(); }, [] { blocks().mutex.unlock(); }, [] { blocks().mutex.unlock(); });

void give_block(void *data)
{
    blocks().give(data);
}

class Allocator final : public c10::Allocator
{
  public:
    explicit Allocator(c10::Allocator *usual) : usual_(usual)
    {
    }

    c10::DataPtr allocate(size_t bytes) override
    {
        if (bytes >= LEAST_BYTES && !entered.empty())
            if (void *data = take(entered.back(), (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES))
                return { data, data, give_block, c10::Device(c10::DeviceType::CPU) };
        return usual_->allocate(bytes);
    }

    // Of what comes from raw_allocate, within use_arena() or not.
    c10::DeleterFnPtr raw_deleter() const override
    {
        return [](void *data) {
            if (!blocks().give(data))
                installed->usual_->raw_deleter()(data);
        };
    }

    void copy_data(void *to, const void *from, size_t bytes) const override
    {
        usual_->copy_data(to, from, bytes);
    }

    static void install()
    {
        static std::once_flag once;

        std::call_once(once, [] {
            installed = new Allocator(c10::GetCPUAllocator());
            c10::SetCPUAllocator(installed, 1);
        });
    }

  private:
    static void *take(const std::shared_ptr<Arena> &arena, size_t bytes)
    {
        void *data = arena->take(bytes);

        if (data) {
            std::lock_guard<std::mutex> held(blocks().mutex);
            blocks().all.insert_or_assign(data, Blocks::Block{ arena, bytes });
        }
        return data;
    }

    static Allocator *installed;
    c10::Allocator *const usual_;
};

Allocator *Allocator::installed;

} // namespace

std::shared_ptr<Arena> Arena::of(muster_group *group, std::shared_ptr<void> kept)
{
    std::shared_ptr<Arena> found; // it may be the last reference to a parent's, which goes without the lock
    std::lock_guard<std::mutex> held(blocks().mutex);
    std::weak_ptr<Arena> &its = blocks().arenas[group];

    found = its.lock();
    if (found && found->is_here())
        return found;
    auto made = std::make_shared<Arena>(group, std::move(kept));
    its = made;
    return made;
}

void Arena::end_all()
{
    std::vector<std::shared_ptr<Arena>> living;
    {
        std::lock_guard<std::mutex> held(blocks().mutex);
        for (const auto &[_, arena] : blocks().arenas)
            if (auto kept = arena.lock(); kept && kept->is_here())
                living.push_back(std::move(kept));
    }
    for (const auto &arena : living) {
        std::lock_guard<std::mutex> held(arena->mutex_);
        arena->group_ = nullptr;
    }
}

void Arena::enter()
{
    process_.check();
    Allocator::install();
    entered.push_back(shared_from_this());
}

void Arena::leave()
{
    const auto found = std::find(entered.rbegin(), entered.rend(), shared_from_this());

    CHECK_ARGUMENT(found != entered.rend(),
                   "use_arena: this thread is not within it; expected an exit on the "
                   "thread that has entered it, as `with` makes it");
    entered.erase(std::next(found).base());
}

void *Arena::take(size_t bytes)
{
    void *data = nullptr;

    if (!is_here())
        return nullptr;
    std::lock_guard<std::mutex> held(mutex_);
    if (!group_)
        return nullptr;
    if (auto found = unused_.find(bytes); found != unused_.end() && !found->second.empty()) {
        data = found->second.back();
        found->second.pop_back();
        unused_bytes_ -= bytes;
    } else {
        if (unused_bytes_ > most_bytes_)
            free_unused();
        if (muster_alloc(group_, bytes, &data) == MUSTER_ERR_NO_SPACE) {
            free_unused();
            muster_alloc(group_, bytes, &data);
        }
    }
    used_bytes_ += data ? bytes : 0;
    most_bytes_ = std::max(most_bytes_, used_bytes_);
    return data;
}

void Arena::give(void *data, size_t bytes)
{
    std::lock_guard<std::mutex> held(mutex_);

    unused_[bytes].push_back(data);
    unused_bytes_ += bytes;
    used_bytes_ -= bytes;
}

void Arena::free_unused()
{
    for (auto &[bytes, list] : unused_)
        for (void *data : list)
            muster_free(group_, data);
    unused_.clear();
    unused_bytes_ = 0;
}

Arena::~Arena()
{
    if (is_here() && group_)
        free_unused();
}

} // namespace muster_torch
