// The serial queue and the threads of serial_queue.h.
#include "serial_queue.h"

#include "errors.h"

namespace muster_torch
{

bool SerialQueue::enter()
{
    std::lock_guard<std::mutex> held(mutex_);

    if (busy_ || closing_ || !tasks_.empty())
        return false;
    runner_ = std::this_thread::get_id();
    return busy_ = true;
}

void SerialQueue::leave()
{
    std::lock_guard<std::mutex> held(mutex_);

    busy_ = false;
    changed_.notify_all();
}

bool SerialQueue::push(std::shared_ptr<Task> task)
{
    std::lock_guard<std::mutex> held(mutex_);

    if (closing_)
        return false;
    if (!thread_.joinable()) // first, since it throws when the system has no thread for it
        thread_ = std::thread([this] { serve(); });
    tasks_.push_back(std::move(task));
    changed_.notify_all();
    return true;
}

bool SerialQueue::take(const std::shared_ptr<Task> &task)
{
    {
        std::lock_guard<std::mutex> held(mutex_);
        if (busy_ || tasks_.empty() || tasks_.front() != task)
            return false;
        tasks_.pop_front();
        busy_ = true;
        runner_ = std::this_thread::get_id();
    }
    task->run();
    task->run = nullptr;
    leave();
    return true;
}

void SerialQueue::serve()
{
    std::unique_lock<std::mutex> held(mutex_);

    for (;;) {
        changed_.wait(held, [this] { return (!busy_ && !tasks_.empty()) || (closing_ && tasks_.empty()); });
        if (tasks_.empty())
            return;
        {
            std::shared_ptr<Task> task = std::move(tasks_.front());
            tasks_.pop_front();
            busy_ = true;
            runner_ = std::this_thread::get_id();
            held.unlock();
            task->run();
            task->run = nullptr;
        } // what it holds is freed before others see that it is done
        held.lock();
        busy_ = false;
        changed_.notify_all();
    }
}

bool SerialQueue::is_idle()
{
    std::lock_guard<std::mutex> held(mutex_);

    return !busy_ && tasks_.empty();
}

bool SerialQueue::is_run_here()
{
    std::lock_guard<std::mutex> held(mutex_);

    return busy_ && runner_ == std::this_thread::get_id();
}

void SerialQueue::drain()
{
    std::unique_lock<std::mutex> held(mutex_);

    changed_.wait(held, [this] { return !busy_ && tasks_.empty(); });
}

void SerialQueue::close()
{
    {
        std::unique_lock<std::mutex> held(mutex_);
        closing_ = true;
        changed_.notify_all();
        changed_.wait(held,
                      [this] { return !busy_ && tasks_.empty(); }); // also a caller's, of enter() or take()
    }
    if (thread_.joinable())
        thread_.join();
}

void Callers::post(std::function<void()> task)
{
    std::unique_lock<std::mutex> held(mutex_);

    tasks_.push_back(std::move(task));
    if (idle_ >= tasks_.size()) {
        changed_.notify_one();
        return;
    }
    try {
        std::thread([self = shared_from_this()] { self->serve(); }).detach();
        threads_++;
    } catch (const std::system_error &) { // the system has no thread for it
        if (threads_ > 0)
            return; // one of them takes it when it is through
        std::function<void()> last = std::move(tasks_.back());
        tasks_.pop_back();
        held.unlock();
        WithoutLock released; // it may wait for what needs that
        last();
    }
}

void Callers::serve()
{
    std::unique_lock<std::mutex> held(mutex_);

    for (;;) {
        idle_++;
        changed_.wait(held, [this] { return closing_ || !tasks_.empty(); });
        idle_--;
        if (tasks_.empty()) {
            threads_--;
            return;
        }
        {
            std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            held.unlock();
            task();
        }
        held.lock();
    }
}

void Callers::close()
{
    std::lock_guard<std::mutex> held(mutex_);

    closing_ = true;
    changed_.notify_all();
}

} // namespace muster_torch
