"""Calls of the process group itself, with lists of tensors, whose meaning and refusals are gloo's: what PyTorch's
test_c10d_gloo.py asks of a backend, and gloo's answers beside ours."""

import unittest

import torch
import torch.distributed as dist

from torch.autograd import profiler
from torch.multiprocessing.reductions import StorageWeakRef

import muster.torch
from torch_ranks import expect, values

SIZE = 3
Op = dist.ReduceOp


def world():
    return dist.group.WORLD._get_backend(torch.device("cpu"))


def options(kind, **given):
    made = kind()
    for name, value in given.items():
        setattr(made, name, value)
    return made


def value_of(work):
    future = work.get_future()
    future.wait()
    return future.value()


def gathered():
    group, rank, results = world(), dist.get_rank(), []
    for each in (1, 2, 3):
        own = [torch.tensor([10 * rank + i]) for i in range(each)]
        outs = [[torch.tensor([-1]) for _ in range(each * SIZE)] for _ in own]
        results.append(value_of(group.allgather(outs, own)))
        results.append(outs)
    return results


def several():
    """Several tensors in one call."""
    group, rank, results = world(), dist.get_rank(), []
    for op in (Op.SUM, Op.PRODUCT, Op.MIN, Op.MAX, Op.BAND, Op.BOR, Op.BXOR):
        tensors = [torch.tensor([5 * rank + i + 1, 7]) for i in range(3)]
        results.append(value_of(group.allreduce(tensors, options(dist.AllreduceOptions, reduceOp=op))))
    for root in range(SIZE):
        for one in range(2):
            tensors = [torch.tensor([10.0 * rank + i]) for i in range(2)]
            given = options(dist.BroadcastOptions, rootRank=root, rootTensor=one)
            results.append(value_of(group.broadcast(tensors, given)))
    sparse = [torch.sparse_coo_tensor([[rank, i]], [1.0, 2.0], (5,)) for i in range(3)]
    results.append([tensor.to_dense() for tensor in value_of(group.allreduce(sparse))])
    twice = [torch.tensor([rank + 1])] * 2
    results.append(value_of(group.allreduce_coalesced(twice)))
    return results + gathered()


def refused():
    """Every refusal is a RuntimeError with gloo's words, and concerns one call."""
    group, rank, said = world(), dist.get_rank(), []
    x, wide, long = torch.zeros(1), torch.zeros(1, dtype=torch.float64), torch.zeros(2)
    sparse = [torch.sparse_coo_tensor([[0]], [1], (length,)) for length in (2, 4)]
    own, other = {"rootRank": rank}, {"rootRank": (rank + 1) % SIZE}

    def no(words, call):
        said.append(expect(RuntimeError, words, call))

    def all_reduce(*tensors, **given):
        return group.allreduce(list(tensors), options(dist.AllreduceOptions, **given))

    def broadcast(*tensors, rootTensor=0, **given):
        return group.broadcast(list(tensors), options(dist.BroadcastOptions, rootTensor=rootTensor, **given))

    def scatter(outs, lists, **given):
        return group.scatter(outs, lists, options(dist.ScatterOptions, **given))

    def gather(lists, ins, **given):
        return group.gather(lists, ins, options(dist.GatherOptions, **given))

    def reduce(*tensors, **given):
        return group.reduce(list(tensors), options(dist.ReduceOptions, **given))

    no("requires non-empty tensor list", lambda: all_reduce())
    no("invalid tensor type", lambda: all_reduce(x, wide))
    no("invalid tensor size", lambda: all_reduce(x, long))
    no("invalid tensor layout", lambda: all_reduce(x, sparse[0]))
    no("invalid tensor size", lambda: all_reduce(*sparse))
    no("invalid tensor type", lambda: all_reduce(sparse[0], sparse[0].double()))
    for shapes in ((2, 3), (3, 2)), ((1, 4), (4, 1)), ((2, 3), (6,)):
        shaped = [torch.zeros(shape) for shape in shapes]
        no("invalid tensor size", lambda: all_reduce(*shaped))
        no("invalid tensor size", lambda: broadcast(*shaped, **own))
        no("invalid tensor size", lambda: group.allgather([shaped * SIZE] * 2, shaped))
        no("invalid tensor size", lambda: group.allgather([[shaped[0]] * 2 * SIZE, shaped * SIZE], [shaped[0]] * 2))
    for op in (Op.PRODUCT, Op.MIN, Op.MAX):
        no("unsupported reduction operation", lambda: all_reduce(sparse[0], reduceOp=op))
    no("requires non-empty tensor list", lambda: group.allreduce_coalesced([]))
    no("tensors must all have the same type", lambda: group.allreduce_coalesced([x, wide]))
    no("invalid tensor layout at index", lambda: group.allreduce_coalesced([x, sparse[0]]))
    no("unsupported layout", lambda: group.allreduce_coalesced(sparse))
    for call in (broadcast, reduce):
        no("invalid root rank", lambda: call(x, rootRank=-1))
        no("invalid root rank", lambda: call(x, rootRank=SIZE))
        no("invalid root tensor", lambda: call(x, rootTensor=-1, **own))
        no("invalid root tensor", lambda: call(x, rootTensor=1, **own))
    no("invalid root tensor", lambda: broadcast(**own))
    no("invalid tensor type", lambda: broadcast(x, wide, **own))
    no("invalid tensor size", lambda: broadcast(x, long, **own))
    no("requires a single-element tensor list", lambda: reduce(x, x, **own))
    no("requires a single-element output tensor list", lambda: scatter([], [], **own))
    no("requires a single-element output tensor list", lambda: scatter([x, x], [], **own))
    no("requires a single-element input list", lambda: scatter([x], [], **own))
    no("requires a single-element input list", lambda: scatter([x], [[x] * SIZE] * 2, **own))
    no("requires empty input on non-root", lambda: scatter([x], [[x] * SIZE], **other))
    no("requires a single-element input tensor list", lambda: gather([], [], **own))
    no("requires a single-element input tensor list", lambda: gather([], [x, x], **own))
    no("requires a single-element output list", lambda: gather([], [x], **own))
    no("requires a single-element output list", lambda: gather([[x] * SIZE] * 2, [x], **own))
    no("requires empty output on non-root", lambda: gather([[x] * SIZE], [x], **other))
    for parts in (SIZE - 1, SIZE + 1):
        words = f"list size {parts}. {{}} list size should be {SIZE}"
        no("Incorrect input " + words.format("Input"), lambda: scatter([x], [[x] * parts], **own))
        no("Incorrect output " + words.format("Output"), lambda: gather([[x] * parts], [x], **own))
        no("invalid output tensor list", lambda: group.allgather([[x] * parts], [x]))
    for words, like in (("invalid tensor type", wide), ("invalid tensor size", long)):
        no(words, lambda: scatter([x], [[like] * SIZE], **own))
        no(words, lambda: gather([[like] * SIZE], [x], **own))
        no(words, lambda: group.allgather([[x] * 2 * SIZE] * 2, [x, like]))
        no(words, lambda: group.allgather([([x, like] * SIZE)[:SIZE]], [x]).wait())  # which fits on some of the ranks
    no("requires non-empty input tensor list", lambda: group.allgather([], []))
    for lists in ([], [[x] * SIZE] * 2):
        no("requires input/output tensor lists to have the same length", lambda: group.allgather(lists, [x]))
    each = [[torch.zeros(1)] for _ in range(SIZE)]
    for words, first in (("invalid size of output tensor at index 0", torch.zeros(0)),
                         ("invalid tensor type at index 0", wide)):
        no(words, lambda: dist.all_gather_coalesced([[first], *each[1:]], [x]))
    no("output lists should be equal to world size", lambda: dist.all_gather_coalesced([*each, [x]], [x]))
    dist.all_reduce(one := torch.ones(1))
    assert one == SIZE
    return said


def in_inference_mode():
    """Tensors that are made so may be written in that mode only, which is a thread's."""
    with torch.inference_mode():
        return gathered()


def refused_here():
    """Tensors that gloo does not get as far as refusing, and what PyTorch cannot combine, each in the call."""
    group, parts = world(), [torch.zeros(2) for _ in range(SIZE)]
    for words, own in (("this one is on meta", torch.zeros(2, device="meta")),
                       ("torch.sparse_coo", torch.zeros(2).to_sparse()),
                       ("torch.sparse", torch.zeros(1, 2).to_sparse_csr())):
        expect(NotImplementedError, words, lambda: group.allgather([parts], [own]))
    for dtype in torch.uint16, torch.uint32:
        several = [torch.ones(2, dtype=dtype)] * 2
        expect(NotImplementedError, "cannot combine several tensors", lambda: group.allreduce(several))
        dist.all_reduce(several[0])
        assert several[0].tolist() == [SIZE, SIZE]


def is_seen_by_autograd(call):
    """Whether a tensor that was saved for a gradient and is written by the call is an error of backward()."""
    saved = torch.ones(4, 2, requires_grad=True) * 3
    used = saved * saved
    call(saved.detach())
    try:
        used.sum().backward()
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error), error
        return True
    return False


def saved_and_written():
    group, rank = world(), dist.get_rank()

    def lists(x, each=1):
        return [[x, *(torch.zeros_like(x) for _ in range(each * SIZE - 1))] for _ in range(each)]

    def like(x):
        return torch.ones_like(x)

    return [is_seen_by_autograd(call) for call in (
        lambda x: dist.all_gather(lists(x)[0], like(x)),
        lambda x: dist.all_gather(lists(x)[0], like(x), async_op=True).wait(),
        lambda x: dist.gather(like(x), None if rank else lists(x)[0]),
        lambda x: group.allgather(lists(x, 2), [like(x)] * 2).wait(),
        lambda x: group.broadcast([like(x), x]).wait(),
        lambda x: group.allreduce_coalesced([like(x), x]).wait(),
        lambda x: dist.all_gather_single(x[:SIZE], like(x[:1])),
        lambda x: dist.all_gather_single(x[:SIZE], like(x[:1]), async_op=True).wait(),
        lambda x: dist.reduce_scatter_single(x, torch.ones(4 * SIZE, 2)),
        lambda x: dist.reduce_scatter_single(x, torch.ones(4 * SIZE, 2), async_op=True).wait(),
        lambda x: dist.reduce_scatter(x, [like(x)] * SIZE))]


def saved_and_written_here():
    """What gloo does not do."""
    def transposed(x):
        return x.t()

    def like(x):
        return torch.ones_like(x)

    return [is_seen_by_autograd(call) for call in (
        lambda x: dist.all_to_all([x, *(like(x) for _ in range(SIZE - 1))], [like(x)] * SIZE),
        lambda x: dist.all_reduce(transposed(x)),
        lambda x: dist.broadcast(transposed(x), 0),
        lambda x: world().allreduce([like(x), x]).wait())]


def coalesced():
    """Tensors that share memory in one call, in some ranks only, and of any shapes."""
    rank, results = dist.get_rank(), []
    for shares in range(SIZE + 1):
        base, other = torch.arange(12.0) + rank, torch.arange(4.0)
        if rank < shares:
            tensors = [base[:4], base[2:6], base[:4], base[6:10], torch.zeros(0), base[11:]]
        else:
            tensors = [other, other.clone() + 1, other.clone(), base[6:10], torch.zeros(0), base[:1]]
        results.append(value_of(world().allreduce_coalesced(tensors)))
        results.append([base, other])
    return results


def copied_by_coalesced():
    """What all_reduce_coalesced copies: only what shares memory, or is not in C order."""
    apart, copies = [torch.ones(1000) for _ in range(4)], []
    for tensors in apart, [apart[0], apart[0]], [apart[0][::2]]:
        with profiler.profile() as seen:
            dist.all_reduce_coalesced(tensors)
        copies.append(sum(event.name in ("aten::copy_", "aten::cat") for event in seen.function_events))
    return copies


def started_with_different_lengths():
    """Refused in the call, as gloo refuses it, also in a block of several operations; others go on."""
    rank, cpu = dist.get_rank(), torch.device("cpu")
    parts, one = [torch.zeros(length) for length in range(SIZE)], torch.ones(1)
    refused = "invalid tensor size: a started call with parts of different lengths"
    expect(ValueError, refused, lambda: dist.all_gather(parts, torch.ones(rank), async_op=True))
    expect(ValueError, refused, lambda: world().allgather([parts], [torch.ones(rank)]))
    dist.group.WORLD._start_coalescing(cpu)
    expect(ValueError, refused, lambda: dist.all_gather(parts, torch.ones(rank), async_op=True))
    dist.all_reduce(one, async_op=True)
    dist.group.WORLD._end_coalescing(cpu).wait()
    assert [part.tolist() for part in parts] == [[], [0], [0, 0]] and one == SIZE


def future_of_a_block():
    """All outputs, those of lists of lists, too."""
    rank, cpu = dist.get_rank(), torch.device("cpu")
    parts, one = [[torch.zeros(1) for _ in range(2 * SIZE)] for _ in range(2)], torch.ones(1)
    dist.group.WORLD._start_coalescing(cpu)
    world().allgather(parts, [torch.tensor([10.0 * rank]), torch.tensor([10.0 * rank + 1])])
    world().allreduce([one])
    outputs = value_of(dist.group.WORLD._end_coalescing(cpu))
    expected = [10.0 * i + j for i in range(SIZE) for j in range(2)]
    assert [int(output) for output in outputs] == [*expected, *expected, SIZE], outputs


def block_that_is_left():
    """By a refusal: what is called behind it is done, and its tensors are not kept."""
    cpu = torch.device("cpu")

    def block(device):
        with dist._coalescing_manager(device=device, async_ops=True):
            dist.all_reduce(torch.ones(1))
            dist.broadcast(torch.ones(1), SIZE)

    def batch():
        dist.batch_isend_irecv([dist.P2POp(dist.isend, torch.ones(1).to_sparse(), (dist.get_rank() + 1) % SIZE)])

    for leave in lambda: block(cpu), lambda: block(None), batch:
        expect((ValueError, NotImplementedError), "", leave)
        x = torch.ones(1)
        kept = StorageWeakRef(x.untyped_storage())
        dist.all_reduce(x)
        assert x == SIZE
        del x
        assert kept.expired()


def block_in_a_block():
    """Is refused, and the outer one goes on."""
    x = torch.ones(1)
    with dist._coalescing_manager(device=torch.device("cpu"), async_ops=True) as block:
        dist.all_reduce(x)

        def nest():
            with dist._coalescing_manager(device=torch.device("cpu")):
                pass

        expect((ValueError, RuntimeError), "", nest)
    block.wait()
    assert x == SIZE


def rows_in_another_order():
    """all_to_all_single of a view, which gloo refuses in the call; into one, which it does not."""
    x, rows = torch.arange(SIZE * SIZE).reshape(SIZE, SIZE) + dist.get_rank(), torch.zeros(SIZE, SIZE, dtype=torch.int64)
    for splits in (), ([1] * SIZE, [1] * SIZE):
        expect(ValueError, "Tensors must be contiguous", lambda: dist.all_to_all_single(rows, x.t(), *splits))
    dist.all_to_all_single(rows.t(), x)
    return rows


def done_beside(work):
    """Once the operation is done by the queue's thread, which is not in inference mode: whoever waits may do it."""
    while not work.is_completed():
        pass
    work.wait()


def combined_in_inference_mode():
    with torch.inference_mode():
        dense = [torch.ones(2, 3).t() for _ in range(2)]
        done_beside(world().allreduce(dense))
        done_beside(world().allreduce_coalesced([dense[0], dense[0], dense[1]]))
        tensor = torch.sparse_coo_tensor([[dist.get_rank(), 3]], [1.0, 2.0], (5,))
        done_beside(dist.all_reduce(tensor, async_op=True))
        several = [torch.sparse_coo_tensor([[1]], [1.0], (5,)) for _ in range(2)]
        done_beside(world().allreduce(several))
        return [dense, [made.to_dense() for made in (tensor, *several)]]


def of_different_lengths():
    """all_gather, which gloo refuses; what does not fit is an error on all ranks, before anything moves."""
    rank = dist.get_rank()
    parts = [torch.zeros(length) for length in range(SIZE)]
    dist.all_gather(parts, torch.full((rank,), float(rank)))
    assert [part.tolist() for part in parts] == [[], [1], [2, 2]]
    words = "rank 1 has 2 elements, and rank 0 expects 1"
    expect(muster.torch.MismatchError, words, lambda: dist.all_gather(parts, torch.ones(2 if rank == 1 else rank)))
    assert [part.tolist() for part in parts] == [[], [1], [2, 2]]
    group, parts = dist.new_group(), [torch.zeros(2 if rank == 1 and i == 2 else 1) for i in range(SIZE)]
    words = "all_gather: the parts of one rank's list are of different lengths, and those of another one's are not"
    text = expect(muster.torch.MismatchError, words, lambda: dist.all_gather(parts, torch.ones(1), group=group))
    assert "rank 1 called all_gather (uint64 x 4)" in text, text
    assert all((part == 0).all() for part in parts)


def refused_as_both():
    error = muster.torch.ArgumentError
    expect(error, "invalid root rank", lambda: world().broadcast(torch.ones(1), root=SIZE))
    expect(ValueError, "one for each", lambda: dist.all_gather([torch.ones(1)], torch.ones(1)))
    expect(RuntimeError, "one for each", lambda: dist.all_gather([torch.ones(1)], torch.ones(1)))


@unittest.skipUnless(muster.torch.is_compiled, "the backend in Python has one tensor in a call")
class Lists(unittest.TestCase):
    def test_several(self):
        for body in several, in_inference_mode, combined_in_inference_mode, coalesced:
            for ours, theirs in zip(values(SIZE, body), values(SIZE, body, backend="gloo")):
                for own, other in zip(ours, theirs, strict=True):
                    torch.testing.assert_close(own, other, rtol=0, atol=0)

    def test_refused(self):
        for ours, theirs in zip(values(SIZE, refused), values(SIZE, refused, backend="gloo")):
            self.assertEqual(len(ours), len(theirs))

    def test_refused_here(self):
        values(SIZE, refused_here)

    def test_seen_by_autograd(self):
        ours = values(SIZE, saved_and_written)
        self.assertEqual(ours, values(SIZE, saved_and_written, backend="gloo"))
        self.assertTrue(all(ours[0]), ours)
        self.assertEqual(values(SIZE, saved_and_written_here), [[True] * 4] * SIZE)

    def test_copied_by_coalesced(self):
        for none, shared, strided in values(SIZE, copied_by_coalesced):
            self.assertEqual(none, 0)
            self.assertTrue(shared and strided)

    def test_of_different_lengths(self):
        for body in of_different_lengths, started_with_different_lengths:
            values(SIZE, body)

    def test_blocks(self):
        for body in future_of_a_block, block_that_is_left, block_in_a_block:
            values(SIZE, body)

    def test_rows_in_another_order(self):
        for ours, theirs in zip(values(SIZE, rows_in_another_order), values(SIZE, rows_in_another_order, backend="gloo")):
            self.assertTrue(torch.equal(ours, theirs), (ours, theirs))

    def test_refused_as_both(self):
        values(2, refused_as_both)


if __name__ == "__main__":
    unittest.main()
