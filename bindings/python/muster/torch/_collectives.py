"""The collectives that torch asks a process group for, under all the names that it has for them."""

import datetime

import torch

from ._errors import ArgumentError, MismatchError
from ._tensors import (ALL_GATHER, ALL_REDUCE, ALL_TO_ALL, BARRIER, BROADCAST, GATHER, INT64, REDUCE, REDUCE_SCATTER,
                       SCATTER, Into, call, check, describe, elements, how_combined, how_moved)

_SUM = torch.distributed.ReduceOp.SUM


def _check_sizes(what, parts, like, size=None):
    if size is not None:
        _check_length(what, parts, size)
    for part in parts:
        check(part)
        if part.numel() != like.numel() or part.dtype != like.dtype:
            raise ArgumentError(f"{what}: one tensor is {describe(part.dtype, part.numel())} and another one "
                                f"{describe(like.dtype, like.numel())}; expected the same of all")


def _check_single(what, *lists):
    """Several tensors in one call are combined and spread by the backend in C++ only."""
    for tensors in lists:
        if len(tensors) != 1:
            raise ArgumentError(f"{what}: {len(tensors)} tensors; expected one, as the backend in Python has no calls of "
                                "several")


def _check_root(what, root, size):
    if not 0 <= root < size:
        raise ArgumentError(f"{what}: invalid root rank: {root}; expected one of {size} ranks")


def _check_length(what, parts, size):
    if len(parts) != size:
        raise ArgumentError(f"{what}: {len(parts)} parts; expected one for each of {size} ranks")


def _check_splits(what, splits, tensor, size):
    """How many rows each rank has of the tensor."""
    rows = len(tensor)
    if not splits and rows % size:
        raise ArgumentError(f"{what}: {rows} rows cannot be split evenly among {size} ranks")
    splits = list(splits) or [rows // size] * size
    _check_length(what, splits, size)
    if sum(splits) != rows or min(splits) < 0:
        raise ArgumentError(f"{what}: parts of {splits} rows, and a tensor of {rows}; expected none below 0, and its "
                            "sum")
    return splits


def _check_whole(what, whole, part, size):
    check(whole)
    check(part)
    if whole.numel() != part.numel() * size or whole.dtype != part.dtype:
        raise ArgumentError(f"{what}: the tensor of all ranks is {describe(whole.dtype, whole.numel())}; expected "
                            f"{describe(part.dtype, part.numel() * size)}, {size} times that of one")


class Collectives:
    """Has _group, _sequence and _timeout_ns."""

    def _do(self, what, step, result, opts, items):
        """Does step(*item) for each item, at this call's turn. Waits for that if the options' asyncOp is false."""
        timeout_ns = self._timeout_ns
        given = getattr(opts, "timeout", None)
        if given is not None and given > datetime.timedelta(0):
            timeout_ns = round(given.total_seconds() * 1e9)

        def run():
            self._group._set_timeout(timeout_ns)
            for item in items:
                step(*item)

        return self._sequence.run(run, result, what, not getattr(opts, "asyncOp", True))

    # ---- reductions ----

    def _combine(self, what, tensor, how, root=0):
        dtype, made = how
        with Into(tensor) as place, made as op:
            call(what, self._group, place, place, tensor.numel(), dtype, op, root)

    def allreduce(self, tensors, opts=None):
        tensors = [tensors] if isinstance(tensors, torch.Tensor) else tensors
        _check_single("all_reduce", tensors)
        return self.allreduce_coalesced(tensors, opts)

    def allreduce_coalesced(self, tensors, opts=None):
        op = getattr(opts, "reduceOp", _SUM if opts is None else opts)
        items = [(ALL_REDUCE, check(tensor), how_combined(tensor, op)) for tensor in tensors]
        return self._do("all_reduce", self._combine, tensors, opts, items)

    def reduce(self, tensors, opts):
        _check_single("reduce", tensors)
        _check_root("reduce", opts.rootRank, self.size())
        items = [(REDUCE, check(tensor), how_combined(tensor, opts.reduceOp), opts.rootRank) for tensor in tensors]
        return self._do("reduce", self._combine, tensors, opts, items)

    def _scatter_base(self, out, tensor, how):
        dtype, made = how
        with Into(out) as place, made as op:
            call(REDUCE_SCATTER, self._group, place, elements(tensor), out.numel(), dtype, op)

    def reduce_scatter_single_coalesced(self, outs, tensors, opts):
        for out, tensor in zip(outs, tensors):
            _check_whole("reduce_scatter", tensor, out, self.size())
        items = [(out, tensor, how_combined(out, opts.reduceOp)) for out, tensor in zip(outs, tensors)]
        return self._do("reduce_scatter", self._scatter_base, outs, opts, items)

    def reduce_scatter_single(self, out, tensor, opts):
        return self.reduce_scatter_single_coalesced([out], [tensor], opts)

    def reduce_scatter(self, outs, tensors, opts):
        for out, parts in zip(outs, tensors):
            _check_sizes("reduce_scatter", parts, out, self.size())
        return self.reduce_scatter_single_coalesced(
            outs, [torch.cat([part.detach().reshape(-1) for part in parts]) for parts in tensors], opts)

    _reduce_scatter_base = reduce_scatter_single
    reduce_scatter_tensor_coalesced = reduce_scatter_single_coalesced

    # ---- from one rank ----

    def _broadcast(self, tensor, root):
        dtype, factor = how_moved(tensor)
        with Into(tensor) as place:
            call(BROADCAST, self._group, place, place, tensor.numel() * factor, dtype, 0, root)

    def broadcast(self, tensors, opts=None, root=0):
        tensors = [tensors] if isinstance(tensors, torch.Tensor) else tensors
        root = getattr(opts, "rootRank", opts if isinstance(opts, int) else root)
        _check_single("broadcast", tensors)
        _check_root("broadcast", root, self.size())
        return self._do("broadcast", self._broadcast, tensors, opts, [(check(tensor), root) for tensor in tensors])

    def _scatter(self, out, parts, root):
        dtype, factor = how_moved(out)
        whole = torch.cat([elements(part).reshape(-1) for part in parts]) if self.rank() == root else None
        with Into(out) as place:
            call(SCATTER, self._group, place, whole, out.numel() * factor, dtype, 0, root)

    def scatter(self, outs, tensors, opts):
        _check_single("scatter", outs)
        _check_root("scatter", opts.rootRank, self.size())
        items = [(check(out), tensors[i] if tensors else (), opts.rootRank) for i, out in enumerate(outs)]
        for out, parts, root in items:
            _check_sizes("scatter", parts, out, self.size() if self.rank() == root else None)
        return self._do("scatter", self._scatter, outs, opts, items)

    # ---- to all ranks, and to one ----

    def _gather_base(self, out, tensor):
        dtype, factor = how_moved(tensor)
        with Into(out) as place:
            call(ALL_GATHER, self._group, place, elements(tensor), tensor.numel() * factor, dtype)

    def all_gather_single_coalesced(self, outs, tensors, opts=None):
        for out, tensor in zip(outs, tensors):
            _check_whole("all_gather", out, tensor, self.size())
        return self._do("all_gather", self._gather_base, outs, opts, list(zip(outs, tensors)))

    def all_gather_single(self, out, tensor, opts=None):
        return self.all_gather_single_coalesced([out], [tensor], opts)

    def _gather_parts(self, parts, tensor):
        whole = tensor.new_empty((self.size(), tensor.numel()))
        self._gather_base(whole, tensor)
        for part, got in zip(parts, whole):
            part.detach().copy_(got.view(part.shape))

    def allgather(self, outs, tensors, opts=None):
        _check_single("all_gather", tensors, outs)
        for parts, tensor in zip(outs, tensors):
            _check_sizes("all_gather", parts, check(tensor), self.size())
        return self._do("all_gather", self._gather_parts, outs, opts, list(zip(outs, tensors)))

    _allgather_base = all_gather_single
    allgather_into_tensor_coalesced = all_gather_single_coalesced
    allgather_coalesced = allgather

    def _gather(self, parts, tensor, root):
        dtype, factor = how_moved(tensor)
        whole = tensor.new_empty((self.size(), tensor.numel())) if self.rank() == root else None
        call(GATHER, self._group, whole, elements(tensor), tensor.numel() * factor, dtype, 0, root)
        if whole is not None:
            for part, got in zip(parts, whole):
                part.detach().copy_(got.view(part.shape))

    def gather(self, outs, tensors, opts):
        _check_single("gather", tensors)
        _check_root("gather", opts.rootRank, self.size())
        items = [(outs[i] if outs else (), check(tensor), opts.rootRank) for i, tensor in enumerate(tensors)]
        for parts, tensor, root in items:
            _check_sizes("gather", parts, tensor, self.size() if self.rank() == root else None)
        return self._do("gather", self._gather, outs, opts, items)

    # ---- from each rank to each ----

    def _exchange(self, parts, counts):
        """Sends each rank its part, which is flat and of any length: parts travel in blocks as long as the longest.
        Every rank first sees what all send and expect, so that all fail or none does."""
        size = self.size()
        own = torch.tensor([[len(part) for part in parts], counts])
        every = own.new_empty((size, 2, size))
        call(ALL_GATHER, self._group, every, own, own.numel(), INT64)
        sent, expected = every[:, 0], every[:, 1].t()
        for source, target in (sent != expected).nonzero()[:1].tolist():
            raise MismatchError(f"all_to_all: rank {source} sends {sent[source, target]} elements to rank {target}, "
                                f"which expects {expected[source, target]}; expected the same of both")
        longest = int(sent.max())
        own = parts[0].new_zeros((size, longest))
        for row, part in zip(own, parts):
            row[: len(part)] = part
        received = torch.empty_like(own)
        dtype, factor = how_moved(own)
        call(ALL_TO_ALL, self._group, received, own, longest * factor, dtype)
        return [got[:count] for got, count in zip(received, counts)]

    def _exchange_rows(self, out, tensor, out_splits, in_splits):
        width = out[:1].numel() if len(out) else tensor[:1].numel()
        parts = [part.reshape(-1) for part in torch.split(elements(tensor), in_splits)]
        got = self._exchange(parts, [rows * width for rows in out_splits])
        out.detach().copy_(torch.cat(got).view(out.shape))

    def _exchange_tensor(self, out, tensor):
        dtype, factor = how_moved(out)
        with Into(out) as place:
            call(ALL_TO_ALL, self._group, place, elements(tensor), out.numel() // self.size() * factor, dtype)

    def all_to_all_single(self, out, tensor, out_splits=(), in_splits=(), opts=None):
        check(out)
        if not check(tensor).is_contiguous():
            raise ArgumentError("all_to_all: Tensors must be contiguous, and the input's elements are not in C order, which "
                                "gloo refuses, too; use contiguous()")
        if out_splits or in_splits:  # either may be empty: parts of the same length
            splits = [_check_splits("all_to_all", *of, self.size()) for of in ((out_splits, out), (in_splits, tensor))]
            step, items = self._exchange_rows, [(out, tensor, *splits)]
        else:
            _check_sizes("all_to_all", [out], tensor)
            step, items = self._exchange_tensor, [(out, tensor)]
            if out.numel() % self.size():
                raise ArgumentError(f"all_to_all: {out.numel()} elements cannot be split evenly among {self.size()} "
                                    "ranks")
        return self._do("all_to_all", step, [out], opts, items)

    alltoall_base = all_to_all_single

    def _exchange_tensors(self, outs, tensors):
        flat = [elements(tensor).reshape(-1) for tensor in tensors]
        for out, got in zip(outs, self._exchange(flat, [out.numel() for out in outs])):
            out.detach().copy_(got.view(out.shape))

    def alltoall(self, outs, tensors, opts=None):
        for parts in (outs, tensors):
            _check_length("all_to_all", parts, self.size())
        for tensor in [*outs, *tensors]:
            check(tensor)
        return self._do("all_to_all", self._exchange_tensors, outs, opts, [(outs, tensors)])

    # ---- barrier ----

    def barrier(self, opts=None):
        return self._do("barrier", lambda: call(BARRIER, self._group), [], opts, [()])
