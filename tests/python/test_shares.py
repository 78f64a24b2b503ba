"""muster.Share and muster.Queue, with numpy and without."""

import array
import ctypes
import os
import pickle
import signal
import unittest

import muster
from helpers import expect, np
from muster.testing import ranks


class Arrays(unittest.TestCase):
    @ranks(2)
    def test_they_stay_when_their_group_is_left(self):
        world = muster.init()

        def mean(number):
            with world.split(0) as group:
                out = muster.empty(50000, "float64", group)
                memoryview(out)[49999] = number
                muster.all_sum(out, out=out, group=group)
                return out

        first, second = mean(1.0), mean(5.0)
        third = muster.empty(50000, "float64")
        memoryview(third)[49999] = 9.0
        assert [memoryview(array)[49999] for array in (first, second, third)] == [2.0, 10.0, 9.0]
        request = muster.all_sum_start(second)
        del first, second, third
        again = [muster.empty(50000, "float64") for _ in range(3)]
        for array in again:
            memoryview(array)[49999] = 3.0
        assert memoryview(request.wait())[49999] == 20.0

    @ranks(2)
    def test_the_others_hear_that_a_group_with_arrays_was_left(self):
        with muster.init().dup() as group:
            x = muster.empty(1000, "int32", group)
            if group.rank() == 0:
                expect(muster.PeerDiedError, "left the group", lambda: muster.barrier(group=group))
        assert len(memoryview(x)) == 1000

    @ranks(1)
    def test_they_stay_in_an_arena_that_is_left(self):
        with muster.attach(f"/muster-python-left-{os.getpid()}", 0, 1) as alone:
            with alone.dup() as group:
                x = muster.empty(1000, "int32", group)
            y, z = muster.empty(1000, "int32", alone), muster.empty(0, "int32", alone)
            memoryview(x)[999], memoryview(y)[999] = 3, 5
        expect(ValueError, "this rank has left it", lambda: muster.barrier(group=alone))
        with muster.attach(f"/muster-python-left2-{os.getpid()}", 0, 1) as other:
            w = muster.empty(1000, "int32", other)
            memoryview(w)[999] = 7
        del alone
        assert (memoryview(x)[999], memoryview(y)[999], memoryview(w)[999]) == (3, 5, 7)
        del x, y, z
        assert memoryview(w)[999] == 7


class Shares(unittest.TestCase):
    @ranks(3)
    def test_all_write_all_blocks(self):
        world = muster.init()
        rank = world.rank()
        share = muster.Share(30 if rank != 1 else 0)
        for owner in 0, 2:
            block = share.at(owner, "uint16", (5, 3))
            assert memoryview(block).shape == (5, 3) and memoryview(block).tolist()[4][2] in (0, 100 + owner)
            if rank == 1:
                memoryview(block)[4, 2] = 100 + owner
        assert len(share.at(1)) == 0 and len(share.at(0)) == 30
        muster.barrier()
        assert [memoryview(share.at(owner, "uint16"))[14] for owner in (0, 2)] == [100, 102]
        share.sync()
        expect(ValueError, "is not in a block of 30 bytes", lambda: share.at(0, "int32", 8))
        expect(ValueError, "is not a rank", lambda: share.at(3))
        del block
        share.free()
        share.free()
        expect(ValueError, "has freed the share", lambda: share.at(0))

    @ranks(2)
    def test_seal(self):
        share = muster.Share(8 * 1000 * (muster.init().rank() == 0))
        table = share.at(0, "int64")
        for i in range(1000) if muster.init().rank() == 0 else ():
            table[i] = i * i
        expect(BufferError, "1 views of the share's blocks are alive", share.free)
        expect(BufferError, "a write to them would end the process", share.seal)
        del table
        share.seal()
        table = share.at(0, "int64")
        assert memoryview(table).readonly and table[999] == 999 * 999
        with self.assertRaises((TypeError, ValueError)):
            table[0] = 1
        expect(ValueError, "the share is sealed", lambda: share.put_signal(0, b"x"))
        share.seal()

    @unittest.skipIf(np is None, "there is no numpy")
    @ranks(2)
    def test_numpy(self):
        world = muster.init()
        share = muster.Share(4096)
        mine, theirs = share.at(world.rank(), np.float32, (8, 16)), share.at(1 - world.rank(), "float32", (8, 16))
        mine[:] = world.rank() + 1
        muster.all_sum(mine, out=mine)
        muster.barrier()
        assert theirs.sum() == 3 * 128 and theirs.flags.writeable and not theirs.flags.owndata

    @ranks(2)
    def test_signals(self):
        rank = muster.init().rank()
        share = muster.Share(100)
        expect(muster.TimedOutError, "0 of 2 came", lambda: share.wait_signal(1 - rank, count=2, timeout=0.001))
        muster.barrier()
        for i in range(20):
            share.put_signal(1 - rank, array.array("i", [i, rank]), offset=4, signal=i % 16)
            share.wait_signal(1 - rank, i % 16)
            assert memoryview(share.at(rank, "int32"))[1:3].tolist() == [i, 1 - rank]
            share.put_signal(1 - rank, signal=5)
            share.wait_signal(1 - rank, 5)
        expect(muster.TimedOutError, "", lambda: share.wait_signal(1 - rank, timeout=0))
        expect(ValueError, "are not in the 100 bytes", lambda: share.put_signal(0, b"x" * 101))
        expect(ValueError, "is not a signal", lambda: share.wait_signal(0, 16))
        expect(ValueError, "an offset of -1", lambda: share.put_signal(0, b"x", -1))
        muster.barrier()
        if rank == 0:
            share.free()
        else:
            expect(muster.PeerDiedError, "rank 0 has freed the share", lambda: share.wait_signal(0))

    @ranks(2)
    def test_no_space(self):
        expect(MemoryError, "could not get its", lambda: muster.Share(muster.init().rank() << 50))
        expect(ValueError, "less than none", lambda: muster.Share(-1))


class Queues(unittest.TestCase):
    @ranks(4)
    def test_pickles(self):
        rank = muster.init().rank()
        queue = muster.Queue(4, 100000, writer=1)
        for i in range(50):
            step = {"number": i, "tokens": list(range(i * 40))}
            if rank == 1:
                queue.push(pickle.dumps(step))
            else:
                assert pickle.loads(queue.pop()) == step
        muster.barrier()
        if rank == 1:
            assert queue.lag() == (0, 0)
            expect(ValueError, "up to 100000", lambda: queue.push(bytes(100001)))
            expect(ValueError, "reads none of it", queue.pop)
        else:
            expect(muster.TimedOutError, "for rank 1 to push entry 51", lambda: queue.pop(timeout=0))
            expect(ValueError, "is a reader", lambda: queue.push(b""))
            expect(ValueError, "is a reader", queue.lag)
        muster.barrier()
        queue.free()
        queue.free()
        expect(ValueError, "has freed the queue", queue.pop)

    @ranks(3)
    def test_laggard_is_named(self):
        rank = muster.init().rank()
        queue = muster.Queue(2, 1)
        if rank == 0:
            queue.push(b"a")
            queue.push(b"b", timeout=0)
        muster.barrier()
        if rank == 2:
            assert queue.pop() + queue.pop() == b"ab"
        muster.barrier()
        if rank == 0:
            for timeout in 0.002, 0:
                expect(muster.TimedOutError, "rank 1 lags 2 entries behind", lambda: queue.push(b"c", timeout))
            assert queue.lag() == (1, 2)
        muster.barrier()

    def test_reader_dies(self):
        @ranks(3)
        def body():
            world = muster.init()
            queue = muster.Queue(2, 8)
            if world.rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if world.rank() == 0:
                try:
                    for _ in range(5):
                        queue.push(b"x")
                    raise AssertionError("no death was told")
                except muster.PeerDiedError as died:
                    assert "rank 1 was killed by signal 9 (Killed); rank 0 needs it in push" in str(died)
                assert queue.drop() == 1
                queue.push(b"last")
            else:
                while queue.pop() != b"last":
                    pass
            queue.free()

        with self.assertRaisesRegex(AssertionError, "rank 1"):
            body()

    @ranks(1)
    def test_objects_stay_in_their_process(self):
        queue, share = muster.Queue(4, 64), muster.Share(64)
        wrong = [(ctypes.py_object * 1)(3), (ctypes.c_char_p * 1)(b"a"), (ctypes.c_wchar_p * 1)("a"), (ctypes.POINTER(ctypes.c_int) * 1)()]
        if np is not None:
            wrong += [np.array([{}], object), memoryview(np.array([{}], object)), np.zeros(1, [("a", "M8[s]"), ("b", "O")])]
        for x in wrong:
            for call in queue.push, lambda x: share.put_signal(0, x):
                expect(ValueError, "which mean nothing in another process; give bytes", lambda: call(x))
        for x in [array.array("d", [1])] + ([] if np is None else [np.zeros(1, "M8[s]"), np.zeros(1, [("O", "c16")])]):
            queue.push(x)
            share.put_signal(0, x)

    @ranks(2)
    def test_different_queues(self):
        expect(muster.MismatchError, "entries of 1 bytes", lambda: muster.Queue(1 + muster.init().rank(), 1))
        expect(ValueError, "expected at least 1", lambda: muster.Queue(0, 1))


if __name__ == "__main__":
    unittest.main()
