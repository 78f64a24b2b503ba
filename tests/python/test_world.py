"""Worlds and groups: what init() takes in place of variables, attach(), grids, and what groups say of each other."""

import os
import pathlib
import threading
import time
import unittest

import muster
from helpers import expect, ints, needs_numpy, np
from muster.testing import ranks


def threads():
    """The names of this process's threads, the library's included."""
    return [comm.read_text().strip() for comm in pathlib.Path("/proc/self/task").glob("*/comm")]


class Settings(unittest.TestCase):
    @ranks(2)
    def test_a_timeout(self):
        before = dict(os.environ)
        world = muster.init(timeout=0.05)
        assert dict(os.environ) == before
        if world.rank() == 0:
            error = expect(muster.TimedOutError, "", lambda: muster.recv(1, "int32", 1))
            assert error.deadline == 0.05
        else:
            while True:  # until the other one has broken the group
                try:
                    world.check()
                except muster.TimedOutError:
                    break
                time.sleep(0.001)

    @ranks(2)
    def test_no_timeout_in_place_of_the_environments(self):
        os.environ["MUSTER_TIMEOUT"] = "0.001"
        world = muster.init(timeout=0, attach_timeout=30)
        if world.rank() == 1:
            time.sleep(0.05)  # which the other one waits for, without a limit
        muster.barrier()
        assert os.environ["MUSTER_TIMEOUT"] == "0.001"

    @ranks(2)
    def test_a_progress_thread(self):
        muster.init(progress_thread=True)
        assert muster.wait_all([muster.all_sum_start(ints(1))])[0][0] == 2
        assert "muster-progress" in threads()

    @ranks(2)
    def test_no_progress_thread_unless_asked_for(self):
        os.environ["MUSTER_PROGRESS_THREAD"] = "1"
        muster.init(progress_thread=False)
        assert muster.wait_all([muster.all_sum_start(ints(1))])[0][0] == 2
        assert "muster-progress" not in threads()

    @ranks(2)
    def test_threads_multiple(self):
        world = muster.init(threads_multiple=True)
        if world.rank() == 0:
            got = []
            waiters = [threading.Thread(target=lambda tag=tag: got.append(muster.recv(1, "int32", 1, tag)[0]))
                       for tag in (1, 2)]
            for waiter in waiters:
                waiter.start()
            for waiter in waiters:
                waiter.join()
            assert sorted(got) == [1, 2]
        else:
            for tag in 2, 1:
                muster.send(ints(tag), 0, tag)

    @ranks(1)
    def test_what_is_refused(self):
        expect(ValueError, "set one of them", lambda: muster.init(one_thread=True, threads_multiple=True))
        expect(TypeError, "exact_times: expected True or False", lambda: muster.init(exact_times=1))
        expect(ValueError, "timeout: a timeout of -1 seconds", lambda: muster.init(timeout=-1))
        expect(TypeError, "timeout: ", lambda: muster.init(timeout="soon"))
        expect(ValueError, "MUSTER_LIVENESS", lambda: muster.init(liveness="hope"))
        expect(TypeError, "haste", lambda: muster.init(haste=True))
        muster.init(exact_times=True)

    @ranks(2)
    def test_settings_are_of_the_first_call(self):
        world = muster.init(exact_times=True, one_thread=False)
        assert muster.init(exact_times=True, one_thread=False) is world and muster.init() is world
        expect(ValueError, "the world is there already", lambda: muster.init(timeout=3))
        expect(ValueError, "MUSTER_EXACT_TIMES", lambda: muster.init(exact_times=False))

    @ranks(2)
    def test_the_arena_by_arguments(self):
        name = f"{os.environ.pop('MUSTER_ARENA')}-own"
        rank = int(os.environ.pop("MUSTER_RANK"))
        size = int(os.environ.pop("MUSTER_SIZE"))
        world = muster.init(strict=True, arena=name, rank=rank, size=size, staging_bytes=1 << 20)
        assert (world.rank(), world.size()) == (rank, 2)
        assert muster.all_sum(ints(1))[0] == 2

    def test_several_ranks_of_one_process(self):
        name, sums = f"/muster-python-{os.getpid()}-attached", [None] * 2

        def body(rank):
            group = muster.attach(name, rank, 2, timeout=30, attach_timeout=30)
            sums[rank] = muster.all_sum(ints(rank + 1), group=group)[0]

        others = [threading.Thread(target=body, args=(rank,)) for rank in range(2)]
        for other in others:
            other.start()
        for other in others:
            other.join()
        self.assertEqual(sums, [3, 3])
        expect(ValueError, "rank 2 is not between 0 and 1", lambda: muster.attach(name, 2, 2))


class Groups(unittest.TestCase):
    @ranks(3)
    def test_translate(self):
        world = muster.init()
        if world.rank() != 1:
            pair = world.subset([2, 0])
            assert [pair.translate(rank, world) for rank in range(2)] == [2, 0]
            assert [world.translate(rank, pair) for rank in range(3)] == [1, None, 0]
            expect(ValueError, "rank 3 is not a rank of a group of 3", lambda: world.translate(3, pair))
            pair.check()
            muster.barrier(group=pair)

    @ranks(2)
    def test_check(self):
        world = muster.init()
        group = world.dup()
        group.check()
        muster.barrier()
        if world.rank() == 0:
            group.abort("enough")
        muster.barrier()
        assert "enough" in str(expect(muster.AbortedError, "", group.check))
        world.check()


    @needs_numpy
    @ranks(2)
    def test_threads_that_help(self):
        world, told = muster.init(), []
        group = world.dup()

        def help_until_told():
            try:
                while not told:
                    group.help(1)
            except BaseException as error:
                told.append(error)

        expect(ValueError, "call muster_group_set_threads", lambda: group.help(1))
        expect(ValueError, "expected 1 to 1024", lambda: group.set_threads(1 << 40))
        expect(TypeError, "", lambda: group.set_threads("two"))
        group.set_threads(2)
        helper = threading.Thread(target=help_until_told)
        helper.start()
        for _ in range(5):
            assert (muster.all_sum(np.full(100000, 2.0), group=group) == 4).all()
        expect(ValueError, "expected 1 to 1, since", lambda: group.help(2))
        told.append("to end")
        muster.barrier(group=group)
        helper.join()
        assert told == ["to end"]


class Grids(unittest.TestCase):
    def test_dims(self):
        self.assertEqual(muster.grid_dims(12, 2), (4, 3))
        self.assertEqual(muster.grid_dims(size=24, dims=[0, 2, 0]), (4, 2, 3))
        expect(ValueError, "", lambda: muster.grid_dims(12, [5, 0]))
        expect(ValueError, "9 dimensions; expected 1 to 8", lambda: muster.grid_dims(12, 9))
        expect(ValueError, "no length", lambda: muster.grid_dims(12, [1 << 40]))
        expect(TypeError, "", lambda: muster.grid_dims(12, ["a"]))

    def test_neighbours(self):
        dims = muster.grid_dims(6, 2)
        for rank in range(6):
            row, column = muster.grid_coordinates(dims, rank)
            self.assertEqual(row * dims[1] + column, rank)
            for dimension in range(2):
                for step in -1, 1:
                    there = [row, column]
                    there[dimension] += step
                    inside = 0 <= there[dimension] < dims[dimension]
                    expected = there[0] * dims[1] + there[1] if inside else muster.RANK_NONE
                    found = muster.grid_neighbour(dims, rank, dimension, step)
                    self.assertEqual(found, expected)
                    self.assertEqual(found is muster.RANK_NONE, not inside)
                    self.assertIn(muster.grid_neighbour(dims, rank, dimension, step, periodic=True), range(6))
        expect(ValueError, "", lambda: muster.grid_coordinates(dims, 6))
        expect(ValueError, "", lambda: muster.grid_neighbour(dims, 6, 0, 1))
        expect(ValueError, "dimension 2 of a grid of 2", lambda: muster.grid_neighbour(dims, 0, 2, 1))

    @ranks(4)
    def test_messages_along_a_line(self):
        world = muster.init()
        dims, rank = (4,), world.rank()
        left, right = (muster.grid_neighbour(dims, rank, 0, step) for step in (-1, 1))
        got = muster.sendrecv(ints(rank), right, left, out=ints(-1))
        assert (got is None and left is muster.RANK_NONE) or got[0] == rank - 1

    def test_cpus(self):
        self.assertLessEqual(1, muster.cpu_count())
        self.assertLessEqual(muster.cpu_count(), len(os.sched_getaffinity(0)))


class Memory(unittest.TestCase):
    @ranks(3)
    def test_peers(self):
        world = muster.init()
        rank, next = world.rank(), (world.rank() + 1) % 3
        share = muster.Share(800)
        mine = share.at(rank, "int32")
        for i in range(200):
            mine[i] = 1000 * rank + i
        muster.barrier()
        part = memoryview(mine)[20:24] if np is None else mine[20:24].reshape(2, 2)
        theirs = share.peer(next, part)
        assert memoryview(theirs).shape == memoryview(part).shape and type(theirs) is type(part)
        flat = memoryview(theirs).tolist()
        assert (flat if np is None else sum(flat, [])) == [1000 * next + i for i in range(20, 24)]
        muster.barrier()
        memoryview(theirs)[0 if np is None else (0, 0)] = -rank
        muster.barrier()
        assert mine[20] == -((rank - 1) % 3)
        expect(BufferError, "views of the share's blocks", share.free)
        other = muster.Share(8)
        expect(ValueError, "not in this rank's block of the share", lambda: other.peer(next, part))
        expect(ValueError, "not in this rank's block of the share", lambda: share.peer(next, share.at(next)))
        expect(ValueError, "not in this rank's block of the share", lambda: share.peer(next, bytearray(4)))
        expect(ValueError, "", lambda: share.peer(3, part))
        muster.barrier()

    @ranks(3)
    def test_peers_of_another_group(self):
        world = muster.init()
        share = muster.Share(4)
        share.at(world.rank(), "int32")[0] = world.rank()
        muster.barrier()
        if world.rank() != 1:
            pair = world.subset([2, 0])
            mine = share.at(world.rank(), "int32")
            assert [share.peer(rank, mine, pair)[0] for rank in range(2)] == [2, 0]
            muster.barrier(group=pair)

    @ranks(2)
    def test_peek(self):
        world = muster.init()
        queue = muster.Queue(2, 16)
        if world.rank() == 0:
            for entry in b"one", b"", b"three", b"four":
                queue.push(entry)
            expect(ValueError, "", queue.peek)  # of the writer
        else:
            entry = queue.peek()
            assert entry == b"one" and entry.readonly and queue.peek() == b"one"
            for call in queue.release, queue.pop, queue.free:
                expect(BufferError, "1 views of the entry are alive", call)
            entry.release()
            queue.release()
            expect(ValueError, "", queue.release)  # none was peeked at
            assert queue.peek(timeout=10).tobytes() == b"" and queue.pop() == b""
            with queue.peek() as entry:
                kept, whose = entry.tobytes(), entry.obj
            assert kept == queue.pop() == b"three"
            expect(BufferError, "was released", lambda: memoryview(whose))
            assert queue.pop() == b"four"
            expect(muster.TimedOutError, "", lambda: queue.peek(timeout=0))
        muster.barrier()
        queue.free()
        expect(ValueError, "freed the queue", queue.peek)

    @ranks(2)
    def test_threads_that_pop(self):
        """Each entry comes to one of them, though they may see the same one."""
        world, entries, got, wrong = muster.init(), 2000, [], []
        queue = muster.Queue(4, 16)

        def pop_some():
            while len(got) < entries:
                try:
                    got.append(int(queue.pop(timeout=0)))
                except muster.TimedOutError:
                    pass
                except muster.Error as error:
                    if "another thread is in a call" not in str(error):
                        wrong.append(error)  # an exception would only be printed
                        return

        if world.rank() == 0:
            for entry in range(entries):
                queue.push(str(entry).encode())
        else:
            waiters = [threading.Thread(target=pop_some) for _ in range(3)]
            for waiter in waiters:
                waiter.start()
            for waiter in waiters:
                waiter.join()
            assert not wrong and sorted(got) == list(range(entries)), (wrong, len(got))
        muster.barrier()
        queue.free()


if __name__ == "__main__":
    unittest.main()
