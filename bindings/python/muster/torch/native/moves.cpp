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
        CHECK_ARGUMENT(rows % size == 0, "all_to_all: ", rows, " rows cannot be split evenly among ", size,
                       " ranks");
        return std::vector<size_t>(static_cast<size_t>(size), static_cast<size_t>(rows / size * width));
    }
    CHECK_ARGUMENT(splits.size() == static_cast<size_t>(size), "all_to_all: ", splits.size(),
                   " parts; expected one "
                   "for each of ",
                   size, " ranks");
    for (int64_t split : splits) {
        sum += split;
        least = std::min(least, split);
        counts.push_back(static_cast<size_t>(split * width));
    }
    CHECK_ARGUMENT(sum == rows && least >= 0, "all_to_all: ", which, " parts of [", c10::Join(", ", splits),
                   "] rows, and a tensor of ", rows, "; expected none below 0, and its sum");
    return counts;
}

bool are_even(const Tensors &parts)
{
    return std::all_of(parts.begin(), parts.end(),
                       [&](const at::Tensor &part) { return part.numel() == parts[0].numel(); });
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

// Every rank sees what all have and expect, so that all go on or none does, before anything moves.
void compare_lengths(const Tensors &outs, const at::Tensor &in, muster_group *group)
{
    const std::vector<size_t> expected = counts_of(outs);
    const size_t size = expected.size();
    std::vector<uint64_t> own = { static_cast<size_t>(in.numel()) }, all((size + 1) * size);

    own.insert(own.end(), expected.begin(), expected.end());
    check(muster_all_gather(own.data(), all.data(), own.size(), MUSTER_UINT64, group));
    for (size_t from = 0; from < size; from++)
        for (size_t to = 0; to < size; to++) {
            const uint64_t gives = all[(size + 1) * from], takes = all[(size + 1) * to + 1 + from];
            if (gives != takes)
                fail_with(MUSTER_ERR_MISMATCH,
                          c10::str("all_gather: invalid tensor size: rank ", from, " has ", gives,
                                   " elements, and rank ", to, " expects ", takes, "; expected the same"));
        }
}

void gather_parts(const Tensors &outs, const at::Tensor &in, muster_group *group)
{
    const Moved moved = how_moved(in);
    const at::Tensor own = elements(in);
    std::vector<size_t> counts = counts_of(outs);
    int64_t sum = 0;

    for (size_t &count : counts) {
        sum += static_cast<int64_t>(count);
        count *= moved.factor;
    }
    const at::Tensor whole = make_whole(own, sum);
    check(are_even(outs) ? muster_all_gather(own.data_ptr(), whole.data_ptr(), counts[0], moved.dtype, group)
                         : muster_all_gatherv(own.data_ptr(), moved_count(own, moved), whole.data_ptr(),
                                              counts.data(), nullptr, moved.dtype, group));
    distribute(whole, outs);
}

// Where the parts of one rank's list are of different lengths, and those of another one's are not, the
// library tells of lengths, which no program has given.
[[noreturn]] void explain(const Failure &failure, muster_group *group)
{
    const std::string said = failure.what_without_backtrace();
    const std::string lengths = c10::str("(uint64 x ", muster_group_size(group) + 1, ")");

    if (said.find(lengths) == std::string::npos)
        throw failure;
    throw Failure(
        failure.status,
        c10::str("all_gather: the parts of one rank's list are of different lengths, and those of another "
                 "one's are not; expected the same lengths on all ranks: ",
                 said, ", which are lengths"),
        failure.info);
}

} // namespace

// ---- one for all ----

// To all tensors of all ranks, from one of the root's.
WorkPtr Backend::broadcast(Tensors &tensors, const ::c10d::BroadcastOptions &opts)
{
    const int root = check_rank("broadcast", "root", opts.rootRank, size_);
    check_root_tensor("broadcast", opts.rootTensor, tensors);
    check_shapes("broadcast", tensors, tensors[0]);
    const size_t one = static_cast<size_t>(opts.rootTensor);
    const Told told = { OpType::BROADCAST, "muster:broadcast", opts.asyncOp, opts.timeout };
    return run(told, tensors, tensors, [root, one, tensors](muster_group *group) {
        const Place place(tensors[one]);
        broadcast_in(group, place, root);
        place.keep();
        copy_to_others(tensors, one);
    });
}

WorkPtr Backend::scatter(Tensors &outs, Parts &ins, const ::c10d::ScatterOptions &opts)
{
    check_tensors(outs);
    const int root = check_rank("scatter", "root", opts.rootRank, size_);
    CHECK_ARGUMENT(outs.size() == 1, "scatter: ", outs.size(),
                   " outputs; it requires a single-element output tensor list");
    check_lists("scatter", "input", ins, rank_ == root, outs[0]);
    const Tensors parts = rank_ == root ? ins[0] : Tensors();
    const Told told = { OpType::SCATTER, "muster:scatter", opts.asyncOp, opts.timeout };
    return run(told, parts, outs, [this, root, parts, out = outs[0]](muster_group *group) {
        const Place place(out);
        scatter_in(group, place, rank_ == root ? joined(parts) : at::Tensor(), root);
        place.keep();
    });
}

// ---- all for one, and for all ----

WorkPtr Backend::gather(Parts &outs, Tensors &ins, const ::c10d::GatherOptions &opts)
{
    check_tensors(ins);
    const int root = check_rank("gather", "root", opts.rootRank, size_);
    CHECK_ARGUMENT(ins.size() == 1, "gather: ", ins.size(),
                   " inputs; it requires a single-element input tensor list");
    check_lists("gather", "output", outs, rank_ == root, ins[0]);
    const Tensors parts = rank_ == root ? outs[0] : Tensors();
    const Told told = { OpType::GATHER, "muster:gather", opts.asyncOp, opts.timeout };
    return run(told, ins, parts, [this, root, parts, in = ins[0]](muster_group *group) {
        std::optional<Place> whole;
        if (rank_ == root)
            whole.emplace(make_whole(in, in.numel() * size_));
        gather_in(group, whole ? &*whole : nullptr, in, root);
        if (whole)
            distribute(whole->tensor(), parts);
    });
}

WorkPtr Backend::allgather_each(const Tensors &outs, const Tensors &ins, const ::c10d::AllgatherOptions &opts)
{
    CHECK_ARGUMENT(outs.size() == ins.size(), "all_gather: ", outs.size(), " outputs and ", ins.size(),
                   " inputs");
    for (size_t i = 0; i < outs.size(); i++)
        check_whole("all_gather", outs[i], ins[i], size_);
    const Told told = { OpType::_ALLGATHER_BASE, "muster:all_gather", opts.asyncOp, opts.timeout };
    return run(told, ins, outs, [outs, ins](muster_group *group) {
        for (size_t i = 0; i < outs.size(); i++)
            all_gather_in(group, outs[i], ins[i]);
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

// One tensor of each rank. They may be of different lengths, as every rank's list says, in a call that waits.
// A started one, which would know only later whether they fit, is refused, as gloo refuses both.
WorkPtr Backend::allgather_parts(const Parts &outs, const Tensors &ins, const ::c10d::AllgatherOptions &opts)
{
    Tensors all;

    check_tensors(ins);
    for (size_t i = 0; i < outs.size(); i++) {
        check_types("all_gather", outs[i], ins[i]);
        CHECK_ARGUMENT(
            !opts.asyncOp || are_even(outs[i]),
            "all_gather: invalid tensor size: a started call with parts of different lengths; expected "
            "one length of all, or async_op=False, as all ranks compare lengths before anything moves");
        if (are_even(outs[i]))
            check_lengths("all_gather", outs[i], ins[i]);
        all.insert(all.end(), outs[i].begin(), outs[i].end());
    }
    const Told told = { OpType::ALLGATHER, "muster:all_gather", opts.asyncOp, opts.timeout };
    return run(told, ins, all, [outs, ins](muster_group *group) {
        try {
            for (size_t i = 0; i < outs.size(); i++)
                if (!are_even(outs[i]))
                    compare_lengths(outs[i], ins[i], group);
            for (size_t i = 0; i < outs.size(); i++)
                gather_parts(outs[i], ins[i], group);
        } catch (const Failure &failure) {
            explain(failure, group);
        }
    });
}

// Of several tensors of each rank, every list gets all, in the order of ranks.
WorkPtr Backend::allgather(Parts &outs, Tensors &ins, const ::c10d::AllgatherOptions &opts)
{
    const size_t each = ins.size(), size = static_cast<size_t>(size_);

    CHECK_ARGUMENT(each > 0, "all_gather: no tensor; it requires non-empty input tensor list");
    CHECK_ARGUMENT(outs.size() == each, "all_gather: ", outs.size(), " lists of outputs and ", each,
                   " inputs; it requires input/output tensor lists to have the same length");
    for (size_t i = 0; i < each; i++)
        CHECK_ARGUMENT(outs[i].size() == each * size, "all_gather: invalid output tensor list at index ", i,
                       ": ", outs[i].size(), " parts; expected ", each == 1 ? "one" : std::to_string(each),
                       " for each of ", size_, " ranks");
    if (each == 1)
        return allgather_parts(outs, ins, opts);
    Parts by_tensor(each);
    Tensors all;
    check_shapes("all_gather", ins, ins[0]);
    for (size_t i = 0; i < each * size; i++)
        by_tensor[i % each].push_back(outs[0][i]);
    for (const Tensors &list : outs) {
        check_shapes("all_gather", list, ins[0]);
        all.insert(all.end(), list.begin(), list.end());
    }
    const Told told = { OpType::ALLGATHER, "muster:all_gather", opts.asyncOp, opts.timeout, each };
    return run(told, ins, all, [outs, by_tensor, ins](muster_group *group) {
        for (size_t i = 0; i < ins.size(); i++) {
            const at::Tensor whole = make_whole(ins[i], ins[i].numel() * muster_group_size(group));
            all_gather_in(group, whole, ins[i]);
            distribute(whole, by_tensor[i]);
        }
        for (size_t list = 1; list < outs.size(); list++)
            for (size_t i = 0; i < outs[list].size(); i++)
                write(outs[list][i], outs[0][i]);
    });
}

// Lists by rank, each of the tensors of one call.
WorkPtr Backend::allgather_coalesced(Parts &outs, Tensors &ins, const ::c10d::AllgatherOptions &opts)
{
    Parts by_tensor(ins.size());

    CHECK_ARGUMENT(!ins.empty(), "all_gather_coalesced: no tensor; it requires non-empty input tensor list");
    CHECK_ARGUMENT(outs.size() == static_cast<size_t>(size_), "all_gather_coalesced: ", outs.size(),
                   " parts; expected one for each of ", size_,
                   " ranks: output lists should be equal to world size");
    for (const Tensors &of_rank : outs) {
        CHECK_ARGUMENT(of_rank.size() == ins.size(),
                       "all_gather_coalesced: invalid output size: ", of_rank.size(), " outputs and ",
                       ins.size(), " inputs");
        for (size_t i = 0; i < ins.size(); i++) {
            check_types("all_gather_coalesced", { of_rank[i] }, ins[i]);
            CHECK_ARGUMENT(of_rank[i].numel() == ins[i].numel(),
                           "all_gather_coalesced: invalid size of output tensor at index ", i, ": ",
                           describe(of_rank[i]), "; expected ", describe(ins[i]), ", as the input is");
            by_tensor[i].push_back(of_rank[i]);
        }
    }
    return allgather_parts(by_tensor, ins, opts);
}

// ---- each for each ----

WorkPtr Backend::exchange(const Tensors &outs, const Tensors &ins, std::vector<size_t> sent,
                          std::vector<size_t> expected, const ::c10d::AllToAllOptions &opts)
{
    const Told told = { OpType::ALLTOALL, "muster:all_to_all", opts.asyncOp, opts.timeout };

    for (const Tensors *tensors : { &outs, &ins })
        for (const at::Tensor &tensor : *tensors)
            CHECK_ARGUMENT(tensor.scalar_type() == ins[0].scalar_type(), "all_to_all: one tensor is ",
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
    CHECK_ARGUMENT(
        in.is_contiguous(),
        "all_to_all: Tensors must be contiguous, and the input's elements are not in C order, which gloo "
        "refuses, too; use contiguous()");
    if (!out_splits.empty() || !in_splits.empty())
        return exchange({ out }, { in }, split_counts("input", in_splits, in, size_),
                        split_counts("output", out_splits, out, size_), opts);
    check_lengths("all_to_all", { out }, in);
    CHECK_ARGUMENT(out.numel() % size_ == 0, "all_to_all: ", out.numel(),
                   " elements cannot be split evenly among ", size_, " ranks");
    const Told told = { OpType::ALLTOALL_BASE, "muster:all_to_all", opts.asyncOp, opts.timeout };
    return run(told, { in }, { out }, [out, in](muster_group *group) {
        const Place place(out);
        all_to_all_in(group, place, in);
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
