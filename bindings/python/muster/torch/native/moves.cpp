// The collectives that move, of backend.h.
#include "backend.h"

namespace muster_torch
{

namespace
{

// Room for what all ranks have, flat.
at::Tensor make_whole(const at::Tensor &like, int64_t count)
{
    return at::empty({ count }, like.options().requires_grad(false));
}

size_t moved_count(const at::Tensor &tensor, const Moved &moved)
{
    return static_cast<size_t>(tensor.numel()) * moved.factor;
}

std::vector<size_t> counts_of(const Tensors &parts)
{
    std::vector<size_t> counts;

    for (const at::Tensor &part : parts)
        counts.push_back(static_cast<size_t>(part.numel()));
    return counts;
}

// How many elements each rank has of a tensor that is split along its rows.
std::vector<size_t> split_counts(const char *which, const std::vector<int64_t> &splits,
                                 const at::Tensor &tensor, int size)
{
    const int64_t rows = tensor.dim() ? tensor.size(0) : 0, width = rows ? tensor.numel() / rows : 0;
    std::vector<size_t> counts;
    int64_t sum = 0, least = 0;

    if (splits.empty()) {
        TORCH_CHECK_VALUE(rows % size == 0, "all_to_all: ", rows, " rows cannot be split evenly among ", size,
                          " ranks");
        return std::vector<size_t>(static_cast<size_t>(size), static_cast<size_t>(rows / size * width));
    }
    TORCH_CHECK_VALUE(splits.size() == static_cast<size_t>(size), "all_to_all: ", splits.size(),
                      " parts; expected one "
                      "for each of ",
                      size, " ranks");
    for (int64_t split : splits) {
        sum += split;
        least = std::min(least, split);
        counts.push_back(static_cast<size_t>(split * width));
    }
    TORCH_CHECK_VALUE(sum == rows && least >= 0, "all_to_all: ", which, " parts of [",
                      c10::Join(", ", splits), "] rows, and a tensor of ", rows,
                      "; expected none below 0, and its sum");
    return counts;
}

// Every rank sees what all send and expect, so that either all go on or none does.
void compare_counts(const std::vector<size_t> &sent, const std::vector<size_t> &expected, muster_group *group)
{
    const size_t size = sent.size();
    std::vector<uint64_t> own, all(2 * size * size);

    own.insert(own.end(), sent.begin(), sent.end());
    own.insert(own.end(), expected.begin(), expected.end());
    check(muster_all_gather(own.data(), all.data(), own.size(), MUSTER_UINT64, group));
    for (size_t from = 0; from < size; from++)
        for (size_t to = 0; to < size; to++) {
            const uint64_t gives = all[2 * size * from + to], takes = all[2 * size * to + size + from];
            if (gives != takes)
                fail_with(MUSTER_ERR_MISMATCH,
                          c10::str("all_to_all: rank ", from, " sends ", gives, " elements to rank ", to,
                                   ", which expects ", takes, "; expected the same of both"));
        }
}

} // namespace

// ---- what is asked for fits ----

void Backend::check_lengths(const char *what, const Tensors &parts, const at::Tensor &like) const
{
    for (const at::Tensor &part : parts) {
        check_tensor(part);
        TORCH_CHECK_VALUE(part.numel() == like.numel() && part.scalar_type() == like.scalar_type(), what,
                          ": one tensor is ", describe(part), " and another one ", describe(like),
                          "; expected the same of all");
    }
}

void Backend::check_count(const char *what, size_t parts) const
{
    TORCH_CHECK_VALUE(parts == static_cast<size_t>(size_), what, ": ", parts,
                      " parts; expected one for each of ", size_, " ranks");
}

void Backend::check_whole(const char *what, const at::Tensor &whole, const at::Tensor &part) const
{
    check_tensor(whole);
    check_tensor(part);
    TORCH_CHECK_VALUE(whole.numel() == part.numel() * size_ && whole.scalar_type() == part.scalar_type(),
                      what, ": the tensor of all ranks is ", describe(whole), "; expected ",
                      name_of(part.scalar_type()).substr(6), " x ", part.numel() * size_, ", ", size_,
                      " times that of one");
}

void Backend::check_root(const char *what, int64_t root) const
{
    TORCH_CHECK_VALUE(root >= 0 && root < size_, what, ": invalid root rank: ", root, "; expected one of ",
                      size_, " ranks");
}

// ---- one for all ----

WorkPtr Backend::broadcast(Tensors &tensors, const ::c10d::BroadcastOptions &opts)
{
    check_tensors(tensors);
    check_root("broadcast", opts.rootRank);
    const int root = static_cast<int>(opts.rootRank);
    const Told told = { OpType::BROADCAST, "muster:broadcast", opts.asyncOp, opts.timeout };
    return run(told, tensors, tensors, [root, tensors](muster_group *group) {
        for (const at::Tensor &tensor : tensors) {
            const Moved moved = how_moved(tensor);
            const Place place(tensor);
            check(muster_broadcast(place.data(), place.data(), moved_count(tensor, moved), moved.dtype, root,
                                   group));
            place.keep();
        }
    });
}

WorkPtr Backend::scatter(Tensors &outs, Parts &ins, const ::c10d::ScatterOptions &opts)
{
    check_tensors(outs);
    check_root("scatter", opts.rootRank);
    TORCH_CHECK_VALUE(outs.size() == 1, "scatter: ", outs.size(), " outputs; expected one");
    const int root = static_cast<int>(opts.rootRank);
    const Tensors parts = rank_ == root && !ins.empty() ? ins[0] : Tensors();
    if (rank_ == root) {
        check_count("scatter", parts.size());
        check_lengths("scatter", parts, outs[0]);
    }
    const Told told = { OpType::SCATTER, "muster:scatter", opts.asyncOp, opts.timeout };
    return run(told, parts, outs, [this, root, parts, out = outs[0]](muster_group *group) {
        const Moved moved = how_moved(out);
        const at::Tensor whole = rank_ == root ? joined(parts) : at::Tensor();
        const Place place(out);
        check(muster_scatter(whole.defined() ? whole.data_ptr() : nullptr, place.data(),
                             moved_count(out, moved), moved.dtype, root, group));
        place.keep();
    });
}

// ---- all for one, and for all ----

WorkPtr Backend::gather(Parts &outs, Tensors &ins, const ::c10d::GatherOptions &opts)
{
    check_tensors(ins);
    check_root("gather", opts.rootRank);
    TORCH_CHECK_VALUE(ins.size() == 1, "gather: ", ins.size(), " inputs; expected one");
    const int root = static_cast<int>(opts.rootRank);
    const Tensors parts = rank_ == root && !outs.empty() ? outs[0] : Tensors();
    if (rank_ == root) {
        check_count("gather", parts.size());
        check_lengths("gather", parts, ins[0]);
    }
    const Told told = { OpType::GATHER, "muster:gather", opts.asyncOp, opts.timeout };
    return run(told, ins, parts, [this, root, parts, in = ins[0]](muster_group *group) {
        const Moved moved = how_moved(in);
        const at::Tensor own = elements(in);
        const at::Tensor whole = rank_ == root ? make_whole(in, in.numel() * size_) : at::Tensor();
        check(muster_gather(own.data_ptr(), whole.defined() ? whole.data_ptr() : nullptr,
                            moved_count(in, moved), moved.dtype, root, group));
        if (rank_ == root)
            distribute(whole, parts);
    });
}

WorkPtr Backend::allgather_each(const Tensors &outs, const Tensors &ins, const ::c10d::AllgatherOptions &opts)
{
    TORCH_CHECK_VALUE(outs.size() == ins.size(), "all_gather: ", outs.size(), " outputs and ", ins.size(),
                      " inputs");
    for (size_t i = 0; i < outs.size(); i++)
        check_whole("all_gather", outs[i], ins[i]);
    const Told told = { OpType::_ALLGATHER_BASE, "muster:all_gather", opts.asyncOp, opts.timeout };
    return run(told, ins, outs, [outs, ins](muster_group *group) {
        for (size_t i = 0; i < outs.size(); i++) {
            const Moved moved = how_moved(ins[i]);
            const at::Tensor own = elements(ins[i]);
            const Place place(outs[i]);
            check(
                muster_all_gather(own.data_ptr(), place.data(), moved_count(own, moved), moved.dtype, group));
            place.keep();
        }
    });
}

WorkPtr Backend::_allgather_base(at::Tensor &out, at::Tensor &in, const ::c10d::AllgatherOptions &opts)
{
    return allgather_each({ out }, { in }, opts);
}

WorkPtr Backend::allgather_into_tensor_coalesced(Tensors &outs, Tensors &ins,
                                                 const ::c10d::AllgatherOptions &opts)
{
    return allgather_each(outs, ins, opts);
}

// The parts may be of different lengths, on every rank the same.
WorkPtr Backend::allgather(Parts &outs, Tensors &ins, const ::c10d::AllgatherOptions &opts)
{
    Tensors all;

    check_tensors(ins);
    TORCH_CHECK_VALUE(!ins.empty() && outs.size() == ins.size(), "all_gather: ", outs.size(),
                      " lists of outputs and ", ins.size(), " inputs; expected one list for each input");
    for (size_t i = 0; i < outs.size(); i++) {
        check_count("all_gather", outs[i].size());
        check_tensors(outs[i]);
        check_lengths("all_gather", { outs[i][static_cast<size_t>(rank_)] }, ins[i]);
        for (const at::Tensor &part : outs[i])
            TORCH_CHECK_VALUE(part.scalar_type() == ins[i].scalar_type(), "all_gather: one tensor is ",
                              describe(part), " and another one ", describe(ins[i]),
                              "; expected one dtype of all");
        all.insert(all.end(), outs[i].begin(), outs[i].end());
    }
    const Told told = { OpType::ALLGATHER, "muster:all_gather", opts.asyncOp, opts.timeout };
    return run(told, ins, all, [outs, ins](muster_group *group) {
        for (size_t i = 0; i < outs.size(); i++) {
            const Moved moved = how_moved(ins[i]);
            const at::Tensor own = elements(ins[i]);
            std::vector<size_t> counts = counts_of(outs[i]);
            bool even = std::equal(counts.begin() + 1, counts.end(), counts.begin());
            int64_t sum = 0;
            for (size_t &count : counts) {
                sum += static_cast<int64_t>(count);
                count *= moved.factor;
            }
            const at::Tensor whole = make_whole(own, sum);
            check(even ? muster_all_gather(own.data_ptr(), whole.data_ptr(), counts[0], moved.dtype, group)
                       : muster_all_gatherv(own.data_ptr(), moved_count(own, moved), whole.data_ptr(),
                                            counts.data(), nullptr, moved.dtype, group));
            distribute(whole, outs[i]);
        }
    });
}

// Lists by rank, each of the tensors of one call.
WorkPtr Backend::allgather_coalesced(Parts &outs, Tensors &ins, const ::c10d::AllgatherOptions &opts)
{
    Parts by_tensor(ins.size());

    check_count("all_gather", outs.size());
    for (const Tensors &of_rank : outs) {
        TORCH_CHECK_VALUE(of_rank.size() == ins.size(), "all_gather: ", of_rank.size(), " outputs and ",
                          ins.size(), " inputs");
        for (size_t i = 0; i < ins.size(); i++)
            by_tensor[i].push_back(of_rank[i]);
    }
    return allgather(by_tensor, ins, opts);
}

// ---- each for each ----

WorkPtr Backend::exchange(const Tensors &outs, const Tensors &ins, std::vector<size_t> sent,
                          std::vector<size_t> expected, const ::c10d::AllToAllOptions &opts)
{
    const Told told = { OpType::ALLTOALL, "muster:all_to_all", opts.asyncOp, opts.timeout };

    for (const Tensors *tensors : { &outs, &ins })
        for (const at::Tensor &tensor : *tensors)
            TORCH_CHECK_VALUE(tensor.scalar_type() == ins[0].scalar_type(), "all_to_all: one tensor is ",
                              describe(tensor), " and another one ", describe(ins[0]),
                              "; expected one dtype of all");
    return run(told, ins, outs, [outs, ins, sent, expected](muster_group *group) {
        compare_counts(sent, expected, group);
        const Moved moved = how_moved(ins[0]);
        const at::Tensor own = ins.size() == 1 ? elements(ins[0]) : joined(ins);
        std::vector<size_t> gives = sent, takes = expected;
        int64_t all = 0;
        for (size_t rank = 0; rank < gives.size(); rank++) {
            all += static_cast<int64_t>(takes[rank]);
            gives[rank] *= moved.factor;
            takes[rank] *= moved.factor;
        }
        if (outs.size() == 1) {
            const Place place(outs[0]);
            check(muster_all_to_allv(own.data_ptr(), gives.data(), nullptr, place.data(), takes.data(),
                                     nullptr, moved.dtype, group));
            place.keep();
        } else {
            const at::Tensor whole = make_whole(own, all);
            check(muster_all_to_allv(own.data_ptr(), gives.data(), nullptr, whole.data_ptr(), takes.data(),
                                     nullptr, moved.dtype, group));
            distribute(whole, outs);
        }
    });
}

// Splits of one rank may be to say what another one does not need to, so all ranks that give some go the same
// way as those that give none only where nobody gives any.
WorkPtr Backend::alltoall_base(at::Tensor &out, at::Tensor &in, std::vector<int64_t> &out_splits,
                               std::vector<int64_t> &in_splits, const ::c10d::AllToAllOptions &opts)
{
    check_tensor(out);
    check_tensor(in);
    if (!out_splits.empty() || !in_splits.empty())
        return exchange({ out }, { in }, split_counts("input", in_splits, in, size_),
                        split_counts("output", out_splits, out, size_), opts);
    check_lengths("all_to_all", { out }, in);
    TORCH_CHECK_VALUE(out.numel() % size_ == 0, "all_to_all: ", out.numel(),
                      " elements cannot be split evenly among ", size_, " ranks");
    const Told told = { OpType::ALLTOALL_BASE, "muster:all_to_all", opts.asyncOp, opts.timeout };
    return run(told, { in }, { out }, [this, out, in](muster_group *group) {
        const Moved moved = how_moved(in);
        const at::Tensor own = elements(in);
        const Place place(out);
        check(muster_all_to_all(own.data_ptr(), place.data(),
                                moved_count(own, moved) / static_cast<size_t>(size_), moved.dtype, group));
        place.keep();
    });
}

WorkPtr Backend::alltoall(Tensors &outs, Tensors &ins, const ::c10d::AllToAllOptions &opts)
{
    check_count("all_to_all", outs.size());
    check_count("all_to_all", ins.size());
    check_tensors(outs);
    check_tensors(ins);
    return exchange(outs, ins, counts_of(ins), counts_of(outs), opts);
}

} // namespace muster_torch
