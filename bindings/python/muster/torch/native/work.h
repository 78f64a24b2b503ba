// Operations under way, as PyTorch has them: wait() raises what one has failed with, and so does its future,
// whose callbacks run on threads of their own (serial_queue.h).
#pragma once

#include <memory>

#include <torch/csrc/distributed/c10d/Work.hpp>

#include "process.h"
#include "serial_queue.h"
#include "tensors.h"

namespace muster_torch
{

using Future = c10::intrusive_ptr<c10::ivalue::Future>;
using std::chrono::milliseconds;

constexpr milliseconds LOOK(20); // how often a wait lets signal handlers run

// What is told of an operation: to profilers, in sentences, and how long it may take.
struct Told {
    ::c10d::OpType type;
    const char *title; // "muster:all_reduce"
    bool is_async;
    milliseconds timeout; // negative: that of the group
    size_t lists = 1;     // that its future has the outputs in, all of one length
};

class Operation : public ::c10d::Work
{
  public:
    Operation(int rank, const Told &told, const Tensors &inputs, Tensors outputs,
              std::shared_ptr<Callers> callers, uint64_t number);

    // Sets the task of `queue` that runs this operation: a thread that waits for the operation may run it.
    void is_task(const std::shared_ptr<SerialQueue> &queue, const std::shared_ptr<SerialQueue::Task> &task)
    {
        queue_ = queue;
        task_ = task;
    }

    // It is over; once.
    void done(std::exception_ptr error = nullptr);

    bool wait(milliseconds timeout) override;
    void synchronize() override;
    Tensors result() override;
    Future getFuture() override;
    uint64_t getSequencenumber() const override
    {
        return number_;
    }

  protected:
    bool is_done();

    // Throws in a forked child, in which nothing ends that was under way when it was forked.
    void check_process();

    // Until it is over, or the time has passed; 0: no limit. Signal handlers of Python run meanwhile.
    virtual bool is_done_within(milliseconds timeout);

    // What is waited for, for a sentence.
    virtual std::string describe() const;

    const char *const title_;
    Tensors outputs_;
    const size_t lists_;
    std::shared_ptr<Callers> callers_;

  private:
    void complete(const Future &future);

    std::weak_ptr<SerialQueue> queue_;
    std::weak_ptr<SerialQueue::Task> task_;
    Future future_;
    bool future_is_served_ = false; // somebody completes it
    const uint64_t number_;
    const Process process_;
};

// Several operations as one.
class Coalesced : public ::c10d::Work
{
  public:
    explicit Coalesced(std::vector<c10::intrusive_ptr<::c10d::Work>> works)
        : Work(-1, ::c10d::OpType::COALESCED), works_(std::move(works))
    {
    }

    bool isCompleted() override;
    bool isSuccess() const override;
    std::exception_ptr exception() const override;
    bool wait(milliseconds timeout) override;
    void synchronize() override
    {
        wait(milliseconds(0));
    }
    Tensors result() override;
    Future getFuture() override;

  private:
    std::vector<c10::intrusive_ptr<::c10d::Work>> works_;
};

} // namespace muster_torch
