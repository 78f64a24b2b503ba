// Messages between the ranks of a group: started in a group of muster's of their own, and moved by the thread
// of the library that makes progress while the program is elsewhere. Several threads may be in here at the
// same time.
#pragma once

#include <list>
#include <shared_mutex>

#include "work.h"

namespace muster_torch
{

class Messages;

// A send or a receive.
class Message : public Operation
{
  public:
    Message(int rank, const Told &told, const at::Tensor &tensor, int peer, int tag,
            std::shared_ptr<Callers> callers, milliseconds limit);

    void send(muster_group *group);
    void receive(muster_group *group);

    bool isCompleted() override;
    int sourceRank() const override
    {
        return peer_;
    }
    Future getFuture() override;

    // Takes a receive back, or waits for a send; false: it goes on, or another thread waits for it. Without a
    // limit (0) it does not go on.
    bool end_within(milliseconds limit);

  protected:
    bool is_done_within(milliseconds timeout) override;
    std::string describe() const override;

  private:
    // With the lock; true: it is over.
    bool test();
    void end(muster_status status);

    std::timed_mutex request_mutex_;
    muster_request request_ = MUSTER_REQUEST_INIT;
    muster_message came_ = MUSTER_MESSAGE_INIT;
    Place place_;
    const Moved moved_;
    int peer_, tag_;
    const bool is_send_, is_any_;
    const milliseconds limit_; // 0: none
};

class Messages
{
  public:
    Messages(muster_group *group, std::shared_ptr<Callers> callers)
        : group_(group), callers_(std::move(callers))
    {
    }

    c10::intrusive_ptr<Message> send(const at::Tensor &tensor, int peer, int tag, milliseconds limit);
    c10::intrusive_ptr<Message> receive(const at::Tensor &tensor, int peer, int tag, milliseconds limit);
    c10::intrusive_ptr<Message> receive_any(const at::Tensor &tensor, int tag, milliseconds limit);

    // What has been received is lost by nobody; what is under way fails.
    void close();

    // Returns whether the calling thread waits for one of them, as a signal handler does that interrupts it.
    bool is_run_here();

    // Any thread may call these at any time.
    void abort(const char *reason);
    void set_name(const char *name);

  private:
    c10::intrusive_ptr<Message> start(const char *title, ::c10d::OpType type, const at::Tensor &tensor,
                                      int peer, int tag, milliseconds limit);
    void check_peer(int peer);
    void forget_done();
    void end_all();

    std::shared_mutex use_; // whoever uses the group shares it, and close() has it alone
    muster_group *group_;   // null: it has been left
    bool is_closing_ = false;
    std::shared_ptr<Callers> callers_;
    std::mutex mutex_; // of what follows
    std::list<c10::intrusive_ptr<Message>>
        started_;          // whose buffers are in use, whether the program waits or not
    size_t sweep_at_ = 16; // how many there are when all are looked at
};

} // namespace muster_torch
