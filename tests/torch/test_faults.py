"""Faults: a dead rank, or one that does not come, is an error of muster's at the call or at wait(), wherever it is met."""

import datetime
import os
import signal
import time
import unittest

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as functional
import muster.torch
from torch_ranks import expect, run, values

COMPILED = muster.torch.is_compiled  # the backend in C++, which has no links
KILLED = "rank {} was killed by signal 9 (Killed)"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def ring(step_of_death):
    """torch_killed_stage: each sends to the next one, and rank 2 is killed on the way."""
    rank, size = dist.get_rank(), dist.get_world_size()
    x = torch.full((1000,), float(rank))
    for step in range(10):
        if rank == 2 and step == step_of_death:
            die()
        y = torch.full((1000,), -1.0)
        for work in [dist.isend(x, (rank + 1) % size), dist.irecv(y, (rank - 1) % size)]:
            work.wait()
        assert (y == (rank - 1) % size).all(), f"step {step}: {y[0]}, and no error"
    return "all steps"


def pipeline(elements):
    """Forward and backward through the stages, as 1F1B does; the last stage dies in the middle."""
    rank, size = dist.get_rank(), dist.get_world_size()
    for step in range(6):
        x, gradient = torch.ones(elements) * step, torch.zeros(elements)
        if rank > 0:
            dist.recv(x, rank - 1)
        if rank == size - 1 and step == 3:
            die()
        if rank < size - 1:
            dist.send(x, rank + 1)
            dist.recv(gradient, rank + 1)
        assert (x == step).all()
        if rank > 0:
            dist.send(x, rank - 1)
    return "all steps"


def wait_until_dead(pid):
    while os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().rsplit(")")[1].split()[0] != "Z":
        time.sleep(0.001)


def _pids():
    pids = [None] * dist.get_world_size()
    dist.all_gather_object(pids, os.getpid())
    return pids


def meet_the_dead(what, knows):
    """Rank 1 is dead, or about to be; `knows`: rank 0 acts only when it is."""
    pid = _pids()[1]
    if dist.get_rank() == 1:
        die()
    if knows:
        wait_until_dead(pid)
    x = torch.full((4,), -1.0)
    works = {
        "send": lambda: dist.send(x, 1),
        "isend": lambda: dist.isend(x, 1).wait(),
        "send much": lambda: dist.send(torch.ones(1 << 20), 1),
        "recv": lambda: dist.recv(x, 1),
        "irecv": lambda: dist.irecv(x, 1).wait(),
        "all_reduce": lambda: dist.all_reduce(x),
        "started": lambda: dist.all_reduce(x, async_op=True).wait(),
        "future": lambda: dist.all_reduce(x, async_op=True).get_future().wait(),
        "broadcast": lambda: dist.broadcast(x, 1),
        "barrier": lambda: dist.barrier(),
        "objects": lambda: dist.all_gather_object([None, None], 1),
        "functional": lambda: functional.all_reduce(x, "sum", dist.group.WORLD).sum().item(),
        "new_group": lambda: dist.new_group([0, 1]),
        "batch": lambda: [work.wait() for work in dist.batch_isend_irecv([dist.P2POp(dist.irecv, x, 1)])],
    }
    works[what]()
    return f"no error, {x}"


def backward():
    pid = _pids()[1]
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 4))
    model(torch.ones(2, 4)).sum().backward()
    if dist.get_rank() == 1:
        die()
    wait_until_dead(pid)
    model(torch.ones(2, 4)).sum().backward()
    return "no error"


def half_sent():
    """The other one dies with half of a message on its way; nothing of it is taken for whole."""
    x = torch.ones(1 << 22)
    if dist.get_rank() == 1:
        dist.isend(x, 0)
        die()
    dist.recv(x, 1)
    assert (x == 1).all()  # all of it was there
    dist.recv(x, 1)


def others_go_on():
    """A group without the dead works as before, after an error in the one with it."""
    rank = dist.get_rank()
    rest = dist.new_group([0, 1])
    dist.barrier()
    if rank == 2:
        die()
    try:
        dist.all_reduce(torch.ones(1))
    except dist.DistBackendError:
        pass
    x, y = torch.full((3,), float(rank)), torch.zeros(3)
    work = dist.isend(x, 1 - rank, group=rest)
    dist.recv(y, 1 - rank, group=rest)
    work.wait()
    dist.all_reduce(x, group=rest)
    assert (x == 1).all() and (y == 1 - rank).all()
    os._exit(7)  # the barrier of the world would fail


def who_has_left_is_not_needed():
    """Rank 2 ends in the ordinary way; the others' messages go on."""
    rank = dist.get_rank()
    for _ in range(50 if rank < 2 else 0):
        x, y = torch.ones(100), torch.zeros(100)
        work = dist.isend(x, 1 - rank)
        dist.recv(y, 1 - rank)
        work.wait()
    dist.destroy_process_group()


def late(what):
    """Rank 1 does not come until rank 0 has given up after the time that was given."""
    soon, first = datetime.timedelta(seconds=0.5), _pids()[0]
    group = dist.new_group([0, 1], timeout=soon) if what.startswith("of a group") else None
    if dist.get_rank() == 0:
        calls = {
            "init": lambda: dist.barrier(),
            "set": lambda: (dist.group.WORLD.set_timeout(soon), dist.barrier()),
            "of a group, barrier": lambda: dist.barrier(group),
            "of a group, started": lambda: dist.all_reduce(torch.ones(1), group=group, async_op=True).wait(),
            "of a group, recv": lambda: dist.recv(torch.ones(1), 1, group=group),
            "of a group, send": lambda: dist.send(torch.ones(1 << 22), 1, group=group),  # too long to be buffered
            "new_group": lambda: dist.new_group([0, 1], timeout=soon),
        }
        words = "1" if what == "new_group" else "0.5 s"
        expect(dist.DistBackendError if what != "new_group" else RuntimeError, words, calls[what])
        if what in ("init", "set"):
            os._exit(7)
    elif what in ("init", "set"):
        wait_until_dead(first)
    dist.distributed_c10d._store_based_barrier(dist.get_rank(), dist.distributed_c10d._get_default_store(), "late", 2,
                                               datetime.timedelta(seconds=60))
    os._exit(7)


def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")")[1].split()[0]


def first_message_without_the_store(killed):
    """Rank 0, where torch's store is, is stopped or killed when the others talk for the first time. With the store
    stopped the timeout counts, and with the rank gone so does its death; the end waits for neither."""
    rank, pid = dist.get_rank(), _pids()[0]
    group = dist.new_group(timeout=datetime.timedelta(seconds=0.5))
    pair = dist.new_group([1, 2], timeout=datetime.timedelta(seconds=30))
    dist.barrier()  # groups are made by the store, too
    if rank == 0:
        os.kill(pid, signal.SIGKILL if killed else signal.SIGSTOP)
    while state_of(pid) not in "TZ":
        time.sleep(0.001)
    x, peer = torch.ones(1), 3 - rank
    if killed and COMPILED:
        work = dist.isend(x, peer, group=pair)
        dist.recv(y := torch.zeros(1), peer, group=pair)
        work.wait()
        assert y == 1
    elif killed:  # the two are all alive, and need the store to meet
        expect(dist.DistError, "", lambda: dist.irecv(x, peer, group=pair).wait())
    else:
        expect(muster.torch.TimedOutError, "waited 0.5 s", lambda: dist.irecv(x, peer, group=group).wait())
        expect(muster.torch.TimedOutError, "waited 0.5 s", lambda: dist.irecv(x, peer, group=group).wait())
    dist.destroy_process_group()  # which waits for nobody that is dead or stopped: values() has a limit
    if not killed:
        os.kill(pid, signal.SIGKILL)
    os._exit(7)


def first_message_for_who_has_left(wanted):
    """Rank 1 has destroyed the group before rank 0 says that it has something for it, or wants something; `wanted`: it
    once wanted something of rank 0. (What is short would be buffered by the backend in C++.)"""
    x, group = torch.ones(1 << 22), dist.new_group()
    dist.barrier()
    if dist.get_rank() == 1:
        if wanted:
            dist.irecv(x, 0, group=group)
        dist.destroy_process_group(group)
        dist.barrier()
    else:
        dist.barrier()
        for call in (lambda: dist.send(x, 1, group=group), lambda: dist.recv(x, 1, group=group)):
            expect(muster.torch.PeerDiedError, "rank 1 left the group", call)


def first_message_for_who_has_given_up():
    """Rank 1 has waited for its timeout; rank 0 comes later."""
    x, group = torch.ones(3), dist.new_group(timeout=datetime.timedelta(seconds=0.2))
    if dist.get_rank() == 1:
        expect(muster.torch.TimedOutError, "waited 0.2 s", lambda: dist.recv(x, 0, group=group))
        dist.barrier()
    else:
        dist.barrier()
        expect(dist.DistBackendError, "", lambda: dist.send(x, 1, group=group))


class LateStore:
    """A store that has not yet heard of the other one who wants a link."""

    def __init__(self, store):
        self._store = store

    def add(self, key, number):
        count = self._store.add(key, number)
        return min(count, 1) if key.startswith("link-") else count


def killed_while_they_meet():
    """Rank 1 makes the name under which it meets rank 0, and is killed before rank 0 comes: rank 0 is told, and no name
    is left, whether it destroys the group or just ends."""
    messages = dist.group.WORLD._messages
    name = f"/dev/shm{messages.name}-link-0-1"
    if dist.get_rank() == 1:
        dist.irecv(torch.ones(1), 0)
        while not os.path.exists(name):
            time.sleep(0.001)
        die()
    messages.store = LateStore(messages.store)
    expect(muster.PeerDiedError, KILLED.format(1), lambda: dist.irecv(torch.ones(1), 1).wait())
    assert not os.path.exists(name), "at the error"
    dist.destroy_process_group()
    assert not os.path.exists(name), "at the end"
    os._exit(7)


class LateGroup:
    """A group that learns of an end later than its links do: after so many questions."""

    def __init__(self, group, questions):
        self._group, self._questions = group, questions

    def check(self):
        self._questions -= 1
        if self._questions < 0:
            self._group.check()

    def __getattr__(self, name):
        return getattr(self._group, name)


def told_by_a_link():
    """Rank 2 is killed, and rank 1 ends because of that; rank 0 has a link with rank 1 only, which tells first."""
    pids, rank, x = _pids(), dist.get_rank(), torch.ones(3)
    if rank < 2:
        for source in (0, 1):
            dist.send(x, 1 - rank) if rank == source else dist.recv(x, 1 - rank)
    dist.barrier()
    if rank == 2:
        die()
    wait_until_dead(pids[2])
    messages = dist.group.WORLD._messages
    if rank == 1:
        while messages.cause() is None:  # till somebody has noted it: of two ends found together none is the first
            time.sleep(0.001)
        os._exit(0)
    messages.group = LateGroup(messages.group, 20)
    dist.recv(x, 1)


def attach_in_vain(name, rank):
    """In a process of its own; its number, once the name is there."""
    pid = os.fork()
    if pid == 0:
        muster._muster.attach(name, rank, 2, 0, -1)
        os._exit(0)
    while not os.path.exists("/dev/shm" + name):
        time.sleep(0.001)
    return pid


class Faults(unittest.TestCase):
    def assert_told(self, ends, dead, survivors=None):
        for rank, end in enumerate(ends):
            if rank == dead:
                self.assertEqual(end.signal, signal.SIGKILL)
                continue
            self.assertIsNotNone(end.error, f"rank {rank}: {end!r}")
            self.assertIn(KILLED.format(dead), end.error.message, f"rank {rank}")
            self.assertTrue({"DistBackendError", "RuntimeError"} <= set(end.error.bases), end.error.bases)
            self.assertEqual(end.error.name, "PeerDiedError")

    def test_killed_stage(self):
        for step in (0, 3):
            self.assert_told(run(4, ring, step), dead=2)
        for elements in (10, 1 << 18):
            self.assert_told(run(3, pipeline, elements), dead=2)

    @unittest.skipIf(COMPILED, "it has no links")
    def test_told_by_a_link(self):
        self.assertIn(KILLED.format(2), run(3, told_by_a_link)[0].error.message)

    def test_meet_the_dead(self):
        for what in ("send", "isend", "send much", "recv", "irecv", "all_reduce", "started", "broadcast", "barrier",
                     "objects", "functional", "batch"):
            for knows in (False, True):
                with self.subTest(what, knows=knows):
                    self.assert_told(run(2, meet_the_dead, what, knows), dead=1)

    def test_future_of_the_dead(self):
        """torch's own futures of Python raise RuntimeError; it names ours."""
        end = run(2, meet_the_dead, "future", True)[0]
        self.assertIn(KILLED.format(1), end.error.message)
        self.assertIn("PeerDiedError", end.error.name + end.error.message)

    def test_backward(self):
        self.assert_told(run(2, backward), dead=1)

    def test_half_sent(self):
        self.assert_told(run(2, half_sent), dead=1)

    def test_new_group_with_the_dead(self):
        self.assert_told(run(2, meet_the_dead, "new_group", True), dead=1)

    def test_first_message_without_the_store(self):
        for killed in (False, True):
            with self.subTest(killed=killed):
                ends = run(3, first_message_without_the_store, killed)
                self.assertEqual([end.status for end in ends[1:]], [7, 7], ends)

    def test_first_message_for_who_has_left(self):
        for wanted in (False, True):
            with self.subTest(wanted=wanted):
                values(2, first_message_for_who_has_left, wanted)
        values(2, first_message_for_who_has_given_up)

    @unittest.skipIf(COMPILED, "it has no links")
    def test_killed_while_they_meet(self):
        ends = run(2, killed_while_they_meet)
        self.assertEqual((ends[0].status, ends[1].signal), (7, signal.SIGKILL), ends)

    def test_names_of_the_dead_are_removed_by_the_next_job(self):
        names = [f"/muster-torch-test-{os.getpid()}-{i}" for i in range(2)]
        pids = [attach_in_vain(name, 0) for name in names]
        os.kill(pids[0], signal.SIGKILL)
        os.waitpid(pids[0], 0)
        values(2, dist.barrier)
        self.assertEqual([os.path.exists("/dev/shm" + name) for name in names], [False, True])
        self.assertEqual([os.waitpid(pid, 0)[1] for pid in (attach_in_vain(names[1], 1), pids[1])], [0, 0])

    def test_others_go_on(self):
        ends = run(3, others_go_on)
        self.assertEqual([end.status for end in ends[:2]], [7, 7], ends)
        values(3, who_has_left_is_not_needed)

    def test_timeouts(self):
        for what in ("of a group, barrier", "of a group, started", "of a group, recv", "of a group, send", "new_group"):
            with self.subTest(what):
                self.assertEqual([end.status for end in run(2, late, what)], [7, 7])
        for what, seconds in (("init", 0.5), ("set", 60)):
            ends = run(2, late, what, timeout_s=seconds)
            self.assertEqual(ends[0].status, 7, ends)


if __name__ == "__main__":
    unittest.main()
