// The steps of steps.h.
#include "steps.h"

#include "errors.h"

namespace muster_torch
{

int check_rank(const char *what, const char *which, int64_t rank, int size)
{
    CHECK_ARGUMENT(rank >= 0 && rank < size, what, ": invalid ", which, " rank: ", rank, "; expected one of ",
                   size, " ranks");
    return static_cast<int>(rank);
}

void check_whole(const char *what, const at::Tensor &whole, const at::Tensor &part, int size)
{
    check_tensor(whole);
    check_tensor(part);
    CHECK_ARGUMENT(whole.numel() == part.numel() * size && whole.scalar_type() == part.scalar_type(), what,
                   ": the tensor of all ranks is ", describe(whole), "; expected ",
                   name_of(part.scalar_type()).substr(6), " x ", part.numel() * size, ", ", size,
                   " times that of one");
}

void reduce_scatter_in(muster_group *group, const at::Tensor &out, const at::Tensor &x, const Combined &how)
{
    const at::Tensor whole = elements(x);
    const Place place(out);

    check(muster_reduce_scatter(whole.data_ptr(), place.data(), count_of(out), how.dtype, how.op, group));
    place.keep_and_tell();
}

void all_gather_in(muster_group *group, const at::Tensor &out, const at::Tensor &x)
{
    const Moved moved = how_moved(x);
    const at::Tensor own = elements(x);
    const Place place(out);

    check(muster_all_gather(own.data_ptr(), place.data(), moved_count(own, moved), moved.dtype, group));
    place.keep_and_tell();
}

void all_reduce_in(muster_group *group, const Place &x, const Combined &how)
{
    check(muster_all_reduce(x.data(), x.data(), x.count(), how.dtype, how.op, group));
}

void reduce_in(muster_group *group, const Place &x, int root, const Combined &how)
{
    void *out = muster_group_rank(group) == root ? x.data() : nullptr;

    check(muster_reduce(x.data(), out, x.count(), how.dtype, how.op, root, group));
}

void broadcast_in(muster_group *group, const Place &x, int root)
{
    const Moved moved = how_moved(x.tensor());

    check(muster_broadcast(x.data(), x.data(), moved_count(x.tensor(), moved), moved.dtype, root, group));
}

void all_to_all_in(muster_group *group, const Place &out, const at::Tensor &x)
{
    const Moved moved = how_moved(x);
    const at::Tensor own = elements(x);
    const size_t each = moved_count(x, moved) / static_cast<size_t>(muster_group_size(group));

    check(muster_all_to_all(own.data_ptr(), out.data(), each, moved.dtype, group));
}

void scatter_in(muster_group *group, const Place &out, const at::Tensor &whole, int root)
{
    const Moved moved = how_moved(out.tensor());

    check(muster_scatter(whole.defined() ? whole.data_ptr() : nullptr, out.data(),
                         moved_count(out.tensor(), moved), moved.dtype, root, group));
}

void gather_in(muster_group *group, const Place *out, const at::Tensor &x, int root)
{
    const Moved moved = how_moved(x);
    const at::Tensor own = elements(x);

    check(muster_gather(own.data_ptr(), out ? out->data() : nullptr, moved_count(x, moved), moved.dtype, root,
                        group));
}

} // namespace muster_torch
