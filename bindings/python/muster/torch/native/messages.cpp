// Messages, of messages.h.
#include "messages.h"

#include <thread>

#include "errors.h"

namespace muster_torch
{

namespace
{

// A message that this thread waits for without a limit. A signal handler in the wait may wait for another
// one, and so may a handler in that wait.
class Waited
{
  public:
    explicit Waited(const Message *message) : message_(message), outer_(std::exchange(innermost_, this))
    {
    }
    ~Waited()
    {
        innermost_ = outer_;
    }
    Waited(const Waited &) = delete;
    Waited &operator=(const Waited &) = delete;

    static bool is_here(const Message *message)
    {
        const Waited *waited = innermost_;

        while (waited && waited->message_ != message)
            waited = waited->outer_;
        return waited != nullptr;
    }

  private:
    static thread_local const Waited *innermost_;

    const Message *const message_;
    const Waited *const outer_;
};

thread_local const Waited *Waited::innermost_;

int64_t in_ns(milliseconds time)
{
    return std::chrono::nanoseconds(time).count();
}

} // namespace

Message::Message(int rank, const Told &told, const at::Tensor &tensor, int peer, int tag,
                 std::shared_ptr<Callers> callers, milliseconds limit)
    : Operation(rank, told, { tensor }, { tensor }, std::move(callers), 0), place_(tensor),
      moved_(how_moved(tensor)), peer_(peer), tag_(tag), is_send_(told.type == ::c10d::OpType::SEND),
      is_any_(peer == MUSTER_ANY_SOURCE), limit_(limit)
{
}

void Message::send(muster_group *group)
{
    std::lock_guard<std::timed_mutex> held(request_mutex_);
    const size_t count = static_cast<size_t>(outputs_[0].numel()) * moved_.factor;

    check(muster_group_status(group)); // a message for the dead would be buffered
    check(muster_send_start(place_.data(), count, moved_.dtype, peer_, tag_, group, &request_));
    test(); // most are buffered
}

void Message::receive(muster_group *group)
{
    std::lock_guard<std::timed_mutex> held(request_mutex_);
    const size_t count = static_cast<size_t>(outputs_[0].numel()) * moved_.factor;

    check(muster_recv_start(place_.data(), count, moved_.dtype, peer_, tag_, group,
                            is_any_ ? &came_ : nullptr, &request_));
}

void Message::end(muster_status status)
{
    try {
        check(status);
        if (is_any_) {
            const size_t wanted = static_cast<size_t>(outputs_[0].numel()) * moved_.factor;
            peer_ = came_.source;
            if (came_.count != wanted)
                fail_with(MUSTER_ERR_MISMATCH,
                          c10::str("rank ", peer_, " sent ", came_.count, " elements and rank ", rank_,
                                   " receives ", wanted, "; expected the same of both"));
        }
        if (!is_send_)
            place_.keep();
    } catch (...) {
        done(std::current_exception());
        return;
    }
    done();
}

bool Message::test()
{
    bool over = false;

    if (!request_.group)
        return true;
    muster_status status = muster_test(&request_, &over);
    if (status == MUSTER_ERR_BUSY)
        return false;
    if (status != MUSTER_OK || over)
        end(status);
    return status != MUSTER_OK || over;
}

bool Message::isCompleted()
{
    std::unique_lock<std::timed_mutex> held(request_mutex_, std::try_to_lock);

    return held.owns_lock() ? test() : is_done();
}

// When `timeout` passes, the call ends and the message stays pending. muster_wait would break the group then,
// so the message is tested in a loop.
bool Message::is_done_within(milliseconds timeout)
{
    if (timeout.count() == 0) {
        if (Waited::is_here(this))
            fail_with(MUSTER_ERR_BUSY, c10::str("this thread waits for ", describe(),
                                                " already; the signal handler in that wait cannot"));
        std::unique_lock<std::timed_mutex> held(request_mutex_, std::defer_lock);
        while (!held.try_lock_for(LOOK)) // another thread waits for it, maybe for ever
            check_signals();
        const Waited here(this);
        if (request_.group)
            end(muster_wait(&request_, in_ns(limit_)));
        return true;
    }
    auto until = std::chrono::steady_clock::now() + timeout;
    std::chrono::microseconds pause(10);
    while (!isCompleted()) {
        if (std::chrono::steady_clock::now() >= until)
            return false;
        check_signals();
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, std::chrono::microseconds(1000));
    }
    return true;
}

// The program may not wait for the message itself, so another thread does.
Future Message::getFuture()
{
    check_process();
    if (!isCompleted())
        callers_->post([self = c10::intrusive_ptr<Message>::reclaim_copy(this)] {
            self->is_done_within(milliseconds(0));
        });
    return Operation::getFuture();
}

std::string Message::describe() const
{
    const std::string who = is_any_ ? "any rank" : c10::str("rank ", peer_);

    return c10::str(who, is_send_ ? " to receive " : " to send ", muster_torch::describe(outputs_[0]),
                    " (tag ", tag_, ")");
}

bool Message::end_within(milliseconds limit)
{
    bool canceled = false;
    {
        std::unique_lock<std::timed_mutex> held(request_mutex_, std::defer_lock);
        if (limit.count() == 0)
            held.lock();
        else if (!held.try_lock_for(limit)) // a thread that waits for it has it, maybe for ever
            return false;
        if (test())
            return true;
        if (!is_send_ && muster_cancel(&request_, &canceled) == MUSTER_OK && canceled) {
            try {
                fail_with(MUSTER_ERR_ABORTED, c10::str("rank ", rank_, " has destroyed the process group"));
            } catch (...) {
                done(std::current_exception());
            }
            return true;
        }
    }
    return is_done_within(limit);
}

// ---- of a group ----

void Messages::check_peer(int peer)
{
    TORCH_CHECK(!is_closing_, DESTROYED);
    const int rank = muster_group_rank(group_), size = muster_group_size(group_);

    CHECK_ARGUMENT(peer >= 0 && peer < size && peer != rank, "rank ", rank, " of ", size,
                   " has no messages with rank ", peer, "; expected the number of another rank",
                   peer == rank ? ": copy what is for this one" : "");
}

c10::intrusive_ptr<Message> Messages::start(const char *title, ::c10d::OpType type, const at::Tensor &tensor,
                                            int peer, int tag, milliseconds limit)
{
    check_tensor(tensor);
    const Told told = { type, title, true, limit };
    auto message =
        c10::make_intrusive<Message>(muster_group_rank(group_), told, tensor, peer, tag, callers_, limit);

    if (type == ::c10d::OpType::SEND)
        message->send(group_);
    else
        message->receive(group_);
    if (message->isCompleted())
        return message;
    std::lock_guard<std::mutex> held(mutex_);
    forget_done();
    started_.push_back(message);
    return message;
}

// Removes completed messages when there are twice as many as the last removal left: on average each message
// is tested once.
void Messages::forget_done()
{
    if (started_.size() < sweep_at_)
        return;
    started_.remove_if([](auto &message) { return message->isCompleted(); });
    sweep_at_ = 2 * started_.size() + 16;
}

c10::intrusive_ptr<Message> Messages::send(const at::Tensor &tensor, int peer, int tag, milliseconds limit)
{
    std::shared_lock<std::shared_mutex> uses(use_);

    check_peer(peer);
    return start("muster:send", ::c10d::OpType::SEND, tensor, peer, tag, limit);
}

c10::intrusive_ptr<Message> Messages::receive(const at::Tensor &tensor, int peer, int tag, milliseconds limit)
{
    std::shared_lock<std::shared_mutex> uses(use_);

    check_peer(peer);
    return start("muster:recv", ::c10d::OpType::RECV, tensor, peer, tag, limit);
}

c10::intrusive_ptr<Message> Messages::receive_any(const at::Tensor &tensor, int tag, milliseconds limit)
{
    std::shared_lock<std::shared_mutex> uses(use_);

    TORCH_CHECK(!is_closing_, DESTROYED);
    return start("muster:recvAnySource", ::c10d::OpType::RECVANYSOURCE, tensor, MUSTER_ANY_SOURCE, tag,
                 limit);
}

void Messages::abort(const char *reason)
{
    std::shared_lock<std::shared_mutex> uses(use_);

    if (group_)
        muster_group_abort(group_, reason);
}

void Messages::set_name(const char *name)
{
    std::shared_lock<std::shared_mutex> uses(use_);

    if (group_)
        muster_group_set_name(group_, name); // unless a thread is in a call of it
}

bool Messages::is_run_here()
{
    std::lock_guard<std::mutex> held(mutex_);

    return std::any_of(started_.begin(), started_.end(),
                       [](auto &message) { return Waited::is_here(message.get()); });
}

void Messages::end_all()
{
    std::lock_guard<std::mutex> held(mutex_);
    bool all = true;

    for (auto &message : started_)
        all = message->end_within(milliseconds(1)) && all;
    if (!all) { // nobody has received it, and nobody can any more
        muster_group_abort(group_, c10::str("rank ", muster_group_rank(group_),
                                            " has destroyed the process group with messages under way")
                                       .c_str());
        for (auto &message : started_)
            message->end_within(milliseconds(0));
    }
    started_.clear();
}

// Other threads may abort the group while this one waits. It does not let signal handlers raise: that would
// leave the other ranks waiting.
void Messages::close()
{
    Uninterrupted here;
    {
        std::lock_guard<std::shared_mutex> alone(use_);
        if (is_closing_)
            return;
        is_closing_ = true;
    }
    end_all();
    std::lock_guard<std::shared_mutex> alone(use_);
    muster_group_free(std::exchange(group_, nullptr));
}

} // namespace muster_torch
