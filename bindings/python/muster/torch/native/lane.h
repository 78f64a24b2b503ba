// The order of a group's collectives: one after the other, as the program asked for them. One that the
// program waits for at once runs where it is called, if nothing is under way; else, and if the program goes
// on, it runs on the lane's thread, which there is from the first such one on.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace muster_torch
{

class Lane
{
  public:
    ~Lane()
    {
        close();
    }

    // Whether it is the caller's turn, until leave().
    bool enter();
    void leave();

    // One of the program's operations; it must not throw.
    struct Task {
        std::function<void()> run;
    };

    // Runs it at its turn, on the lane's thread.
    void push(std::shared_ptr<Task> task);

    // Runs it here if it is its turn and the lane's thread has not come to it: whoever waits need not be
    // woken.
    bool take(const std::shared_ptr<Task> &task);

    bool is_idle();

    // Returns when all is done, or has failed.
    void drain();
    void close();

    // In a forked child, which has no such thread.
    void abandon()
    {
        if (thread_.joinable())
            thread_.detach();
    }

  private:
    void serve();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Task>> tasks_;
    std::thread thread_;
    bool busy_ = false, closing_ = false;
};

// Threads on which callbacks of futures run: one that waits for another operation holds nothing up. As many
// as wait at the same time; they end when the last user has gone.
class Callers : public std::enable_shared_from_this<Callers>
{
  public:
    void post(std::function<void()> task);
    void close();

  private:
    void serve();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    size_t idle_ = 0;
    bool closing_ = false;
};

} // namespace muster_torch
