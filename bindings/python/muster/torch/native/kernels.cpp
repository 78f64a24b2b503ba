// The collectives and messages of kernels.h.
#include "kernels.h"

namespace muster_torch
{
namespace
{

using ::c10d::ReduceOp;

ReduceOp op_named(string_view name)
{
    static constexpr std::pair<string_view, ReduceOp::RedOpType> names[] = {
        { "sum", ReduceOp::SUM }, { "avg", ReduceOp::AVG },   { "product", ReduceOp::PRODUCT },
        { "min", ReduceOp::MIN }, { "max", ReduceOp::MAX },   { "band", ReduceOp::BAND },
        { "bor", ReduceOp::BOR }, { "bxor", ReduceOp::BXOR },
    };

    for (const auto &[known, op] : names)
        if (known == name)
            return op;
    fail_with(MUSTER_ERR_INVALID,
              c10::str("op: '", name,
                       "'; expected 'sum', 'avg', 'product', 'min', 'max', 'band', 'bor' or "
                       "'bxor'"));
}

Told told_of(OpType type, const char *title)
{
    return { type, title, false, ::c10d::kUnsetTimeout };
}

void check_size(const char *what, const Handle &handle, int64_t size)
{
    CHECK_ARGUMENT(size == handle.size(), what, ": size is ", size, ", and the group has ", handle.size(),
                   " ranks");
}

int check_rank(const char *what, const char *which, const Handle &handle, int64_t rank)
{
    CHECK_ARGUMENT(rank >= 0 && rank < handle.size(), what, ": invalid ", which, " rank: ", rank,
                   "; expected one of ", handle.size(), " ranks");
    return static_cast<int>(rank);
}

// `whole` has what all ranks have of `part`.
void check_whole(const char *what, const at::Tensor &whole, const at::Tensor &part, int64_t size)
{
    check_tensor(whole);
    check_tensor(part);
    CHECK_ARGUMENT(whole.numel() == part.numel() * size && whole.scalar_type() == part.scalar_type(), what,
                   ": the tensor of all ranks is ", describe(whole), "; expected ",
                   name_of(part.scalar_type()).substr(6), " x ", part.numel() * size, ", ", size,
                   " times that of one");
}

} // namespace

// ---- shapes ----

at::Tensor make_like(const at::Tensor &like, c10::SymIntArrayRef shape)
{
    return at::empty_symint(shape, like.options().requires_grad(false));
}

c10::SymDimVector shape_of_all(const at::Tensor &x, int64_t size)
{
    c10::SymDimVector shape(x.sym_sizes());

    if (shape.empty())
        shape.push_back(1);
    shape[0] = shape[0] * size;
    return shape;
}

c10::SymDimVector shape_of_part(const char *what, const at::Tensor &x, int64_t size)
{
    c10::SymDimVector shape(x.sym_sizes());

    CHECK_ARGUMENT(!shape.empty() && size > 0 && shape[0] % size == 0, what, ": ", x.sym_sizes(),
                   " cannot be split along its first dimension among ", size, " ranks");
    shape[0] = shape[0] / size;
    return shape;
}

// ---- those that combine ----

void all_reduce_(const at::Tensor &x, int64_t group, string_view op)
{
    check_tensor(x);
    Handle(group).run(told_of(OpType::ALLREDUCE, "muster:all_reduce"), [x, how = Combined(x, op_named(op))](
                                                                           muster_group *in) {
        const Place place(x);
        check(muster_all_reduce(place.data(), place.data(), count_of(x), how.dtype, how.op, in));
        place.keep_and_tell();
    });
}

at::Tensor all_reduce(const at::Tensor &x, int64_t group, string_view op)
{
    check_tensor(x);
    const at::Tensor out = make_like(x, x.sym_sizes());
    Handle(group).run(
        told_of(OpType::ALLREDUCE, "muster:all_reduce"),
        [x, out, how = Combined(x, op_named(op))](muster_group *in) {
            const at::Tensor own = elements(x);
            check(muster_all_reduce(own.data_ptr(), out.data_ptr(), count_of(x), how.dtype, how.op, in));
        });
    return out;
}

// Of the tensor of any other rank nothing changes.
void reduce_(const at::Tensor &x, int64_t group, int64_t root, string_view op)
{
    check_tensor(x);
    Handle handle(group);
    const int to = check_rank("reduce", "root", handle, root);
    handle.run(told_of(OpType::REDUCE, "muster:reduce"),
               [x, to, is_root = handle.rank() == to, how = Combined(x, op_named(op))](muster_group *in) {
                   const Place place(x);
                   check(muster_reduce(place.data(), is_root ? place.data() : nullptr, count_of(x), how.dtype,
                                       how.op, to, in));
                   if (is_root)
                       place.keep_and_tell();
               });
}

void reduce_scatter_into(const at::Tensor &out, const at::Tensor &x, int64_t group, string_view op)
{
    Handle handle(group);
    check_whole("reduce_scatter", x, out, handle.size());
    handle.run(
        told_of(OpType::REDUCE_SCATTER, "muster:reduce_scatter"),
        [out, x, how = Combined(x, op_named(op))](muster_group *in) {
            const at::Tensor own = elements(x);
            const Place place(out);
            check(muster_reduce_scatter(own.data_ptr(), place.data(), count_of(out), how.dtype, how.op, in));
            place.keep_and_tell();
        });
}

at::Tensor reduce_scatter(const at::Tensor &x, int64_t group, int64_t size, string_view op)
{
    check_tensor(x);
    check_size("reduce_scatter", Handle(group), size);
    const at::Tensor part = make_like(x, shape_of_part("reduce_scatter", x, size));
    reduce_scatter_into(part, x, group, op);
    return part;
}

// ---- those that move ----

void broadcast_(const at::Tensor &x, int64_t group, int64_t root)
{
    check_tensor(x);
    Handle handle(group);
    handle.run(
        told_of(OpType::BROADCAST, "muster:broadcast"),
        [x, from = check_rank("broadcast", "root", handle, root)](muster_group *in) {
            const Moved moved = how_moved(x);
            const Place place(x);
            check(muster_broadcast(place.data(), place.data(), moved_count(x, moved), moved.dtype, from, in));
            place.keep_and_tell();
        });
}

at::Tensor broadcast(const at::Tensor &x, int64_t group, int64_t root)
{
    check_tensor(x);
    Handle handle(group);
    const at::Tensor out = make_like(x, x.sym_sizes());
    handle.run(told_of(OpType::BROADCAST, "muster:broadcast"),
               [x, out, from = check_rank("broadcast", "root", handle, root)](muster_group *in) {
                   const Moved moved = how_moved(x);
                   const at::Tensor own = elements(x);
                   check(muster_broadcast(own.data_ptr(), out.data_ptr(), moved_count(x, moved), moved.dtype,
                                          from, in));
               });
    return out;
}

void all_gather_into(const at::Tensor &out, const at::Tensor &x, int64_t group)
{
    Handle handle(group);
    check_whole("all_gather", out, x, handle.size());
    handle.run(told_of(OpType::ALLGATHER, "muster:all_gather"), [out, x](muster_group *in) {
        const Moved moved = how_moved(x);
        const at::Tensor own = elements(x);
        const Place place(out);
        check(muster_all_gather(own.data_ptr(), place.data(), moved_count(x, moved), moved.dtype, in));
        place.keep_and_tell();
    });
}

at::Tensor all_gather(const at::Tensor &x, int64_t group, int64_t size)
{
    check_tensor(x);
    check_size("all_gather", Handle(group), size);
    const at::Tensor all = make_like(x, shape_of_all(x, size));
    all_gather_into(all, x, group);
    return all;
}

at::Tensor all_to_all(const at::Tensor &x, int64_t group, int64_t size)
{
    check_tensor(x);
    Handle handle(group);
    check_size("all_to_all", handle, size);
    shape_of_part("all_to_all", x, size);
    const at::Tensor out = make_like(x, x.sym_sizes());
    handle.run(told_of(OpType::ALLTOALL_BASE, "muster:all_to_all"), [out, x, size](muster_group *in) {
        const Moved moved = how_moved(x);
        const at::Tensor own = elements(x);
        check(muster_all_to_all(own.data_ptr(), out.data_ptr(),
                                moved_count(x, moved) / static_cast<size_t>(size), moved.dtype, in));
    });
    return out;
}

void gather_into(const std::optional<at::Tensor> &out, const at::Tensor &x, int64_t group, int64_t root)
{
    Handle handle(group);
    const int to = check_rank("gather", "root", handle, root);
    const bool is_root = handle.rank() == to;
    check_tensor(x);
    CHECK_ARGUMENT(out.has_value() == is_root, "gather: out is ",
                   is_root ? "none on the root" : "for the root only", ", and this is rank ", handle.rank());
    if (is_root)
        check_whole("gather", *out, x, handle.size());
    handle.run(told_of(OpType::GATHER, "muster:gather"), [out, x, to, is_root](muster_group *in) {
        const Moved moved = how_moved(x);
        const at::Tensor own = elements(x);
        std::optional<Place> place;
        if (is_root)
            place.emplace(*out);
        check(muster_gather(own.data_ptr(), is_root ? place->data() : nullptr, moved_count(x, moved),
                            moved.dtype, to, in));
        if (is_root)
            place->keep_and_tell();
    });
}

void scatter_into(const at::Tensor &out, const std::optional<at::Tensor> &x, int64_t group, int64_t root)
{
    Handle handle(group);
    const int from = check_rank("scatter", "root", handle, root);
    const bool is_root = handle.rank() == from;
    check_tensor(out);
    CHECK_ARGUMENT(x.has_value() == is_root, "scatter: x is ",
                   is_root ? "none on the root" : "the root's only", ", and this is rank ", handle.rank());
    if (is_root)
        check_whole("scatter", *x, out, handle.size());
    handle.run(told_of(OpType::SCATTER, "muster:scatter"), [out, x, from, is_root](muster_group *in) {
        const Moved moved = how_moved(out);
        const at::Tensor own = is_root ? elements(*x) : at::Tensor();
        const Place place(out);
        check(muster_scatter(is_root ? own.data_ptr() : nullptr, place.data(), moved_count(out, moved),
                             moved.dtype, from, in));
        place.keep_and_tell();
    });
}

// ---- messages ----

namespace
{

int check_tag(const char *what, int64_t tag)
{
    CHECK_ARGUMENT(tag >= 0 && tag <= INT32_MAX, what, ": tag ", tag, "; expected one of 0 to ", INT32_MAX);
    return static_cast<int>(tag);
}

} // namespace

// Of a process group they are among its other messages, torch.distributed.send and recv.
void send(const at::Tensor &x, int64_t group, int64_t to, int64_t tag)
{
    check_tensor(x);
    Handle handle(group);
    const int peer = check_rank("send", "receiving", handle, to), its_tag = check_tag("send", tag);
    const WithoutLock released;
    if (Backend *backend = handle.backend()) {
        Tensors tensors = { x };
        backend->send(tensors, peer, its_tag)->wait(milliseconds(0));
        return;
    }
    const Moved moved = how_moved(x);
    const at::Tensor own = elements(x);
    check(muster_send(own.data_ptr(), moved_count(x, moved), moved.dtype, peer, its_tag, handle.group()));
}

void recv_(const at::Tensor &x, int64_t group, int64_t source, int64_t tag)
{
    check_tensor(x);
    Handle handle(group);
    const int peer = check_rank("recv", "sending", handle, source), its_tag = check_tag("recv", tag);
    const WithoutLock released;
    if (Backend *backend = handle.backend()) {
        Tensors tensors = { x };
        backend->recv(tensors, peer, its_tag)->wait(milliseconds(0));
        return;
    }
    const Moved moved = how_moved(x);
    const Place place(x);
    check(muster_recv(place.data(), moved_count(x, moved), moved.dtype, peer, its_tag, handle.group(),
                      nullptr));
    place.keep_and_tell();
}

} // namespace muster_torch
