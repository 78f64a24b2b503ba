"""Operators, torch.ops.muster: right, also compiled; a group by its handle, which ends with it; refusals in words."""

import os
import secrets
import signal
import threading
import unittest

import torch
import torch.distributed as dist
from torch._subclasses import FakeTensorMode

import muster
import muster.torch
from torch_ranks import attached, expect, run, values

ops = torch.ops.muster
REDUCED = [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int8, torch.int32, torch.int64, torch.uint8,
           torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2]


def mine(dtype=torch.float32, shape=(12, 3), rank=None):
    """Numbers of a rank that every dtype has, and whose sums it has."""
    rank = dist.get_rank() if rank is None else rank
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 7 + rank) % 5).reshape(shape).to(torch.float32).to(dtype)


def all_of(dtype=torch.float32, shape=(12, 3)):
    return [mine(dtype, shape, rank) for rank in range(dist.get_world_size())]


def equal_everywhere(x):
    every = [torch.empty_like(x) for _ in range(dist.get_world_size())]
    dist.all_gather(every, x.contiguous())
    return all(torch.equal(x.view(torch.uint8), one.view(torch.uint8)) for one in every)


def right():
    """Of every dtype, in a process group and in a muster.Group; the bits of the backend."""
    size, group = dist.get_world_size(), attached()
    for handle in (muster.torch.handle(), muster.torch.handle(group)):
        for dtype in REDUCED:
            x, wanted = mine(dtype), mine(dtype)
            dist.all_reduce(wanted)
            assert ops.all_reduce_(x, handle) is None
            assert torch.equal(x.view(torch.uint8), wanted.view(torch.uint8)), dtype
            assert equal_everywhere(x), dtype
            part = ops.reduce_scatter(mine(dtype, (4 * size, 3)), handle, size)
            whole = mine(dtype, (4 * size, 3))
            dist.all_reduce(whole)
            assert torch.equal(part.view(torch.uint8), whole.view(torch.uint8).chunk(size)[dist.get_rank()]), dtype
        for dtype in [*REDUCED, torch.bool, torch.float8_e8m0fnu]:
            assert torch.equal(ops.all_gather(mine(dtype), handle, size).view(torch.uint8),
                               torch.cat([x.view(torch.uint8) for x in all_of(dtype)])), dtype
            x = mine(dtype)
            assert ops.broadcast_(x, handle, size - 1) is None
            assert torch.equal(x.view(torch.uint8), mine(dtype, rank=size - 1).view(torch.uint8)), dtype
        assert ops.all_gather(torch.tensor(2.5), handle, size).tolist() == [2.5] * size
        assert ops.all_gather(torch.empty(0, 3), handle, size).shape == (0, 3)


def others():
    """Out of place, into a tensor, to one rank and from one; in a process group and in a muster.Group."""
    rank, size, group = dist.get_rank(), dist.get_world_size(), attached()
    for handle in (muster.torch.handle(), muster.torch.handle(group)):
        x, total, root = mine(), sum(all_of()), size - 1
        assert torch.equal(ops.all_reduce(x, handle), total) and torch.equal(x, mine())
        assert torch.equal(ops.broadcast(x, handle, root), mine(rank=root)) and torch.equal(x, mine())
        ops.reduce_(y := mine(), handle, root)
        assert torch.equal(y, total if rank == root else mine())
        ops.all_gather_into(y := torch.empty(3, 12 * size).t(), x, handle)
        assert torch.equal(y, torch.cat(all_of()))
        ops.reduce_scatter_into(y := torch.empty(12, 3), torch.cat([x] * size), handle, "max")
        assert torch.equal(y, torch.stack(all_of()).amax(0))
        blocks = torch.arange(2.0 * size).reshape(size, 2) + 100 * rank
        assert torch.equal(ops.all_to_all(blocks, handle, size),
                           torch.stack([torch.arange(2.0) + 2 * rank + 100 * other for other in range(size)]))
        y = torch.empty(12 * size, 3) if rank == root else None
        ops.gather_into(y, x, handle, root)
        assert rank != root or torch.equal(y, torch.cat(all_of()))
        ops.scatter_into(y := torch.empty(12, 3), torch.cat(all_of()) if rank == root else None, handle, root)
        assert torch.equal(y, x)
        for many in (3, 1 << 18):
            if rank == 0:
                ops.send(torch.ones(many), handle, 1, 7)
            elif rank == 1:
                ops.recv_(y := torch.zeros(many), handle, 0, 7)
                assert (y == 1).all()


def reductions():
    handle, x = muster.torch.handle(), mine() + 1
    every = torch.stack([each + 1 for each in all_of()])
    for op, wanted in {"sum": every.sum(0), "avg": every.mean(0), "product": every.prod(0), "min": every.amin(0),
                       "max": every.amax(0)}.items():
        ops.all_reduce_(y := x.clone(), handle, op)
        torch.testing.assert_close(y, wanted)
    ops.all_reduce_(y := torch.tensor([1 << dist.get_rank()]), handle, "bor")
    assert y == (1 << dist.get_world_size()) - 1


def views():
    """Tensors that are not in C order, and those with conjugate or negative bit: as if they were."""
    handle, size = muster.torch.handle(), dist.get_world_size()
    whole = mine()
    ops.all_reduce_(whole.t()[1:, ::2], handle)
    wanted = mine()
    wanted.t()[1:, ::2] = sum(x.t()[1:, ::2] for x in all_of())
    assert torch.equal(whole, wanted)
    assert torch.equal(ops.all_gather(mine().t(), handle, size), torch.cat([x.t() for x in all_of()]))
    z = torch.tensor([1 + 2j, 3 - 1j]) * (dist.get_rank() + 1)
    times = size * (size + 1) / 2
    conjugate = z.clone().conj()
    ops.all_reduce_(conjugate, handle)
    assert torch.equal(conjugate, torch.tensor([1 - 2j, 3 + 1j]) * times), conjugate
    negative = torch._neg_view(torch.ones(3))
    ops.all_reduce_(negative, handle)
    assert torch.equal(negative, torch.full((3,), -float(size))), negative


def in_order():
    """After what has been started in the group, and before what comes later."""
    handle, x = muster.torch.handle(), torch.ones(1 << 16)
    size = dist.get_world_size()
    for step in range(20):
        work = dist.all_reduce(x, async_op=True)
        ops.all_reduce_(x, handle)
        assert work.is_completed() and (x == size ** 2).all(), (step, x)
        x.fill_(1)


def bump():
    """Autograd is told what has been written over."""
    handle = muster.torch.handle()
    a = torch.ones(3, requires_grad=True)
    saved = torch.ones(3)
    y = a * saved
    ops.all_reduce_(saved, handle)
    expect(RuntimeError, "modified by an inplace operation", y.sum().backward)


def compiled(backend, shapes):
    handle, size = muster.torch.handle(), dist.get_world_size()

    def step(x):
        y = x * 2
        ops.all_reduce_(y, handle)
        everything = ops.all_gather(y + 1, handle, size)
        part = ops.reduce_scatter(everything, handle, size, "max")
        ops.broadcast_(part, handle, 0)
        swapped = ops.all_to_all(ops.all_reduce(everything.flatten(), handle), handle, size)
        return part, y, swapped, ops.broadcast(swapped, handle, 1)

    compiled_step = torch.compile(step, fullgraph=True, backend=backend)
    for rows in shapes:
        x = mine(shape=(rows, 3))
        for wanted, got in zip(step(x.clone()), compiled_step(x.clone())):
            assert torch.equal(wanted, got), (backend, rows, wanted, got)


def alone():
    group = muster.attach(f"/muster-test-{secrets.token_hex(8)}", 0, 1)
    return group, muster.torch.handle(group)


def many_handles():
    """More than are found without a lock; memory of those that have ended serves others, which the old numbers miss."""
    x, kept = torch.ones(3), [alone() for _ in range(70)]
    for handle in [handle for _, handle in kept] * 2:
        ops.all_reduce_(x, handle)
    ended = [kept.pop()[1] for _ in range(35)]
    kept += [alone() for _ in range(35)]
    for handle in ended:
        expect(ValueError, "left or destroyed", lambda handle=handle: ops.all_reduce_(x, handle))
    for _, handle in kept:
        ops.all_reduce_(x, handle)
    assert (x == 1).all()


def ended_beside_threads():
    """Threads use numbers that end meanwhile and whose memory others get: they are right, or refused in words."""
    current, wrong, over = [], [], threading.Event()

    def use():
        x = torch.ones(3)
        while not over.is_set():
            for handle, used in current[:]:
                try:
                    ops.all_reduce_(x, handle)
                    used.set()
                except (muster.torch.Error, ValueError) as error:
                    if "left or destroyed" not in str(error) and "another thread" not in str(error):
                        wrong.append(error)
        wrong.extend([x] if (x != 1).any() else [])

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        group, handle = alone()
        current[:] = [*current[-2:], (handle, threading.Event())]
        current[-1][1].wait()
        del group
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]


def checked():
    """PyTorch's own checks of operators. Each rank does the same, so they meet."""
    handle, size = muster.torch.handle(), dist.get_world_size()
    x, whole, rank = mine(shape=(2 * size, 3)), mine(shape=(2 * size * size, 3)), dist.get_rank()
    for op, args in [
        (ops.all_reduce_, (x, handle)), (ops.all_reduce, (x, handle, "max")), (ops.reduce_, (x, handle, 0)),
        (ops.reduce_scatter_into, (x, whole, handle)), (ops.reduce_scatter, (x, handle, size)),
        (ops.broadcast_, (x, handle, 0)), (ops.broadcast, (x, handle, 0)), (ops.all_gather_into, (whole, x, handle)),
        (ops.all_gather, (x, handle, size)), (ops.all_to_all, (x, handle, size)),
        (ops.gather_into, (whole if rank == 0 else None, x, handle, 0)),
        (ops.scatter_into, (x, whole if rank == 0 else None, handle, 0)),
    ]:
        torch.library.opcheck(op.default, args)


def fake():
    """Shapes without elements, ranks or a group."""
    with FakeTensorMode():
        x = torch.empty(4, 3, dtype=torch.bfloat16)
        ops.all_reduce_(x, 999)
        assert ops.all_gather(x, 999, 8).shape == (32, 3) and ops.all_gather(x, 999, 8).dtype == torch.bfloat16
        assert ops.reduce_scatter(x, 999, 2).shape == (2, 3)
        assert ops.all_to_all(x, 999, 2).shape == ops.all_reduce(x, 999).shape == ops.broadcast(x, 999, 0).shape == (4, 3)
        expect(RuntimeError, "cannot be split along its first dimension among 3 ranks",
               lambda: ops.reduce_scatter(x, 999, 3))


def refused():
    handle, x = muster.torch.handle(), torch.ones(3)
    assert handle == muster.torch.handle(dist.group.WORLD)
    for number in (0, -1, handle + 100):
        expect(muster.torch.ArgumentError, f"group {number} is no handle of this process", lambda: ops.all_reduce_(x, number))
    expect(ValueError, "'mean'; expected 'sum'", lambda: ops.all_reduce_(x, handle, "mean"))
    expect(NotImplementedError, "AVG of torch.int32", lambda: ops.all_reduce_(x.int(), handle, "avg"))
    expect(NotImplementedError, "muster cannot reduce torch.float8_e8m0fnu",
           lambda: ops.all_reduce_(x.to(torch.float8_e8m0fnu), handle))
    expect(ValueError, "size is 7, and the group has 2", lambda: ops.all_gather(x, handle, 7))
    expect(ValueError, "[3] cannot be split along its first dimension among 2", lambda: ops.reduce_scatter(x, handle, 2))
    expect(ValueError, "invalid root rank: 2", lambda: ops.broadcast_(x, handle, 2))
    expect(ValueError, "all_gather: the tensor of all ranks is float32 x 3; expected float32 x 6",
           lambda: ops.all_gather_into(x, x, handle))
    expect(ValueError, "gather: out is ", lambda: ops.gather_into(torch.ones(6) if dist.get_rank() else None, x, handle, 0))
    expect(ValueError, "send: tag -1", lambda: ops.send(x, handle, 0, -1))
    expect(NotImplementedError, "SparseCPU", lambda: ops.all_reduce_(x.to_sparse(), handle))
    expect(TypeError, "expected a muster.Group", lambda: muster.torch.handle("tp"))
    expect(NotImplementedError, "muster::all_reduce_ has no gradient", lambda: ops.all_reduce_(x.requires_grad_(), handle))
    expect(NotImplementedError, "muster::all_gather has no gradient", lambda: ops.all_gather(x, handle, 2))
    expect(NotImplementedError, "muster::scatter_into has no gradient",
           lambda: ops.scatter_into(torch.empty(3), x, handle, 0))
    with torch.no_grad():
        ops.all_reduce_(x, handle)
    other = dist.new_group(backend="gloo")
    expect(TypeError, "the backend is not muster's", lambda: muster.torch.handle(other))


def ended():
    """A handle ends with its group, and none has its number again."""
    x, group, part = torch.ones(3), attached(), dist.new_group()
    of_group, of_part = muster.torch.handle(group), muster.torch.handle(part)
    assert muster.torch.handle(group) == of_group
    ops.all_reduce_(x, of_group)
    ops.all_reduce_(x, of_part)
    dist.barrier()
    with group:
        pass
    dist.destroy_process_group(part)
    for handle in (of_group, of_part):
        expect(ValueError, f"group {handle} is the handle of a group that has been left or destroyed",
               lambda: ops.all_reduce_(x, handle))
    group = attached()
    again = muster.torch.handle(group)
    assert again > max(of_group, of_part)
    ops.all_reduce_(x, again)
    dist.barrier()
    del group
    expect(ValueError, "left or destroyed", lambda: ops.all_reduce_(x, again))


def dropped_beside_an_operator():
    """The last reference goes while a thread is in an operator, which goes on; then the rank has left."""
    group = attached()
    handle, x = muster.torch.handle(group), torch.ones(3)
    store = dist.distributed_c10d._get_default_store()

    def operate():
        while True:
            try:
                return ops.all_reduce_(x, handle)
            except muster.torch.Error as error:
                assert "another thread" in str(error), error  # set_timeout below was there first

    if dist.get_rank() == 0:
        other = threading.Thread(target=operate)
        other.start()
        while True:
            try:
                group.set_timeout(30)
            except muster.Error:
                break  # busy: the thread is in it
        expect(muster.torch.Error, "an operator of torch.ops.muster is under way", group.__exit__)
        del group
        expect(ValueError, "left or destroyed", lambda: ops.all_reduce_(x, handle))
        store.set("dropped", "1")
        other.join()
        assert (x == 2).all()
    else:
        store.wait(["dropped"])
        ops.all_reduce_(x, handle)
        assert (x == 2).all()
        expect(muster.torch.PeerDiedError, "rank 0 left the group", lambda: ops.all_reduce_(x, handle))


def forked():
    x, group = torch.ones(3), attached()
    handles = muster.torch.handle(), muster.torch.handle(group)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            for handle in handles:
                text = expect(muster.torch.Error, "has forked this one", lambda: ops.all_reduce_(x, handle))
                assert f"group {handle}" in text
            alone = muster.attach(f"/muster-test-{secrets.token_hex(8)}", 0, 1)
            own = muster.torch.handle(alone)
            assert own not in handles
            ops.all_reduce_(x, own)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    ops.all_reduce_(x, handles[1])


def dead(of_group, compiles):
    group = attached() if of_group else None
    handle, x = muster.torch.handle(group), torch.ones(3)

    def step(x):
        ops.all_reduce_(x, handle)

    if compiles:
        step = torch.compile(step, fullgraph=True, backend="aot_eager")
    step(x)
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        step(x)
    except dist.DistBackendError as error:
        assert isinstance(error, muster.PeerDiedError) and type(error) is muster.torch.PeerDiedError
        assert (error.rank, error.signal, error.operation) == (1, signal.SIGKILL, "all_sum"), vars(error)
        raise


class Operators(unittest.TestCase):
    def test_right_at_2_ranks(self):
        values(2, right)

    def test_right_at_3_ranks(self):
        values(3, right)

    def test_right_at_4_ranks(self):
        values(4, right)

    def test_others(self):
        for size in (2, 3):
            values(size, others)

    def test_reductions(self):
        values(3, reductions)

    def test_views(self):
        values(2, views)

    def test_order(self):
        values(2, in_order)

    def test_autograd_is_told(self):
        values(2, bump)

    def test_compiled(self):
        values(2, compiled, "aot_eager", (4, 5, 7))  # the second shape makes sizes symbols

    def test_compiled_by_inductor(self):
        values(2, compiled, "inductor", (4,))

    def test_many_handles(self):
        many_handles()

    def test_ended_beside_threads(self):
        ended_beside_threads()

    def test_checked_by_pytorch(self):
        values(2, checked)

    def test_fake(self):
        fake()

    def test_refused(self):
        values(2, refused)

    def test_ended(self):
        values(2, ended)

    def test_dropped(self):
        values(2, dropped_beside_an_operator)

    def test_forked(self):
        values(2, forked)

    def test_dead_rank(self):
        for of_group in (False, True):
            for compiles in (False, True):
                with self.subTest(of_group=of_group, compiles=compiles):
                    error = run(2, dead, of_group, compiles)[0].error
                    self.assertEqual(error.name, "PeerDiedError", error)
                    self.assertIn("rank 1 was killed by signal 9 (Killed)", error.message)


if __name__ == "__main__":
    unittest.main()
