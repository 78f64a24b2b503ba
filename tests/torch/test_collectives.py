"""Collectives: what gloo gives, for every type and order of elements; and what is refused, in words."""

import unittest

import torch
import torch.distributed as dist
import muster.torch
from torch_ranks import expect, values

COMPILED = muster.torch.is_compiled
SIZE = 3
MOVED = [torch.float32, torch.float64, torch.float16, torch.int8, torch.int32, torch.int64, torch.uint8]
MOVED_NOT_BY_GLOO = [torch.bool, torch.bfloat16, torch.complex64, torch.complex128, torch.float8_e4m3fn, torch.uint16]
OPS = ["SUM", "PRODUCT", "MIN", "MAX"]


def make(dtype, *shape, seed=0):
    """Small integers, so that sums are exact; another tensor on each rank."""
    generator = torch.Generator().manual_seed(seed * 10 + dist.get_rank())
    return torch.randint(0, 3, shape, generator=generator).to(dtype)


def combine_and_move():
    rank, results = dist.get_rank(), {}
    for dtype in (torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8, torch.int8, torch.float16):
        for op in OPS:
            x = make(dtype, 5)
            dist.all_reduce(x, op=getattr(dist.ReduceOp, op))
            results["all_reduce", dtype, op] = x
            x = make(dtype, 5)
            dist.reduce(x, 1, op=getattr(dist.ReduceOp, op))
            results["reduce", dtype, op] = x if rank == 1 else None
    for dtype in MOVED:
        x = make(dtype, 2, 3)
        dist.broadcast(x, 2)
        parts = [torch.zeros(2, 3, dtype=dtype) for _ in range(SIZE)]
        dist.all_gather(parts, make(dtype, 2, 3))
        into = torch.zeros(2, 3, dtype=dtype)
        dist.scatter(into, [make(dtype, 2, 3, seed=i) for i in range(SIZE)] if rank == 1 else None, src=1)
        gathered = [torch.zeros(4, dtype=dtype) for _ in range(SIZE)] if rank == 0 else None
        dist.gather(make(dtype, 4), gathered)
        results["moved", dtype] = [x, parts, into, gathered]
    return results


def move_what_gloo_does_not():
    rank = dist.get_rank()
    for dtype in MOVED_NOT_BY_GLOO:
        each = [torch.tensor([r % 2, 1, 0, 1, r == 2, 1]).to(dtype) for r in range(SIZE)]
        x = each[rank].clone()
        dist.broadcast(x, 2)
        assert torch.equal(x, each[2]), dtype
        parts = [torch.zeros(6, dtype=dtype) for _ in each]
        dist.all_gather(parts, each[rank])
        assert all(map(torch.equal, parts, each)), dtype
        dist.gather(each[rank], parts if rank == 0 else None)
        assert all(map(torch.equal, parts, each)), dtype
        dist.scatter(x, each if rank == 1 else None, src=1)
        assert torch.equal(x, each[rank]), dtype
        dist.all_to_all_single(x, each[rank])
        assert torch.equal(x, torch.stack(each).view(SIZE, SIZE, 2)[:, rank].flatten()), dtype
        work = dist.isend(each[rank], (rank + 1) % SIZE)
        dist.recv(x, (rank - 1) % SIZE)
        assert torch.equal(x, each[rank - 1]), dtype
        work.wait()


def exchange():
    rank, results = dist.get_rank(), {}
    for dtype in (torch.float32, torch.int64):
        own, out = make(dtype, 2 * SIZE), torch.zeros(2 * SIZE, dtype=dtype)
        dist.all_to_all_single(out, own)
        mine, theirs = [rank + i for i in range(SIZE)], [i + rank for i in range(SIZE)]  # rows; of rank 0 to 0 none
        rows, got = make(dtype, sum(mine), 2), torch.zeros(sum(theirs), 2, dtype=dtype)
        dist.all_to_all_single(got, rows, theirs, mine)
        whole = torch.zeros(3 * SIZE, dtype=dtype)
        dist.all_gather_single(whole, make(dtype, 3))
        part = torch.zeros(4, dtype=dtype)
        dist.reduce_scatter_single(part, make(dtype, 4 * SIZE))
        listed = torch.zeros(2, 2, dtype=dtype)
        dist.reduce_scatter(listed, [make(dtype, 2, 2, seed=i) for i in range(SIZE)])
        results[dtype] = [out, got, whole, part, listed]
    objects = [None] * SIZE
    dist.all_gather_object(objects, {"rank": rank})
    return results, objects


def orders_of_elements():
    """What gloo has wrong, or refuses: elements that are not in C order, and views with a bit that says more."""
    rank = dist.get_rank()
    x = torch.arange(24.0)[::2]
    dist.all_reduce(x)
    assert (x == SIZE * torch.arange(24.0)[::2]).all()
    x = torch.full((3, 4), float(rank)).t()
    dist.broadcast(x, 1)
    assert (x == 1).all()
    x = torch.full((4,), 1 + 2j).conj().imag * (rank + 1)
    dist.all_reduce(x)
    assert (x == -2 * 6).all(), x
    negative = torch.full((4,), 1 + 2j).conj().imag  # a view whose elements are taken to be negated
    dist.all_reduce(negative)
    assert (negative == -2 * SIZE).all(), negative
    dist.broadcast(negative, 0)
    assert (negative == -2 * SIZE).all()
    parameter = torch.nn.Parameter(torch.ones(3))
    dist.all_reduce(parameter)
    assert (parameter == SIZE).all()
    empty = torch.zeros(0, 3)
    dist.all_reduce(empty)
    eight = torch.ones(3).to(torch.float8_e4m3fn)
    dist.broadcast(eight, 0)
    half = torch.tensor([1024.0 if rank == 0 else 0.375], dtype=torch.float16)  # 1024.75, rounded once
    dist.all_reduce(half)
    assert half == torch.tensor(1024.75).half()
    mean = torch.tensor([float(rank)])
    dist.all_reduce(mean, op=dist.ReduceOp.AVG)
    assert mean == 1
    mean = torch.tensor([1 + 2.0**-10 * (rank == 0)], dtype=torch.float16)  # divided and rounded once, not twice
    dist.all_reduce(mean, op=dist.ReduceOp.AVG)
    assert mean == torch.tensor((SIZE + 2.0**-10) / SIZE).half(), mean
    for op, wanted in ("BAND", 4), ("BOR", 7), ("BXOR", 4 ^ 5 ^ 6):
        bits = torch.tensor([4 + rank])
        dist.all_reduce(bits, op=getattr(dist.ReduceOp, op))
        assert bits == wanted, (op, bits)
    wide = torch.tensor([complex(1 + rank, rank)], dtype=torch.complex128)
    dist.all_reduce(wide)
    assert wide == 6 + 3j, wide
    for kind in torch.float8_e4m3fn, torch.float8_e5m2:
        eighth = torch.tensor([0.5 + rank]).to(kind)
        dist.all_reduce(eighth)
        assert eighth.float() == torch.tensor(4.5).to(kind).float(), eighth
    for kind in torch.float32, torch.float16, torch.int32:
        scaled = torch.tensor([1 + rank], dtype=kind)
        dist.all_reduce(scaled, op=dist._make_nccl_premul_sum(2.0 + rank))
        assert scaled == 2 + 6 + 12, scaled
    tenths = torch.tensor([1.0, 1e40], dtype=torch.float64)
    dist.all_reduce(tenths, op=dist._make_nccl_premul_sum(0.1))
    assert tenths[0] == 0.1 + 0.1 + 0.1 and tenths[1] == 0.1 * 1e40 + 0.1 * 1e40 + 0.1 * 1e40, tenths
    part = torch.zeros(2)
    dist.reduce_scatter_single(part, torch.arange(2.0 * SIZE), op=dist.ReduceOp.AVG)
    assert (part == torch.arange(2.0 * SIZE)[2 * rank:2 * rank + 2]).all()
    flag = torch.tensor([rank == 1])
    dist.all_reduce(flag)
    assert flag.item()


def eights():
    """Every pair of 8-bit floats, added, multiplied and averaged: what PyTorch's own conversions make of it."""
    rank, names = dist.get_rank(), ("SUM", "PRODUCT", "AVG")
    for kind in torch.float8_e4m3fn, torch.float8_e5m2:
        every = torch.arange(256, dtype=torch.uint8).view(kind)
        one, other = every.repeat(256), every.repeat_interleave(256)
        x, y = one.float(), other.float()
        for name, wide in zip(names, (x + y, x * y, (x + y) / 2)):
            own = (one, other)[rank].clone()
            dist.all_reduce(own, op=getattr(dist.ReduceOp, name))
            wanted, own = wide.to(kind).float(), own.float()
            assert torch.equal(own.nan_to_num(7e7), wanted.nan_to_num(7e7)), (kind, name, (own != wanted).nonzero()[:9])
            assert torch.equal(torch.signbit(own) & ~own.isnan(), torch.signbit(wanted) & ~wanted.isnan()), (kind, name)


def coalesced():
    x, y = torch.ones(3), torch.ones(4)
    with dist._coalescing_manager():
        dist.all_reduce(x)
        dist.all_reduce(y)
    assert (x == SIZE).all() and (y == SIZE).all()
    wholes, parts = [torch.zeros(2 * SIZE) for _ in range(2)], [torch.zeros(2) for _ in range(2)]
    with dist._coalescing_manager(async_ops=True) as works:
        for whole in wholes:
            dist.all_gather_single(whole, torch.full((2,), float(dist.get_rank())))
    works.wait()
    assert wholes[1].tolist() == [0, 0, 1, 1, 2, 2]
    with dist._coalescing_manager():
        for part in parts:
            dist.reduce_scatter_single(part, torch.ones(2 * SIZE))
    assert (parts[1] == SIZE).all()


def refused():
    """A refusal concerns one call: the group works as before."""
    x, size = torch.ones(2), dist.get_world_size()
    no = NotImplementedError
    for dtype in (torch.int64, torch.uint8, torch.bool):
        integers = torch.ones(2 * size, dtype=dtype)
        expect(no, "averages floating-point", lambda: dist.all_reduce(integers, op=dist.ReduceOp.AVG))
        expect(no, "averages floating-point", lambda: dist.reduce(integers, 0, op=dist.ReduceOp.AVG))
        expect(no, "averages floating-point", lambda: dist.reduce_scatter_single(
            torch.ones(2, dtype=dtype), integers, op=dist.ReduceOp.AVG))
        assert (integers == 1).all()
    for op in ("BAND", "BOR", "BXOR"):
        expect(no, f"{op} of torch.float32: ", lambda: dist.all_reduce(x, op=getattr(dist.ReduceOp, op)))
    for kind, factor in (torch.float32, 1e39), (torch.float16, 7e4), (torch.bfloat16, -3.4e38), (torch.float8_e4m3fn, 1e6):
        expect(no, f"PREMUL_SUM of {kind} by ", lambda: dist.all_reduce(
            torch.ones(2, dtype=kind), op=dist._make_nccl_premul_sum(factor)))
    expect(no, "PREMUL_SUM of torch.bool", lambda: dist.all_reduce(x.bool(), op=dist._make_nccl_premul_sum(2.0)))
    expect(no, "float8_e4m3fnuz by SUM", lambda: dist.all_reduce(x.to(torch.float8_e4m3fnuz)))
    expect(no, "SparseCPU" if COMPILED else "use to_dense()", lambda: dist.broadcast(x.to_sparse(), 0))
    if not COMPILED:
        expect(no, "give recv() its src", lambda: dist.recv(x))
        # PyTorch has an all_reduce of its own for this one, which does nothing
        expect(no, "copy it to the CPU", lambda: dist.all_reduce(torch.ones(2, device="meta")))
    expect(ValueError, "expected the same of all", lambda: dist.reduce_scatter(
        x, [torch.ones(3 + i) for i in range(size)]))
    expect(ValueError, "3 times that of one", lambda: dist.all_gather_single(torch.ones(5), x))
    wrong_numbers_of_parts(x, size)
    wrong_roots_and_lists(x, size)
    dist.all_reduce(x)
    assert (x == size).all()


def wrong_roots_and_lists(x, size):
    """What torch.distributed does not ask for; the backend in C++ has several tensors in one call (test_lists)."""
    group, one = dist.group.WORLD._get_backend(torch.device("cpu")), [x]
    for root in -1, size:
        for kind, call in ((dist.BroadcastOptions, lambda given: group.broadcast(one, given)),
                           (dist.ReduceOptions, lambda given: group.reduce(one, given)),
                           (dist.ScatterOptions, lambda given: group.scatter(one, [], given)),
                           (dist.GatherOptions, lambda given: group.gather([], one, given))):
            given = kind()
            given.rootRank = root
            expect(ValueError, "invalid root rank", lambda: call(given))
    if not COMPILED:
        for call in (lambda: group.allreduce(one * 2), lambda: group.allreduce([]), lambda: group.broadcast(one * 2),
                     lambda: group.allgather([one * size] * 2, one * 2), lambda: group.allgather([], one)):
            expect(ValueError, "expected one, as the backend in Python has no calls of several", call)


def wrong_numbers_of_parts(x, size):
    """One part too few, or too many, where one for each rank is expected: nothing beyond them is read or forgotten."""
    for count in (size - 1, size + 1):
        parts, words = [torch.zeros(2) for _ in range(count)], f"{count} parts; expected one for each of {size} ranks"
        whole = torch.zeros(2 * count)
        for call in (lambda: dist.all_gather(parts, x), lambda: dist.reduce_scatter(x, parts),
                     lambda: dist.gather(x, parts, dst=dist.get_rank()),
                     lambda: dist.scatter(x, parts, src=dist.get_rank()),
                     lambda: dist.all_to_all(parts, [x] * size), lambda: dist.all_to_all([x] * size, parts),
                     lambda: dist.all_to_all_single(whole, whole, [2] * count, [2] * count)):
            expect(ValueError, words, call)
    whole = torch.zeros(2 * size)
    for splits, words in (([3] * size, f"and a tensor of {2 * size}"), ([-2] + [4] * (size - 1), "none below 0")):
        expect(ValueError, words, lambda: dist.all_to_all_single(whole, whole, splits, [2] * size))
        expect(ValueError, words, lambda: dist.all_to_all_single(whole, whole, [2] * size, splits))
    for given in (), ([1] * size, [1] * size):
        expect(ValueError, "Tensors must be contiguous", lambda: dist.all_to_all_single(torch.zeros(size), whole[::2], *given))
    uneven = torch.zeros(2 * size + 1)
    expect(ValueError, "split evenly", lambda: dist.all_to_all_single(uneven, whole, None, [2] * size))


def sent_and_expected_differ():
    """Parts that are longer, or shorter, than their receiver expects are refused on all ranks, and nothing is moved."""
    rank, size = dist.get_rank(), dist.get_world_size()
    for sent, expected in ((3, 2), (2, 3), (0, 1)):
        words = f"rank 0 sends {sent} elements to rank 1, which expects {expected}; expected the same of both"
        in_splits, out_splits = [2] * size, [2] * size
        if rank == 0:
            in_splits[1] = sent
        if rank == 1:
            out_splits[0] = expected
        into = torch.full((sum(out_splits),), -1.0)
        outs = list(into.split(out_splits))
        for call in (lambda: dist.all_to_all_single(into, torch.ones(sum(in_splits)), out_splits, in_splits),
                     lambda: dist.all_to_all(outs, [torch.ones(count) for count in in_splits]),
                     lambda: dist.all_to_all(outs, [torch.ones(count) for count in in_splits], async_op=True).wait()):
            expect(muster.torch.MismatchError, words, call)
            assert (into == -1).all()
    dist.all_reduce(x := torch.ones(1))
    assert x == size


def asynchronous():
    """Many at once; futures, with what hangs on them; and a collective beside messages, in any order of the ranks."""
    rank = dist.get_rank()
    tensors = [torch.full((i * 1000 + 1,), 1.0) for i in range(20)]
    works = [dist.all_reduce(tensor, async_op=True) for tensor in tensors]
    dist.all_reduce(last := torch.ones(1))  # waits for its turn
    assert all((tensor == SIZE).all() for tensor in tensors) and last == SIZE
    for work in reversed(works):
        assert work.wait() and work.is_completed() and work.is_success()
    future = dist.all_reduce(torch.ones(2), async_op=True).get_future()
    more = future.then(lambda done: dist.all_reduce(done.value()[0], async_op=True).get_future().wait()[0])
    assert (more.wait() == SIZE * SIZE).all()
    x, y = torch.ones(1), torch.full((1,), float(rank))
    if rank == 0:
        work = dist.all_reduce(x, async_op=True)
        for other in range(1, SIZE):
            dist.send(y, other)
    else:
        dist.recv(y, 0)
        work = dist.all_reduce(x, async_op=True)
    work.wait()
    assert x == SIZE and y == 0


def two_groups():
    """Operations of two groups, begun in the opposite order by two ranks."""
    groups = [dist.new_group(range(SIZE)) for _ in range(2)]
    order = groups if dist.get_rank() % 2 else groups[::-1]
    tensors = [torch.ones(1 << 16) for _ in order]
    for work in [dist.all_reduce(x, group=group, async_op=True) for x, group in zip(tensors, order)]:
        work.wait()
    assert all((x == SIZE).all() for x in tensors)


class Collectives(unittest.TestCase):
    def test_what_gloo_comes_to(self):
        for body in (combine_and_move, exchange):
            for rank, (ours, theirs) in enumerate(zip(values(SIZE, body), values(SIZE, body, backend="gloo"))):
                self.assert_same(ours, theirs, f"{body.__name__}, rank {rank}")

    def assert_same(self, ours, theirs, where):
        if isinstance(ours, torch.Tensor):
            self.assertTrue(ours.dtype == theirs.dtype and torch.equal(ours, theirs), f"{where}: {ours}, {theirs}")
        elif isinstance(ours, dict):
            for key in theirs:
                self.assert_same(ours[key], theirs[key], f"{where}: {key}")
        elif isinstance(ours, (list, tuple)):
            for own, other in zip(ours, theirs, strict=True):
                self.assert_same(own, other, where)
        else:
            self.assertEqual(ours, theirs, where)

    def test_what_gloo_does_not_move(self):
        values(SIZE, move_what_gloo_does_not)

    def test_orders_of_elements(self):
        values(SIZE, orders_of_elements)

    def test_8_bit_floats(self):
        values(2, eights)

    def test_coalesced(self):
        values(SIZE, coalesced)

    def test_refused(self):
        values(SIZE, refused)

    def test_sent_and_expected_differ(self):
        values(SIZE, sent_and_expected_differ)

    def test_asynchronous(self):
        for _ in range(3):
            values(SIZE, asynchronous)

    def test_two_groups(self):
        values(SIZE, two_groups)

    def test_one_rank(self):
        values(1, lambda: dist.all_reduce(torch.ones(2), async_op=True).wait())


if __name__ == "__main__":
    unittest.main()
