"""The end of a group of the backend in C++, while something is under way in it: on another thread, in a signal handler, in a
forked child, or after a wait that a signal handler has ended."""

import ctypes
import datetime
import gc
import os
import pathlib
import queue
import signal
import sys
import threading
import time
import traceback
import unittest
import weakref
from concurrent import futures

import torch
import torch.distributed as dist

import muster.torch
from torch_ranks import expect, values

CPU = torch.device("cpu")
FUTEX_WAITS = {"202" if os.uname().machine == "x86_64" else "98", "449"}  # the system calls futex and futex_waitv
PAUSES = {"230" if os.uname().machine == "x86_64" else "115"}  # clock_nanosleep
PR_SET_PTRACER = 0x59616D61
A_MINUTE = datetime.timedelta(minutes=1)  # a wait that has a limit leaves the operation to the queue's thread


class Interrupted(Exception):
    pass


class Buffer(bytearray):
    """What a tensor keeps alive, and can be watched."""


def backend(group):
    return group._get_backend(CPU)


def store():
    return dist.distributed_c10d._get_default_store()


def system_call(thread):
    return pathlib.Path(f"/proc/{thread}/syscall").read_text().split()[0]


def strike_once_it_waits(pid, calls):
    """Sends a signal to the process when its main thread is in one of these calls, twice running."""
    seen = 0
    while seen < 2 and os.getppid() == pid:
        seen = seen + 1 if system_call(pid) in calls else 0
        time.sleep(0.001)
    if seen == 2:
        os.kill(pid, signal.SIGALRM)


def while_it_waits(action, call, calls=FUTEX_WAITS):
    """Does call() on this thread, and action() in a signal handler once it waits: in it, as nothing else takes signals."""
    def act(*_):
        action()

    before = signal.signal(signal.SIGALRM, act)
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)  # Yama lets no child look, else; EINVAL without it
    reader, writer = os.pipe()
    pid, watcher = os.getpid(), os.fork()  # a thread would have this one wait for the interpreter
    if watcher == 0:
        try:
            os.write(writer, b".")
            strike_once_it_waits(pid, calls)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writer)
    try:
        os.read(reader, 1)  # it looks now: some calls wait for a moment only
        return call()
    finally:
        os.close(reader)
        os.kill(watcher, signal.SIGKILL)
        os.waitpid(watcher, 0)
        signal.signal(signal.SIGALRM, before)


def interrupted_split():
    """A split whose caller has gone is done at its turn, and is left at once."""
    def interrupt():
        raise Interrupted

    if dist.get_rank() == 0:
        work = dist.all_reduce(torch.ones(1), async_op=True)
        expect(Interrupted, "", lambda: while_it_waits(
            interrupt, lambda: dist.group.WORLD.split_group([0, 1], device_types=[CPU])))
        store().set("gave up", "1")
        work.wait()
    else:
        store().wait(["gave up"])
        dist.all_reduce(torch.ones(1))
        part = dist.group.WORLD.split_group([0, 1], device_types=[CPU])
        expect(muster.torch.PeerDiedError, "left the group", lambda: part.barrier().wait())


def shutdown_beside_a_collective():
    """It waits for one that another thread is in, and then the rank has left."""
    group = dist.new_group()
    ours = backend(group)
    if dist.get_rank() == 0:
        def shut_down():
            store().set("shuts down", "1")
            ours.shutdown()

        other = threading.Thread(target=shut_down)
        x = torch.ones(1)
        while_it_waits(other.start, lambda: dist.all_reduce(x, group=group))
        other.join()
        assert x == 2
        expect(RuntimeError, "has been destroyed", lambda: dist.barrier(group=group))
    else:
        store().wait(["shuts down"])
        dist.all_reduce(torch.ones(1), group=group)
        expect(muster.torch.PeerDiedError, "left the group", lambda: dist.barrier(group=group))


def shutdown_inside():
    """By a signal handler, in a collective or a receive: it is refused, as it would wait for itself."""
    group, refused = dist.new_group(), []
    if dist.get_rank() == 0:
        def shut_down():
            refused.append(expect(RuntimeError, "in one of its own operations", backend(group).shutdown))
            store().set(f"refused {len(refused)}", "1")

        while_it_waits(shut_down, lambda: dist.barrier(group=group))
        while_it_waits(shut_down, lambda: dist.recv(torch.ones(1), 1, group))
        assert len(refused) == 2
    else:
        store().wait(["refused 1"])
        dist.barrier(group=group)
        store().wait(["refused 2"])
        dist.send(torch.ones(1), 0, group)


def shutdown_beside_a_receive():
    """A receive that a thread waits in ends with the group."""
    group = dist.new_group()
    if dist.get_rank() == 0:
        other = threading.Thread(target=backend(group).shutdown)
        expect(muster.torch.AbortedError, "destroyed the process group",
               lambda: while_it_waits(other.start, lambda: dist.recv(torch.ones(1), 1, group)))
        other.join()


def abort_beside_shutdown():
    """A watchdog's abort() ends a shutdown() that waits for who does not come."""
    group = dist.new_group()
    ours = backend(group)
    if dist.get_rank() == 0:
        work = dist.all_reduce(torch.ones(1), group=group, async_op=True)
        other = threading.Thread(target=ours.shutdown)
        other.start()
        is_open = True
        while is_open:
            try:
                muster.torch._backend._backend.check(ours)
            except RuntimeError as error:
                assert "has been destroyed" in str(error), error
                is_open = False
        ours.abort()
        expect(muster.torch.AbortedError, "abort() of the process group", work.wait)
        other.join()
        ours.abort()  # of what is no more: nothing


def messages_are_forgotten():
    """Those that are over, while an older one waits."""
    if dist.get_rank() == 1:
        for i in range(60):
            store().wait([f"receives {i}"])
            dist.send(torch.zeros(8), 0, tag=1)
        dist.send(torch.zeros(8), 0)
        return
    first, buffers = dist.irecv(torch.zeros(8), 1), []
    for i in range(60):
        buffer = Buffer(32)
        buffers.append(weakref.ref(buffer))
        work = dist.irecv(torch.frombuffer(buffer, dtype=torch.float32), 1, tag=1)
        store().set(f"receives {i}", "1")
        work.wait()
    del work, buffer
    gc.collect()
    alive = sum(ref() is not None for ref in buffers)
    assert alive <= 20, alive
    first.wait()


def forked():
    """A child destroys its parent's groups, in which a thread of the parent waits."""
    dist.all_reduce(torch.ones(1), async_op=True).wait(A_MINUTE)
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)  # it would hang
        dist.destroy_process_group()
        gc.collect()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def interrupted_twice():
    """What a signal handler raises in a wait is what the message has failed with: the next wait raises it again."""
    group, raised = dist.new_group(), []
    if dist.get_rank() == 0:
        def interrupt():
            raised.append(Interrupted())
            raise raised[0]

        work = dist.irecv(torch.ones(1), 1, group)
        for wait in (lambda: while_it_waits(interrupt, work.wait), work.wait, work.wait):
            try:
                wait()
            except Interrupted as error:
                assert error is raised[0]
            else:
                raise AssertionError("not raised")
    dist.barrier()


def interrupted_beside_a_wait():
    """A signal handler raises in a wait for a message that another thread waits for."""
    group, begun = dist.new_group(), queue.SimpleQueue()
    if dist.get_rank() == 0:
        def interrupt():
            raise Interrupted

        def wait():
            begun.put(threading.get_native_id())
            expect(muster.torch.AbortedError, "abort() of the process group", work.wait)

        work = dist.irecv(torch.ones(1), 1, group)
        sys.setswitchinterval(60)  # it keeps Python's lock until it waits
        with futures.ThreadPoolExecutor(1) as threads:
            other = threads.submit(wait)
            thread = begun.get()
            while system_call(f"self/task/{thread}") not in FUTEX_WAITS:  # not for that lock, which is free while this reads
                pass
            expect(Interrupted, "", lambda: while_it_waits(interrupt, work.wait))
            backend(group).abort()
            other.result()
    dist.barrier()


def interrupted_shutdown():
    """A signal handler raises while it waits for messages, many of them: the rank leaves the group all the same."""
    group = dist.new_group()
    if dist.get_rank() == 0:
        def interrupt():
            store().set("interrupted", "1")
            raise Interrupted

        x = torch.ones(1 << 20)
        works = [dist.isend(x, 1, group) for _ in range(400)]
        expect(Interrupted, "", lambda: while_it_waits(interrupt, backend(group).shutdown, PAUSES))
        expect(RuntimeError, "", works[-1].wait)
    else:
        store().wait(["interrupted"])
        expect(muster.torch.PeerDiedError, "left the group", lambda: dist.barrier(group=group))
    dist.barrier()


def shutdown_inside_beside_another_wait():
    """A signal handler is inside a receive while it waits for something else, as a handler in that wait is, and after it."""
    group = dist.new_group()
    if dist.get_rank() == 0:
        outer = dist.irecv(torch.ones(1), 1, group)

        def be_refused(key):
            expect(RuntimeError, "in one of its own operations", backend(group).shutdown)
            expect(muster.torch.Error, "waits for rank 1 to send float32 x 1 (tag 0) already", outer.wait)
            store().set(key, "1")

        def wait_for_another():
            while_it_waits(lambda: be_refused("refused inside"), dist.irecv(torch.ones(1), 1, tag=1).wait)
            be_refused("refused")

        while_it_waits(wait_for_another, outer.wait)
    else:
        store().wait(["refused inside"])
        dist.send(torch.ones(1), 0, tag=1)
        store().wait(["refused"])
        dist.send(torch.ones(1), 0, group)


def wait_inside():
    """A signal handler waits for the message that it interrupts the wait for, which would never end."""
    if dist.get_rank() == 0:
        work = dist.irecv(torch.ones(1), 1)

        def wait():
            expect(muster.torch.Error, "waits for rank 1 to send float32 x 1 (tag 0) already", work.wait)
            store().set("refused", "1")

        while_it_waits(wait, work.wait)
    else:
        store().wait(["refused"])
        dist.send(torch.ones(1), 0)


class NoThreads:
    """No thread can be made meanwhile: the default stack is larger than the address space."""

    def __enter__(self):
        self.libc, self.usual = ctypes.CDLL(None), ctypes.create_string_buffer(64)
        huge = ctypes.create_string_buffer(64)
        for attributes in (self.usual, huge):
            assert self.libc.pthread_getattr_default_np(attributes) == 0
        assert self.libc.pthread_attr_setstacksize(huge, ctypes.c_size_t(1 << 60)) == 0
        assert self.libc.pthread_setattr_default_np(huge) == 0

    def __exit__(self, *_):
        assert self.libc.pthread_setattr_default_np(self.usual) == 0


def without_threads():
    """An operation that finds no thread for it has not begun; a callback that finds none runs where it is called, or, if
    there are others, after one of them."""
    x, y = torch.ones(1), torch.ones(1)
    if dist.get_rank() == 0:
        with NoThreads():
            expect(RuntimeError, "", lambda: dist.all_reduce(y, async_op=True))
    dist.all_reduce(x)
    assert (x, y) == (2, 1)
    if dist.get_rank() == 0:
        work = dist.irecv(x, 1)
        with NoThreads():
            future = while_it_waits(lambda: store().set("receives", "1"), work.get_future)
        future.wait()
        works = [dist.irecv(into, 1, tag=tag) for tag, into in ((1, x), (2, y))]
        first = works[0].get_future()
        with NoThreads():
            second = works[1].get_future()
        store().set("goes on", "1")
        first.wait()
        second.wait()
    else:
        store().wait(["receives"])
        dist.send(x, 0)
        store().wait(["goes on"])
        for tag in (1, 2):
            dist.send(x, 0, tag=tag)


def dropped_beside_the_end():
    """A thread drops groups while the process's end leaves all, and uses their memory again: nothing is written there."""
    def create(i):
        return muster.torch._create(dist.PrefixStore(f"other {i}", store()), dist.get_rank(), 2, A_MINUTE)

    others = [create(i) for i in range(4)]
    group = dist.new_group()
    others += [create(i) for i in range(4, 8)]  # some are left after it, whose order is that of addresses
    if dist.get_rank() == 0:
        libc, blocks = ctypes.CDLL(None), []
        libc.malloc.restype, libc.memset.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
        assert libc.mallopt(-8, 1) == 1  # M_ARENA_MAX: all threads use the same memory

        def drop():
            try:
                while True:
                    muster.torch._backend._backend.check(backend(group))
            except RuntimeError:
                others.clear()
                blocks.extend((libc.malloc(size), size) for size in range(392, 808, 16) for _ in range(16))
                for block, size in blocks:
                    libc.memset(block, 0, size)

        x = torch.ones(1 << 20)
        works = [dist.isend(x, 1, group) for _ in range(400)]
        thread = threading.Thread(target=drop)
        thread.start()
        muster.torch._backend.leave_all()
        thread.join()
        expect(RuntimeError, "", works[-1].wait)
        assert blocks and all(ctypes.string_at(block, size) == bytes(size) for block, size in blocks)
        store().set("left", "1")
        store().wait(["ends"])
    else:
        store().wait(["left"])
        store().set("ends", "1")
    os._exit(0)  # the group of all ranks has been left


def forked_beside_a_collective():
    """A child is told that it is no rank, whatever its parent's thread is in; and it ends."""
    if dist.get_rank() == 0:
        message = dist.irecv(torch.ones(1), 1)
        work = dist.all_reduce(torch.ones(1), async_op=True)
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)  # it would hang
            x, ours = torch.ones(1), backend(dist.group.WORLD)
            for call in (dist.barrier, work.wait, work.get_future, message.wait, message.get_future,
                         lambda: dist.isend(x, 1), lambda: dist.irecv(x, 1),
                         lambda: muster.torch._backend._backend.address(ours)):
                expect(muster.torch.Error, "was forked", call)
            ours.abort()  # of its parent's: nothing
            dist.destroy_process_group()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        store().set("forked", "1")
        work.wait()
        message.wait()
    else:
        store().wait(["forked"])
        dist.all_reduce(torch.ones(1))
        dist.send(torch.ones(1), 0)


class Closing(unittest.TestCase):
    def test_interrupted_split(self):
        values(2, interrupted_split)

    def test_shutdown_beside_a_collective(self):
        values(2, shutdown_beside_a_collective)

    def test_shutdown_inside(self):
        values(2, shutdown_inside)

    def test_shutdown_beside_a_receive(self):
        values(2, shutdown_beside_a_receive)

    def test_abort_beside_shutdown(self):
        values(2, abort_beside_shutdown)

    def test_messages_are_forgotten(self):
        values(2, messages_are_forgotten)

    def test_forked(self):
        values(2, forked)
        values(2, forked_beside_a_collective)

    def test_interrupted(self):
        for body in (interrupted_twice, interrupted_beside_a_wait, interrupted_shutdown):
            with self.subTest(body.__name__):
                values(2, body)

    def test_waits_inside_waits(self):
        values(2, shutdown_inside_beside_another_wait)
        values(2, wait_inside)

    def test_dropped_beside_the_end(self):
        values(2, dropped_beside_the_end)

    def test_without_threads(self):
        values(2, without_threads)


if not muster.torch.is_compiled:
    del Closing

if __name__ == "__main__":
    unittest.main()
