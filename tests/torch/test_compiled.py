"""What only the backend in C++ has: any source, coalescing, sparse tensors, limits of single calls, abort, split, events of
profilers, errors in parts; and operations that really go on beside the program."""

import datetime
import os
import signal
import threading
import unittest

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as functional

import muster.torch
from torch_ranks import expect, run, values

CPU = torch.device("cpu")


def backend(group=None):
    return (group or dist.group.WORLD)._get_backend(CPU)


def any_source():
    rank, size = dist.get_rank(), dist.get_world_size()
    if rank == 0:
        seen = set()
        for _ in range(2 * (size - 1)):
            seen.add((dist.recv(x := torch.zeros(1)), int(x)))
        assert seen == {(peer, 10 * peer + i) for peer in range(1, size) for i in range(2)}, seen
        work = dist.irecv(x)
        dist.barrier()
        work.wait()
        assert x == 7 and work._source_rank() == 1
    else:
        for i in range(2):
            dist.send(torch.tensor([10.0 * rank + i]), 0)
        dist.barrier()
        if rank == 1:
            dist.send(torch.tensor([7.0]), 0)


def coalesced_messages():
    """A batch of sends and receives is one work."""
    rank, size = dist.get_rank(), dist.get_world_size()
    x, y = torch.full((1 << 18,), float(rank)), torch.zeros(1 << 18)
    works = dist.batch_isend_irecv([dist.P2POp(dist.isend, x, (rank + 1) % size),
                                    dist.P2POp(dist.irecv, y, (rank - 1) % size)])
    assert len(works) == 1
    works[0].wait()
    assert (y == (rank - 1) % size).all() and works[0].is_completed()


def sparse():
    """Results of this backend; those of gloo must be the same."""
    rank, results = dist.get_rank(), []
    for shape in ((5,), (4, 3)):
        dense = torch.zeros(shape)
        dense[rank] = 1.5 + rank
        dense[3] = 0.1 * rank
        for tensor in (dense.to_sparse(1), torch.sparse_coo_tensor(torch.empty(1, 0), torch.empty(0, *shape[1:]), shape)):
            dist.all_reduce(tensor)
            results.append(tensor.to_dense())
    return results


def limits_of_calls():
    """A limit of one call, in a group that has none; of a started one it ends the group, of wait() only the wait."""
    group, store = dist.new_group(), dist.distributed_c10d._get_default_store()
    options = dist.AllreduceOptions()
    options.timeout, options.asyncOp = datetime.timedelta(seconds=0.2), False
    if dist.get_rank() == 0:
        work = dist.all_reduce(x := torch.ones(1), async_op=True)
        expect(muster.torch.TimedOutError, "waited 0.1 s for all_reduce, which goes on",
               lambda: work.wait(datetime.timedelta(seconds=0.1)))
        expect(muster.torch.TimedOutError, "0.2 s", lambda: group.allreduce([torch.ones(1)], options))
        store.set("waited", "1")
        work.wait()
    else:
        store.wait(["waited"])
        dist.all_reduce(x := torch.ones(1))
    assert x == 2


def named_as_gloo_is():
    """What PyTorch says of groups of gloo's: their options, and the backend's name in DDP's log."""
    group = dist.new_group(timeout=datetime.timedelta(seconds=50))
    assert backend(group).options._timeout == datetime.timedelta(seconds=50)
    backend(group)._set_default_timeout(datetime.timedelta(seconds=23))
    assert backend(group).options._timeout == datetime.timedelta(seconds=23)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
    return model._get_ddp_logging_data()["backend_name"]


def monitored_barrier():
    store = dist.distributed_c10d._get_default_store()
    dist.monitored_barrier()
    if dist.get_rank() == 0:
        text = expect(muster.torch.TimedOutError, "0.2 s in barrier",
                      lambda: dist.monitored_barrier(timeout=datetime.timedelta(seconds=0.2)))
        assert "rank 1" in text, text
        store.set("gave up", "1")
        store.wait(["seen"])
    else:
        store.wait(["gave up"])
        store.set("seen", "1")
    os._exit(7)


def aborted():
    """abort() ends what waits in any thread, here and on other ranks."""
    group = dist.new_group()
    if dist.get_rank() == 0:
        work, message = dist.all_reduce(torch.ones(1), group=group, async_op=True), dist.irecv(torch.ones(1), 1, group)
        threading.Timer(0.1, backend(group).abort).start()
        for each in (work, message):
            expect(muster.torch.AbortedError, "abort() of the process group", each.wait)
    else:
        expect(muster.torch.AbortedError, "abort() of the process group", lambda: dist.recv(torch.ones(1), 0, group))
    dist.barrier()


def split():
    """Of the ranks that are named; made by these alone."""
    rank = dist.get_rank()
    if rank == 1:
        return
    part = dist.group.WORLD.split_group([0, 2], device_types=[CPU])
    assert (part.rank(), part.size()) == (rank // 2, 2)
    part.allreduce([x := torch.tensor([1.0 + rank])]).wait()
    assert x == 4
    part.send([x], 1, 0).wait() if rank == 0 else part.recv([x], 0, 0).wait()


def uneven():
    """Parts that are of one length on all ranks, and of different lengths among themselves."""
    rank, size = dist.get_rank(), dist.get_world_size()
    parts = [torch.zeros(i + 1) for i in range(size)]
    dist.all_gather(parts, torch.full((rank + 1,), float(rank)))
    assert all((part == i).all() for i, part in enumerate(parts))
    dist.reduce_scatter(x := torch.zeros(rank + 1), [torch.full((i + 1,), float(i)) for i in range(size)])
    assert (x == size * rank).all()


def beside():
    """What is started is done by this rank's thread while the program waits for something else of the other rank's."""
    rank, store = dist.get_rank(), dist.distributed_c10d._get_default_store()
    for elements in (1, 1 << 20):
        x, y = torch.ones(elements), torch.zeros(elements)
        works = [dist.all_reduce(x, async_op=True), dist.isend(torch.full((elements,), 1.0 + rank), 1 - rank),
                 dist.irecv(y, 1 - rank)]
        futures = [work.get_future() for work in works]
        done = threading.Event()
        futures[0].add_done_callback(lambda _: done.set())
        if rank == 0:
            assert done.wait(60)  # though nobody waits for the work
            store.set(f"done {elements}", "1")
        else:
            store.wait([f"done {elements}"])
        for future in futures:
            future.wait()
        assert (x == 2).all() and (y == 2 - rank).all()


def events():
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        x = torch.ones(4)
        dist.all_reduce(x)
        dist.broadcast(x, 0, async_op=True).wait()
        dist.all_gather([torch.zeros(4) for _ in range(2)], x)
        dist.barrier()
        (dist.send if dist.get_rank() else dist.recv)(x, 1 - dist.get_rank())
    names = {event.name for event in seen.events()}
    wanted = {f"muster:{name}" for name in ("all_reduce", "broadcast", "all_gather", "barrier")}
    assert wanted <= names, names
    assert names & {"muster:send", "muster:recv"}, names


def callbacks():
    """One that waits for an operation of its own delays neither the serial queue nor other callbacks."""
    store, order = dist.distributed_c10d._get_default_store(), []
    for rank in range(2):  # the other one begins later: a callback of what is over already would run here
        if rank != dist.get_rank():
            store.wait([f"rank {rank} has a callback"])
            x = torch.ones(1)
            dist.all_reduce(x)
            dist.all_reduce(x)
            continue
        first = dist.all_reduce(torch.ones(1), async_op=True).get_future()
        other = first.then(lambda done: dist.all_reduce(done.value()[0].clone(), async_op=True).get_future()
                           .then(lambda more: order.append(threading.get_ident()) or more.value()[0]).wait())
        store.set(f"rank {rank} has a callback", "1")
        assert other.wait() == 4 and order and threading.get_ident() not in order


def in_parts():
    rank = dist.get_rank()
    if rank == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        functional.all_reduce(torch.ones(2), "sum", dist.group.WORLD).sum().item()
    except dist.DistBackendError as error:
        parts = error.rank, error.signal, error.status, error.operation
        assert parts == (2, 9, "peer died", "all_sum") and isinstance(error, muster.PeerDiedError), parts
        os._exit(7)


class Compiled(unittest.TestCase):
    def test_any_source(self):
        values(3, any_source)

    def test_coalesced_messages(self):
        values(3, coalesced_messages)

    def test_sparse(self):
        ours, gloos = values(2, sparse), values(2, sparse, backend="gloo")
        for one, other in zip(sum(ours, []), sum(gloos, [])):
            self.assertTrue(torch.equal(one, other), (one, other))

    def test_limits_of_calls(self):
        values(2, limits_of_calls)

    def test_named_as_gloo_is(self):
        for name in "muster", "gloo":
            self.assertEqual(values(2, named_as_gloo_is, backend=name), [name] * 2)

    def test_monitored_barrier(self):
        ends = run(2, monitored_barrier)
        self.assertEqual([end.status for end in ends], [7, 7], ends)

    def test_aborted(self):
        values(2, aborted)

    def test_split(self):
        values(3, split)

    def test_uneven(self):
        values(3, uneven)

    def test_beside(self):
        values(2, beside)

    def test_events(self):
        values(2, events)

    def test_callbacks(self):
        values(2, callbacks)

    def test_in_parts(self):
        ends = run(3, in_parts)
        self.assertEqual([end.status for end in ends[:2]], [7, 7], ends)


if not muster.torch.is_compiled:
    del Compiled

if __name__ == "__main__":
    unittest.main()
