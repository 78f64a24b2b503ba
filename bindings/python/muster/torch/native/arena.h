// Tensors in a group's arena, where other ranks read them without a copy: within muster.torch.use_arena(),
// PyTorch's memory on the CPU comes from there. Blocks that are given back serve the next ones of their size,
// as the library looks through all of a rank's buffers at each call; of sizes that never come again there are
// not more bytes than tensors have had at a time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "muster/muster.h"

#include "process.h"

namespace muster_torch
{

class Arena : public std::enable_shared_from_this<Arena>
{
  public:
    // That of the group, which is there as long as `kept`.
    static std::shared_ptr<Arena> of(muster_group *group, std::shared_ptr<void> kept);
    Arena(muster_group *group, std::shared_ptr<void> kept) : group_(group), kept_(std::move(kept))
    {
    }
    ~Arena();

    // The process leaves its groups: none has a block from now on, nor gives one back.
    static void end_all();

    // What the calling thread allocates comes from here, until leave(), which is an error on another one. Of
    // those that it has entered, the last one that it has not left serves.
    void enter();
    void leave();

    void *take(size_t bytes); // null: there is no room
    void give(void *data, size_t bytes);
    bool is_here() const // not in a forked child
    {
        return process_.is_here();
    }

  private:
    void free_unused(); // with the lock

    muster_group *group_; // null: this process has left it
    const std::shared_ptr<void> kept_;
    const Process process_;
    std::mutex mutex_;
    std::map<size_t, std::vector<void *>> unused_;
    size_t unused_bytes_ = 0, used_bytes_ = 0, most_bytes_ = 0; // the most that were used at a time
};

} // namespace muster_torch
