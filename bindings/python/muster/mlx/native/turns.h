// The order of a group's operations of one class. MLX builds its graph in one order, the same on all ranks,
// and runs each stream on a thread of its own: an operation takes its turn when it is given to a stream, and
// waits for it there, so that one group may be used from any number of streams.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>

namespace muster_mlx
{

class Turns
{
  public:
    // Of one operation. It is over when this is gone, whether the operation has run or not.
    class Turn
    {
      public:
        explicit Turn(Turns &turns) : turns_(turns), number_(turns.take())
        {
        }
        Turn(const Turn &) = delete;
        Turn &operator=(const Turn &) = delete;
        ~Turn()
        {
            turns_.end(number_);
        }

        void wait()
        {
            std::unique_lock<std::mutex> held(turns_.mutex_);
            turns_.changed_.wait(held, [this] { return turns_.current_ == number_; });
        }

      private:
        Turns &turns_;
        const uint64_t number_;
    };

  private:
    uint64_t take()
    {
        std::lock_guard<std::mutex> held(mutex_);
        return taken_++;
    }

    void end(uint64_t number)
    {
        std::lock_guard<std::mutex> held(mutex_);

        ended_.insert(number);
        while (ended_.erase(current_))
            current_++;
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<uint64_t> ended_; // of which an earlier one has not ended
    uint64_t taken_ = 0, current_ = 0;
};

} // namespace muster_mlx
