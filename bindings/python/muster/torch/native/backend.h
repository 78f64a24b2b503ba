// PyTorch's backend on groups of muster's: one for collectives, in their order (serial_queue.h), and one for
// messages (messages.h). What PyTorch asks of it is in reductions.cpp, moves.cpp and backend.cpp, after the
// checks of arguments.cpp.
#pragma once

#include <atomic>
#include <optional>

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "errors.h"
#include "messages.h"
#include "process.h"
#include "steps.h"

namespace muster_torch
{

using ::c10d::OpType;
using Parts = std::vector<Tensors>;
using WorkPtr = c10::intrusive_ptr<::c10d::Work>;

class Backend : public ::c10d::Backend
{
  public:
    // The groups are its own from now on.
    static c10::intrusive_ptr<Backend> make(muster_group *group, muster_group *messages, milliseconds timeout,
                                            milliseconds most);
    Backend(muster_group *group, muster_group *messages, milliseconds timeout, milliseconds most);
    ~Backend() override;
    void release_resources() override;

    const std::string getBackendName() const override
    {
        return "muster";
    }
    c10::intrusive_ptr<Options> getBackendOptions() override;
    void setTimeout(milliseconds timeout) override
    {
        timeout_ = timeout;
    }
    bool supportsCoalescing() const override
    {
        return true;
    }
    bool supportsSplitting() const override
    {
        return true;
    }
    void startCoalescing() override;
    WorkPtr endCoalescing() override;
    void setSequenceNumberForGroup() override
    {
    }
    uint64_t getSequenceNumberForGroup() override
    {
        return number_;
    }
    void setGroupUid(const std::string &uid) override;
    ::c10d::ErrorType getError() override;
    void waitForPendingWorks() override
    {
        process_.check();
        queue_->drain();
    }
    void enableCollectivesTiming() override
    {
    }
    c10::intrusive_ptr<::c10d::Backend> split(const c10::intrusive_ptr<::c10d::Store> &store,
                                              const std::vector<int> &ranks,
                                              const c10::intrusive_ptr<Options> &opts) override;
    void abort() override;
    void shutdown() override;

    // At the end of the process: as shutdown, but a collective that is still under way would not end, and the
    // other ranks are told.
    void leave();
    static void leave_all();

    // Throws what the group is broken by.
    void check_group();
    bool is_closed() const
    {
        return closed_;
    }
    void check_open() const
    {
        process_.check();
        TORCH_CHECK(!closed_, DESTROYED);
    }

    uintptr_t address() const
    {
        process_.check();
        std::lock_guard<std::mutex> held(group_mutex_);
        return reinterpret_cast<uintptr_t>(group_);
    }

    // The group, for who needs its memory.
    std::shared_ptr<muster_group> kept() const
    {
        check_open();
        std::lock_guard<std::mutex> held(group_mutex_);
        return kept_;
    }

    WorkPtr allreduce(Tensors &tensors, const ::c10d::AllreduceOptions &opts) override;
    WorkPtr allreduce_sparse(Tensors &tensors, const ::c10d::AllreduceOptions &opts) override;
    WorkPtr allreduce_coalesced(Tensors &tensors, const ::c10d::AllreduceCoalescedOptions &opts) override;
    WorkPtr reduce(Tensors &tensors, const ::c10d::ReduceOptions &opts) override;
    WorkPtr reduce_scatter(Tensors &outs, Parts &ins, const ::c10d::ReduceScatterOptions &opts) override;
    WorkPtr _reduce_scatter_base(at::Tensor &out, at::Tensor &in,
                                 const ::c10d::ReduceScatterOptions &opts) override;
    WorkPtr reduce_scatter_tensor_coalesced(Tensors &outs, Tensors &ins,
                                            const ::c10d::ReduceScatterOptions &opts) override;

    WorkPtr broadcast(Tensors &tensors, const ::c10d::BroadcastOptions &opts) override;
    WorkPtr allgather(Parts &outs, Tensors &ins, const ::c10d::AllgatherOptions &opts) override;
    WorkPtr _allgather_base(at::Tensor &out, at::Tensor &in, const ::c10d::AllgatherOptions &opts) override;
    WorkPtr allgather_coalesced(Parts &outs, Tensors &ins, const ::c10d::AllgatherOptions &opts) override;
    WorkPtr allgather_into_tensor_coalesced(Tensors &outs, Tensors &ins,
                                            const ::c10d::AllgatherOptions &opts) override;
    WorkPtr gather(Parts &outs, Tensors &ins, const ::c10d::GatherOptions &opts) override;
    WorkPtr scatter(Tensors &outs, Parts &ins, const ::c10d::ScatterOptions &opts) override;
    WorkPtr alltoall_base(at::Tensor &out, at::Tensor &in, std::vector<int64_t> &out_splits,
                          std::vector<int64_t> &in_splits, const ::c10d::AllToAllOptions &opts) override;
    WorkPtr alltoall(Tensors &outs, Tensors &ins, const ::c10d::AllToAllOptions &opts) override;
    WorkPtr barrier(const ::c10d::BarrierOptions &opts) override;
    void monitoredBarrier(const ::c10d::BarrierOptions &opts, bool wait_for_all) override;

    // Does body(group) at its turn, for a caller that needs no Work of it, and waits.
    template <typename Body> void call(const Told &told, Body &&body);

    WorkPtr send(Tensors &tensors, int peer, int tag) override;
    WorkPtr recv(Tensors &tensors, int peer, int tag) override;
    WorkPtr recvAnysource(Tensors &tensors, int tag) override;

  private:
    // Does body(group) at its turn; here if the program waits for it and nothing is under way. The caller may
    // be gone by then, as a signal handler that raises ends its wait: the body has all that it uses.
    template <typename Body>
    WorkPtr run(const Told &told, const Tensors &ins, const Tensors &outs, Body &&body);
    template <typename Body> void run_here(Operation &work, milliseconds timeout, Body &body);
    template <typename Body> void execute(milliseconds timeout, Body &body);
    WorkPtr begun(const WorkPtr &work);
    WorkPtr reduce_scatter_each(const Tensors &outs, const Tensors &ins,
                                const ::c10d::ReduceScatterOptions &opts);
    WorkPtr allgather_parts(const Parts &outs, const Tensors &ins, const ::c10d::AllgatherOptions &opts);
    WorkPtr allgather_each(const Tensors &outs, const Tensors &ins, const ::c10d::AllgatherOptions &opts);
    WorkPtr exchange(const Tensors &outs, const Tensors &ins, std::vector<size_t> sent,
                     std::vector<size_t> expected, const ::c10d::AllToAllOptions &opts);
    void check_types(const char *what, const Tensors &parts, const at::Tensor &like) const;
    void check_lengths(const char *what, const Tensors &parts, const at::Tensor &like) const;
    void check_shapes(const char *what, const Tensors &tensors, const at::Tensor &like) const;
    void check_layouts(const char *what, const Tensors &tensors) const;
    void check_lists(const char *what, const char *which, const Parts &lists, bool is_root,
                     const at::Tensor &like) const;
    void check_root_tensor(const char *what, int64_t index, const Tensors &tensors) const;
    void check_count(const char *what, size_t parts) const;
    void name_group();
    void close(bool may_wait);
    void abort_with(const char *reason);
    milliseconds limit() const
    {
        return limited(timeout_.load());
    }
    milliseconds limited(milliseconds timeout) const;

    mutable std::mutex group_mutex_;     // of the pointer, where it is not an operation that uses it
    muster_group *group_;                // null: the group has been left
    std::shared_ptr<muster_group> kept_; // it is freed with the last tensor in its arena
    std::shared_ptr<Callers> callers_;
    Messages messages_;
    std::shared_ptr<SerialQueue> queue_;
    std::atomic<milliseconds> timeout_;
    const milliseconds most_;        // muster run --op-timeout; 0: none
    milliseconds set_timeout_{ -1 }; // in the group; whose turn it is has it
    std::atomic<uint64_t> number_{ 0 };
    std::atomic<bool> closed_{ false };
    const Process process_; // a forked child of it has no part in the group
    std::string shown_;     // as the group's name
    std::vector<WorkPtr> coalesced_;
    std::thread::id coalesces_; // the thread that has begun to
};

template <typename Body> void Backend::execute(milliseconds timeout, Body &body)
{
    milliseconds limit = timeout.count() > 0 ? limited(timeout) : this->limit();

    TORCH_CHECK(group_, DESTROYED);
    if (limit != set_timeout_) {
        check(muster_group_set_timeout(group_, std::chrono::nanoseconds(limit).count()));
        set_timeout_ = limit;
    }
    if (C10_UNLIKELY(shown_ != pg_desc_))
        name_group();
    body(group_);
}

template <typename Body> void Backend::run_here(Operation &work, milliseconds timeout, Body &body)
{
    try {
        execute(timeout, body);
    } catch (...) {
        queue_->leave();
        work.done(std::current_exception());
        throw;
    }
    queue_->leave();
    work.done();
}

template <typename Body>
WorkPtr Backend::run(const Told &told, const Tensors &ins, const Tensors &outs, Body &&body)
{
    check_open();
    bool is_coalesced = coalesces_ == std::this_thread::get_id();
    bool is_async = told.is_async || is_coalesced;
    auto work = c10::make_intrusive<Operation>(rank_, told, ins, outs, callers_, ++number_);

    if (!is_async && queue_->enter()) {
        run_here(*work, told.timeout, body);
        return work;
    }
    auto task = std::make_shared<SerialQueue::Task>();
    task->run = [this, work, timeout = told.timeout, body = std::forward<Body>(body)]() mutable {
        std::exception_ptr error;
        try {
            execute(timeout, body);
        } catch (...) {
            error = std::current_exception();
        }
        work->done(error);
    };
    work->is_task(queue_, task);
    TORCH_CHECK(queue_->push(std::move(task)), DESTROYED);
    if (is_coalesced)
        return begun(work);
    if (!is_async)
        work->wait(milliseconds(0));
    return work;
}

template <typename Body> void Backend::call(const Told &told, Body &&body)
{
    check_open();
    if (!queue_->enter()) {
        run(told, {}, {}, std::forward<Body>(body))->wait(milliseconds(0));
        return;
    }
    ++number_;
    try {
        execute(told.timeout, body);
    } catch (...) {
        queue_->leave();
        throw;
    }
    queue_->leave();
}

} // namespace muster_torch
