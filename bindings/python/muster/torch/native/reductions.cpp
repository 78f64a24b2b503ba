// The collectives that combine, of backend.h.
#include "backend.h"

namespace muster_torch
{

namespace
{

// What a rank's sparse tensor has: its sizes, how many of them are sparse, and how many elements it says.
std::vector<int64_t> shape_of(const at::Tensor &sparse)
{
    std::vector<int64_t> shape = { sparse.sparse_dim(), sparse._nnz() };

    shape.insert(shape.end(), sparse.sizes().begin(), sparse.sizes().end());
    return shape;
}

// The rows of all ranks, one behind the other; `rows`: how many each has.
Tensors gather_rows(const at::Tensor &own, const std::vector<int64_t> &rows, muster_group *group)
{
    const Moved moved = how_moved(own);
    std::vector<size_t> counts;
    int64_t all = 0, unit = 1;

    for (int64_t dim : own.sizes().slice(1))
        unit *= dim;
    for (int64_t count : rows) {
        counts.push_back(static_cast<size_t>(count * unit) * moved.factor);
        all += count;
    }
    std::vector<int64_t> sizes = own.sizes().vec();
    sizes[0] = all;
    at::Tensor whole = at::empty(sizes, own.options());
    check(muster_all_gatherv(own.data_ptr(), static_cast<size_t>(own.numel()) * moved.factor,
                             whole.data_ptr(), counts.data(), nullptr, moved.dtype, group));
    return whole.split_with_sizes(rows);
}

// The sum of all ranks' sparse tensors, added in the order of ranks, as gloo does it.
at::Tensor add_sparse(const at::Tensor &tensor, muster_group *group)
{
    at::NoGradGuard quiet;
    at::Tensor own = tensor.detach().coalesce();
    const int size = muster_group_size(group);
    std::vector<int64_t> shape = shape_of(own), all(shape.size() * static_cast<size_t>(size)), rows;

    check(muster_all_gather(shape.data(), all.data(), shape.size(), MUSTER_INT64, group));
    for (int rank = 0; rank < size; rank++) {
        const int64_t *its = &all[shape.size() * static_cast<size_t>(rank)];
        rows.push_back(its[1]);
        TORCH_CHECK(its[0] == shape[0] && std::equal(its + 2, its + shape.size(), shape.begin() + 2),
                    "Sparse dimensions do not match");
    }
    Tensors indices = gather_rows(own._indices().t().contiguous(), rows, group);
    Tensors values = gather_rows(own._values().contiguous(), rows, group);
    at::Tensor sum = at::sparse_coo_tensor(indices[0].t(), values[0], own.sizes());
    for (size_t rank = 1; rank < indices.size(); rank++)
        sum = sum + at::sparse_coo_tensor(indices[rank].t(), values[rank], own.sizes());
    return sum.coalesce();
}

} // namespace

// Of all tensors of all ranks, to each of them.
WorkPtr Backend::allreduce(Tensors &tensors, const ::c10d::AllreduceOptions &opts)
{
    CHECK_ARGUMENT(!tensors.empty(), "all_reduce: no tensor; it requires non-empty tensor list");
    check_layouts("all_reduce", tensors);
    if (tensors[0].layout() == at::kSparse)
        return allreduce_sparse(tensors, opts);
    check_shapes("all_reduce", tensors, tensors[0]);
    if (tensors.size() > 1)
        check_combines(tensors[0], opts.reduceOp);
    const Told told = { OpType::ALLREDUCE, "muster:all_reduce", opts.asyncOp, opts.timeout };
    return run(told, tensors, tensors,
               [tensors, how = Combined(tensors[0], opts.reduceOp)](muster_group *group) {
                   if (tensors.size() > 1)
                       combine_into_first(tensors, how.op_type);
                   const Place place(tensors[0]);
                   all_reduce_in(group, place, how);
                   place.keep();
                   copy_to_others(tensors, 0);
               });
}

// Each tensor on its own, and all in one operation. Of those that share memory, copies are combined, as all
// are on gloo: the same number on every rank, whichever of its own a rank gives twice.
WorkPtr Backend::allreduce_coalesced(Tensors &tensors, const ::c10d::AllreduceCoalescedOptions &opts)
{
    CHECK_ARGUMENT(!tensors.empty(), "all_reduce_coalesced: no tensor; it requires non-empty tensor list");
    check_layouts("all_reduce_coalesced", tensors);
    for (const at::Tensor &tensor : tensors)
        CHECK_ARGUMENT(tensor.scalar_type() == tensors[0].scalar_type(),
                       "all_reduce_coalesced: one tensor is ", name_of(tensor.scalar_type()),
                       " and another one ", name_of(tensors[0].scalar_type()),
                       "; tensors must all have the same type");
    CHECK_ARGUMENT(tensors[0].layout() == at::kStrided, "all_reduce_coalesced: unsupported layout ",
                   tensors[0].layout(), "; expected dense tensors");
    check_tensors(tensors);
    const Told told = { OpType::ALLREDUCE_COALESCED, "muster:all_reduce", opts.asyncOp, opts.timeout };
    return run(told, tensors, tensors,
               [tensors, how = Combined(tensors[0], opts.reduceOp)](muster_group *group) {
                   const std::vector<bool> shared = find_shared(tensors);
                   std::vector<Place> places;
                   for (size_t i = 0; i < tensors.size(); i++)
                       places.emplace_back(tensors[i], shared[i]);
                   for (const Place &place : places)
                       all_reduce_in(group, place, how);
                   for (const Place &place : places)
                       place.keep_and_tell();
               });
}

WorkPtr Backend::allreduce_sparse(Tensors &tensors, const ::c10d::AllreduceOptions &opts)
{
    for (const at::Tensor &tensor : tensors) {
        CHECK_ARGUMENT(tensor.layout() == at::kSparse, "all_reduce: invalid tensor layout: ", tensor.layout(),
                       "; expected sparse_coo of all");
        CHECK_ARGUMENT(tensor.scalar_type() == tensors[0].scalar_type(),
                       "all_reduce: invalid tensor type: ", name_of(tensor.scalar_type()), " and ",
                       name_of(tensors[0].scalar_type()), "; expected the same of all");
        CHECK_ARGUMENT(tensor.sizes() == tensors[0].sizes() && tensor.sparse_dim() == tensors[0].sparse_dim(),
                       "all_reduce: invalid tensor size: ", tensor.sizes(), " and ", tensors[0].sizes(),
                       "; expected the same of all, and of their sparse dimensions");
    }
    TORCH_CHECK_NOT_IMPLEMENTED(opts.reduceOp.op_ == ::c10d::ReduceOp::SUM,
                                "muster adds sparse tensors, and has no other reduction of them: unsupported "
                                "reduction operation; use to_dense()");
    const Told told = { OpType::_ALLREDUCE_SPARSE, "muster:sparse_all_reduce", opts.asyncOp, opts.timeout };
    return run(told, tensors, tensors, [tensors](muster_group *group) {
        const at::AutoDispatchBelowADInplaceOrView as_memory; // those made in inference mode, too
        at::Tensor own = tensors[0].detach();
        for (size_t i = 1; i < tensors.size(); i++)
            own = own + tensors[i].detach();
        at::Tensor sum = add_sparse(own, group);
        for (const at::Tensor &tensor : tensors)
            write(tensor, sum); // a detached one would get indices of its own
    });
}

WorkPtr Backend::reduce(Tensors &tensors, const ::c10d::ReduceOptions &opts)
{
    const int root = check_rank("reduce", "root", opts.rootRank, size_);
    check_root_tensor("reduce", opts.rootTensor, tensors);
    CHECK_ARGUMENT(tensors.size() == 1, "reduce: ", tensors.size(),
                   " tensors; it requires a single-element tensor list");
    check_tensors(tensors);
    const Told told = { OpType::REDUCE, "muster:reduce", opts.asyncOp, opts.timeout };
    return run(
        told, tensors, tensors,
        [this, root, tensor = tensors[0], how = Combined(tensors[0], opts.reduceOp)](muster_group *group) {
            const Place place(tensor);
            reduce_in(group, place, root, how);
            if (rank_ == root)
                place.keep();
        });
}

WorkPtr Backend::reduce_scatter_each(const Tensors &outs, const Tensors &ins,
                                     const ::c10d::ReduceScatterOptions &opts)
{
    std::vector<Combined> how;

    CHECK_ARGUMENT(outs.size() == ins.size(), "reduce_scatter: ", outs.size(), " outputs and ", ins.size(),
                   " inputs");
    for (size_t i = 0; i < outs.size(); i++) {
        check_whole("reduce_scatter", ins[i], outs[i], size_);
        how.emplace_back(outs[i], opts.reduceOp);
    }
    const Told told = { OpType::_REDUCE_SCATTER_BASE, "muster:reduce_scatter", opts.asyncOp, opts.timeout };
    return run(told, ins, outs, [outs, ins, how = std::move(how)](muster_group *group) {
        for (size_t i = 0; i < outs.size(); i++)
            reduce_scatter_in(group, outs[i], ins[i], how[i]);
    });
}

WorkPtr Backend::_reduce_scatter_base(at::Tensor &out, at::Tensor &in,
                                      const ::c10d::ReduceScatterOptions &opts)
{
    return reduce_scatter_each({ out }, { in }, opts);
}

WorkPtr Backend::reduce_scatter_tensor_coalesced(Tensors &outs, Tensors &ins,
                                                 const ::c10d::ReduceScatterOptions &opts)
{
    return reduce_scatter_each(outs, ins, opts);
}

// The lists may be of different lengths, but every rank's has the same.
WorkPtr Backend::reduce_scatter(Tensors &outs, Parts &ins, const ::c10d::ReduceScatterOptions &opts)
{
    std::vector<Combined> how;

    CHECK_ARGUMENT(!outs.empty() && outs.size() == ins.size(), "reduce_scatter: ", outs.size(),
                   " outputs and ", ins.size(), " lists of inputs; expected one list for each output");
    for (size_t i = 0; i < outs.size(); i++) {
        check_tensor(outs[i]);
        check_count("reduce_scatter", ins[i].size());
        check_lengths("reduce_scatter", { ins[i][static_cast<size_t>(rank_)] }, outs[i]);
        how.emplace_back(outs[i], opts.reduceOp);
    }
    Tensors all;
    for (const Tensors &parts : ins) {
        check_tensors(parts);
        for (const at::Tensor &part : parts)
            CHECK_ARGUMENT(part.scalar_type() == parts[0].scalar_type(), "reduce_scatter: parts are ",
                           describe(part), " and ", describe(parts[0]), "; expected one dtype of all");
        all.insert(all.end(), parts.begin(), parts.end());
    }
    const Told told = { OpType::REDUCE_SCATTER, "muster:reduce_scatter", opts.asyncOp, opts.timeout };
    return run(told, all, outs, [outs, ins, how = std::move(how)](muster_group *group) {
        for (size_t i = 0; i < outs.size(); i++) {
            const at::Tensor whole = joined(ins[i]);
            const Place place(outs[i]);
            std::vector<size_t> counts;
            for (const at::Tensor &part : ins[i])
                counts.push_back(count_of(part));
            bool even = std::equal(counts.begin() + 1, counts.end(), counts.begin());
            check(even ? muster_reduce_scatter(whole.data_ptr(), place.data(), counts[0], how[i].dtype,
                                               how[i].op, group)
                       : muster_reduce_scatterv(whole.data_ptr(), counts.data(), place.data(), how[i].dtype,
                                                how[i].op, group));
            place.keep_and_tell();
        }
    });
}

} // namespace muster_torch
