// Handles: numbers by which operators (operators.cpp) are told which group they work in. A compiled graph has
// the number as a constant, so they count up, and are the same whenever a program is run again. A number
// stands for a muster.Group or for a backend as long as that is there, does not keep it, and is never used
// again.
#pragma once

#include "backend.h"

namespace muster_torch
{

// The number of a muster.Group's group, or of a backend, which is given one if it has none. Who has the group
// says when it ends, by end_handle; a backend's ends when it is closed.
int64_t handle_of(muster_group *group);
int64_t handle_of(const c10::intrusive_ptr<Backend> &backend);

// The group is about to be freed, and its number ends. While an operator is under way in it: an error, or, if
// it is to be adopted, true: it is freed when that is over.
bool end_handle(muster_group *group, bool adopt);

class Handled;

// A group, by its number, while an operator uses it. It throws when there is none.
class Handle
{
  public:
    explicit Handle(int64_t number);
    ~Handle();
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;

    int rank() const
    {
        return group_ ? muster_group_rank(group_) : backend_->getRank();
    }
    int size() const
    {
        return group_ ? muster_group_size(group_) : backend_->getSize();
    }

    // Whose group it is: one of the two is null.
    Backend *backend() const
    {
        return backend_.get();
    }
    muster_group *group() const
    {
        return group_;
    }

    // Does body(group, with...): after what the program has called in the group before, and before what it
    // calls later. The body has all else that it uses, as in Backend::run.
    template <typename Body, typename... With> void run(const Told &told, Body &&body, const With &...with)
    {
        WithoutLock released;

        if (group_)
            body(group_, with...);
        else
            backend_->call(
                told, [body = std::forward<Body>(body), with...](muster_group *in) { body(in, with...); });
    }

  private:
    const int64_t number_;
    Handled *const handled_;
    muster_group *const group_; // null: it is a backend's
    c10::intrusive_ptr<Backend> backend_;
};

} // namespace muster_torch
