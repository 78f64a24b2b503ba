// A serial queue: a group's collectives run one after the other, in the order in which the program calls
// them. A blocking one runs on the calling thread if no other is under way. Any other runs on the queue's
// thread, which is started for the first of them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace muster_torch
{

class SerialQueue
{
  public:
    ~SerialQueue()
    {
        close();
    }

    // Returns whether nothing is under way, and the queue is open: the caller may then run one operation, and
    // calls leave() after it.
    bool enter();
    void leave();

    // One of the program's operations; it must not throw.
    struct Task {
        std::function<void()> run;
    };

    // Appends the task, which the queue's thread will run; false: the queue has been closed. It throws, with
    // nothing appended, when there is no thread for it.
    bool push(std::shared_ptr<Task> task);

    // Runs the task on the calling thread if it is the next one and the queue's thread has not begun it. This
    // saves the thread that waits for the task a wake-up.
    bool take(const std::shared_ptr<Task> &task);

    bool is_idle();

    // Returns whether the calling thread is in an operation, as a signal handler is that interrupts one.
    bool is_run_here();

    // Waits until all operations are over.
    void drain();

    // Likewise, and lets no more begin: afterwards nobody uses what the operations use.
    void close();

  private:
    void serve();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Task>> tasks_;
    std::thread thread_;
    std::thread::id runner_; // the thread that runs an operation, while busy_
    bool busy_ = false, closing_ = false;
};

// Threads on which callbacks of futures run, one for each callback that runs at the same time: a callback
// that waits for another operation delays no other. They end after close().
class Callers : public std::enable_shared_from_this<Callers>
{
  public:
    // When the system has no thread for it, one that runs another task takes it after that. Where there is
    // none either, it runs here.
    void post(std::function<void()> task);
    void close();

  private:
    void serve();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    size_t threads_ = 0, idle_ = 0;
    bool closing_ = false;
};

} // namespace muster_torch
