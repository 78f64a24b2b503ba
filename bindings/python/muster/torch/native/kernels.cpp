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
    Handle(group).run(
        told_of(OpType::ALLREDUCE, "muster:all_reduce"),
        [how = Combined(x, op_named(op))](muster_group *in, const at::Tensor &x) {
            const Place place(x);
            all_reduce_in(in, place, how);
            place.keep_and_tell();
        },
        x);
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
    const int to = check_rank("reduce", "root", root, handle.size());
    handle.run(told_of(OpType::REDUCE, "muster:reduce"),
               [x, to, is_root = handle.rank() == to, how = Combined(x, op_named(op))](muster_group *in) {
                   const Place place(x);
                   reduce_in(in, place, to, how);
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
        [out, x, how = Combined(x, op_named(op))](muster_group *in) { reduce_scatter_in(in, out, x, how); });
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
    handle.run(told_of(OpType::BROADCAST, "muster:broadcast"),
               [x, from = check_rank("broadcast", "root", root, handle.size())](muster_group *in) {
                   const Place place(x);
                   broadcast_in(in, place, from);
                   place.keep_and_tell();
               });
}

at::Tensor broadcast(const at::Tensor &x, int64_t group, int64_t root)
{
    check_tensor(x);
    Handle handle(group);
    const at::Tensor out = make_like(x, x.sym_sizes());
    handle.run(told_of(OpType::BROADCAST, "muster:broadcast"),
               [x, out, from = check_rank("broadcast", "root", root, handle.size())](muster_group *in) {
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
    handle.run(told_of(OpType::ALLGATHER, "muster:all_gather"),
               [out, x](muster_group *in) { all_gather_in(in, out, x); });
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
    handle.run(told_of(OpType::ALLTOALL_BASE, "muster:all_to_all"),
               [out, x](muster_group *in) { all_to_all_in(in, Place(out), x); });
    return out;
}

void gather_into(const std::optional<at::Tensor> &out, const at::Tensor &x, int64_t group, int64_t root)
{
    Handle handle(group);
    const int to = check_rank("gather", "root", root, handle.size());
    const bool is_root = handle.rank() == to;
    check_tensor(x);
    CHECK_ARGUMENT(out.has_value() == is_root, "gather: out is ",
                   is_root ? "none on the root" : "for the root only", ", and this is rank ", handle.rank());
    if (is_root)
        check_whole("gather", *out, x, handle.size());
    handle.run(told_of(OpType::GATHER, "muster:gather"), [out, x, to](muster_group *in) {
        std::optional<Place> place;
        if (out)
            place.emplace(*out);
        gather_in(in, place ? &*place : nullptr, x, to);
        if (place)
            place->keep_and_tell();
    });
}

void scatter_into(const at::Tensor &out, const std::optional<at::Tensor> &x, int64_t group, int64_t root)
{
    Handle handle(group);
    const int from = check_rank("scatter", "root", root, handle.size());
    const bool is_root = handle.rank() == from;
    check_tensor(out);
    CHECK_ARGUMENT(x.has_value() == is_root, "scatter: x is ",
                   is_root ? "none on the root" : "the root's only", ", and this is rank ", handle.rank());
    if (is_root)
        check_whole("scatter", *x, out, handle.size());
    handle.run(told_of(OpType::SCATTER, "muster:scatter"), [out, x, from](muster_group *in) {
        const Place place(out);
        scatter_in(in, place, x ? elements(*x) : at::Tensor(), from);
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
    const int peer = check_rank("send", "receiving", to, handle.size()), its_tag = check_tag("send", tag);
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
    const int peer = check_rank("recv", "sending", source, handle.size()), its_tag = check_tag("recv", tag);
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
