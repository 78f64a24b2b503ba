"""The Python module as a program written from MLX's documentation would use it, and what is ours beyond that.

Everything runs without numpy, too; what needs it is skipped then, in words.
"""

import array
import os
import signal
import subprocess
import sys
import time
import unittest

import muster
from helpers import LIMIT_S, expect, expect_interrupt, needs_numpy, np
from muster.testing import ranks


DTYPES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64").split()


class Phases(unittest.TestCase):
    @ranks(1)
    def test_phase_and_block(self):
        muster.init()
        outer = muster.phase("outer")
        with muster.phase("inner") as inner:
            assert inner._before == "outer" and outer._before == ""
        assert muster.phase("")._before == "outer"
        expect(ValueError, "a phase's name of 40 bytes", lambda: muster.phase("x" * 40))
        expect(TypeError, "", lambda: muster.phase(7))


class Environment(unittest.TestCase):
    @staticmethod
    def said(program, **variables):
        """What a process of its own says on standard error, alone in its world."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        return subprocess.run([sys.executable, "-c", "import muster, os\n" + program], env=own | variables, timeout=LIMIT_S,
                              stderr=subprocess.PIPE, text=True).stderr

    def test_another_launcher(self):
        for variable in "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS":
            said = self.said("muster.init(); muster.init()", **{variable: "4"})
            assert said.count(f"RuntimeWarning: this process is alone in its world, though {variable} is 4") == 1, said
            assert "muster run -n 4 -- python" in said
            said = self.said("muster.init(strict=True)", **{variable: "4"})
            assert "RuntimeError: [distributed] Couldn't initialize any backend: this process was not launched" in said
            assert f"{variable} is 4" in said
            assert self.said("muster.init()", **{variable: "1"}) == ""

    def test_misspelt_variables(self):
        assert "RuntimeWarning: nobody reads MUSTER_TIMOUT" in self.said("muster.init()", MUSTER_TIMOUT="3")
        said = self.said("os.environ['MUSTER_TIMOUT'] = '3'; muster.init()")
        assert said.count("nobody reads MUSTER_TIMOUT") == 1, said
        assert self.said("muster.init()", MUSTER_TIMEOUT="3") == ""


@needs_numpy
class Arrays(unittest.TestCase):
    @ranks(3)
    def test_reductions_of_every_dtype(self):
        world = muster.init()
        each = [np.arange(12).reshape(3, 4) % 2 + rank for rank in range(3)]
        for dtype in DTYPES:
            own = each[world.rank()].astype(dtype)
            everyone = np.stack([x.astype(dtype) for x in each])
            for reduce, expected in ((muster.all_sum, everyone.sum(0)), (muster.all_max, everyone.max(0)),
                                     (muster.all_min, everyone.min(0))):
                got = reduce(own)
                assert got.dtype == own.dtype and got.shape == own.shape
                assert (got == expected.astype(dtype)).all(), (dtype, reduce)
        assert (muster.all_reduce(each[world.rank()], op="prod") == np.stack(each).prod(0)).all()

    @ranks(4)
    def test_shapes(self):
        rank = muster.init().rank()
        assert muster.all_gather(np.float32(rank)).tolist() == [0, 1, 2, 3]
        gathered = muster.all_gather(np.full((2, 3), rank))
        assert gathered.shape == (8, 3) and (gathered[2 * rank] == rank).all()
        assert (muster.sum_scatter(np.arange(8.0)) == 4 * np.arange(8.0)[2 * rank:2 * rank + 2]).all()
        assert muster.all_sum(np.zeros((0, 3))).shape == (0, 3)
        expect(ValueError, "[sum_scatter] Invalid shape=(5) for a group of size 4.",
               lambda: muster.sum_scatter(np.zeros(5)))
        table = np.arange(24).reshape(4, 6)
        assert (muster.all_sum(table.T) == 4 * table.T).all()  # not in C order
        received = muster.all_to_all(np.arange(4) + 10 * rank)
        assert received.tolist() == [rank, 10 + rank, 20 + rank, 30 + rank]

    @ranks(3)
    def test_the_rest(self):
        world = muster.init()
        rank = world.rank()
        assert muster.broadcast(np.array([rank]), 2)[0] == 2
        reduced, gathered = muster.reduce(np.array([1.0]), 1), muster.gather(np.array([rank]), root=1)
        assert (reduced is None) == (rank != 1) and (gathered is None) == (rank != 1)
        if rank == 1:
            assert reduced[0] == 3 and gathered.tolist() == [0, 1, 2]
        out = np.zeros(2)
        muster.scatter(np.arange(6.0) if rank == 0 else None, 0, out=out)
        assert out.tolist() == [2.0 * rank, 2.0 * rank + 1]
        muster.barrier()
        x = np.full(1000, 1.0)
        assert muster.all_sum(x, out=x) is x and x[999] == 3

    @ranks(2)
    def test_numbers(self):
        assert float(muster.all_sum(1.5)) == 3 and muster.all_sum(1.5).dtype == np.float32
        assert muster.all_sum(True).dtype == np.bool_ and muster.all_sum(7).dtype == np.int32
        assert muster.all_sum(1j).dtype == np.complex64
        expect(ValueError, "Invalid type list", lambda: muster.all_sum([1, 2]))
        for wrong in ([1, 2, 3], (1.5,), "text", None, {"a": 1}, object()):
            for call in (muster.all_sum, muster.all_gather, lambda x: muster.send(x, 0)):
                expect((ValueError, TypeError), 'expected an array, such as numpy.array(x, "float32")', lambda: call(wrong))
        expect(ValueError, "no type that muster knows", lambda: muster.all_sum(np.zeros(2, "float128")))

    @ranks(2)
    def test_sixteen_bits_round_once(self):
        rank = muster.init().rank()
        half = np.full(4, 1024 if rank == 0 else 0.75, np.float16)
        assert (muster.all_sum(half) == np.float16(1024.75)).all()
        bits = np.full(4, 0x3f80, np.uint16)  # 1
        assert (muster.all_sum(bits, dtype="bfloat16") == 0x4000).all()
        expect(ValueError, "differ in size", lambda: muster.all_sum(np.zeros(2), dtype="bfloat16"))

    @ranks(2)
    def test_memory_in_the_arena(self):
        world = muster.init()
        for _ in range(50):
            x = muster.empty((1 << 16,), "float32", world)
            x[:] = world.rank() + 1
            assert (muster.all_sum(x, out=x) == 3).all()

    @ranks(2)
    def test_dlpack(self):
        class Tensor:  # as torch's: no buffer protocol
            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **unused):
                return self.array.__dlpack__()

        x, out = np.full((2, 2), 1.0, np.float32), np.zeros((2, 2), np.float32)
        muster.all_sum(Tensor(x), out=out)
        assert (out == 2).all()

    @ranks(2)
    def test_messages(self):
        rank = muster.init().rank()
        x = np.arange(6, dtype=np.int32).reshape(2, 3)
        if rank == 0:
            assert muster.send(x, 1) is x
            assert muster.recv_like(x, 1)[1, 2] == 5
        else:
            got = muster.recv((2, 3), np.int32, 0)
            assert got.dtype == np.int32 and (got == x).all()
            muster.send(x, 0)

    @ranks(2)
    def test_receive_like_what_has_no_shape(self):
        for x in array.array("f", [1, 2, 3]), bytearray(b"abc"), b"xyz":
            if muster.init().rank() == 0:
                muster.send(x, 1)
            else:
                got = muster.recv_like(x, 0)
                assert bytes(got) == bytes(x)
                assert isinstance(got, array.array) == isinstance(x, array.array)

    @ranks(3)
    def test_rows(self):
        """A result goes into an array of its shape, or into a flat one; and rows are not cut."""
        x = np.arange(6.0).reshape(2, 3)
        expect(ValueError, r"out has shape (3,2); expected (2, 3)", lambda: muster.all_sum(x, out=np.zeros((3, 2))))
        expect(ValueError, r"out has shape (2,9); expected (6, 3)", lambda: muster.all_gather(x, out=np.zeros((2, 9))))
        assert (muster.all_sum(x, out=np.zeros(6)) == 3 * np.arange(6)).all()
        assert muster.all_gather(x, out=np.zeros(18))[17] == 5
        for call in (muster.all_to_all, muster.sum_scatter):
            for out in (None, np.zeros(6)):
                expect(ValueError, "Invalid shape=(2,3) for a group of size 3", lambda: call(x, out=out))
        assert muster.all_to_all(x.reshape(3, 2), out=np.zeros((3, 2))).shape == (3, 2)
        assert muster.sum_scatter(x.reshape(6), out=np.zeros(2)).shape == (2,)
        assert muster.empty(np.int64(3)).shape == (3,)


class WithoutNumpy(unittest.TestCase):
    @ranks(2)
    def test_what_has_the_buffer_protocol(self):
        rank = muster.init().rank()
        assert muster.all_sum(array.array("d", [1, 2])).tolist() == [2, 4]
        assert muster.all_gather(array.array("i", [rank])).tolist() == [0, 1]
        out = bytearray(2)
        muster.all_max(bytes([rank, 7]), out=out)
        assert out == bytes([1, 7])
        view = memoryview(bytearray(8)).cast("h", (2, 2))
        assert muster.all_sum(view).shape == (2, 2)

    @ranks(4)
    def test_groups(self):
        world = muster.init()
        rank = world.rank()
        assert muster.init() is world and world.size() == 4
        half = world.split(rank % 2)
        assert (half.size(), half.rank()) == (2, rank // 2)
        assert world.split(0, -rank + 4).rank() == 3 - rank
        assert world.split(-1 if rank else 0) is None or rank == 0
        ones = array.array("i", [1])
        assert muster.all_sum(ones, group=half)[0] == 2
        assert len({world, half}) == 2  # hashable
        del half
        assert muster.all_sum(ones)[0] == 4

    @ranks(2)
    def test_errors(self):
        world = muster.init()
        x = array.array("i", [1])
        expect(ValueError, "Invalid destination=5 for a group of size 2", lambda: muster.send(x, 5))
        expect(ValueError, "Invalid source=-1 for a group of size 2", lambda: muster.recv_into(x, -1))
        expect(ValueError, "only valid values for backend", lambda: muster.init(backend="gloo"))
        expect(TypeError, "unexpected keyword argument 'axis'", lambda: muster.all_sum(x, axis=0))
        expect(TypeError, "muster.Group", lambda: muster.all_sum(x, group=3))
        expect(ValueError, "out has 1 elements", lambda: muster.all_gather(x, out=array.array("i", [0])))
        child = world.split(0)
        expect(muster.MismatchError, "rank", lambda: muster.all_sum(
            array.array("i", [0] * (1 + world.rank())), group=child))
        child = world.split(0)
        if world.rank() == 0:
            child.abort("enough")
        expect(muster.AbortedError, "enough", lambda: muster.barrier(group=child))
        assert issubclass(muster.PeerDiedError, RuntimeError)

    @ranks(3)
    def test_groups(self):
        world = muster.init()
        copy = world.dup()
        assert (copy.rank(), copy.size(), copy.name) == (world.rank(), 3, "")
        copy.name = "tp:0"
        assert copy.name == "tp:0" and "tp:0" in repr(copy) and world.name == ""
        expect(ValueError, "32 bytes", lambda: setattr(copy, "name", "x" * 32))
        expect(TypeError, "a group's name is a str, such as 'tp:0', and not 3", lambda: setattr(copy, "name", 3))
        if world.rank() != 1:
            pair = copy.subset([2, 0])
            assert pair.rank() == (0 if world.rank() == 2 else 1)
            assert muster.all_sum(array.array("i", [world.rank()]), group=pair)[0] == 2
        else:
            expect(ValueError, "not in the list", lambda: copy.subset([2, 0]))
        expect(ValueError, "twice", lambda: copy.subset((0, 0)))
        expect(ValueError, "-1 is not a rank", lambda: copy.subset([1 << 40]))
        expect(TypeError, "", lambda: copy.subset(3))

    @ranks(2)
    def test_parts_of_errors(self):
        world, ours = muster.init(), array.array("i", [0] * (1 + muster.init().rank()))
        child = world.dup()
        child.name = "tp:0"
        error = expect(muster.MismatchError, 'group "tp:0": rank 0 called all_sum',
                       lambda: muster.all_sum(ours, group=child))
        assert (error.rank, error.operation, error.group) == (1 - world.rank(), "all_sum", "tp:0")
        assert (error.termination, error.signal, error.exit_status, error.deadline) == (None,) * 4
        child = world.dup()
        if world.rank() == 0:
            child.set_timeout(0.01)
            error = expect(muster.TimedOutError, "for rank 1", lambda: muster.barrier(group=child))
            assert (error.rank, error.deadline, error.group) == (1, 0.01, None)
        muster.barrier()  # rank 1 is there until then
        expect(ValueError, "a timeout of 0 seconds; expected more than 0, or None", lambda: world.set_timeout(0))
        expect(TypeError, "", lambda: world.set_timeout("long"))
        world.set_timeout(None)
        error = expect(ValueError, "", lambda: world.subset([]))
        assert (error.rank, error.operation) == (None, "subset")
        assert muster.Error("made by a program").rank is None

    def test_a_dead_rank(self):
        @ranks(3)
        def body():
            if muster.init().rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            error = expect(muster.PeerDiedError, "rank 1 was killed by signal 9", muster.barrier)
            assert (error.rank, error.signal, error.exit_status) == (1, signal.SIGKILL, None)
            assert error.termination == "was killed by signal 9 (Killed)"
            rest = muster.init().shrink()
            assert rest.size() == 2

        with self.assertRaisesRegex(AssertionError, "(?s)^rank 1 of 3:\n.*killed by signal 9$"):
            body()

    @ranks(2)
    def test_interrupted_while_waiting(self):
        if muster.init().rank() == 0:
            expect_interrupt(muster.barrier)
        else:
            deadline = time.monotonic() + LIMIT_S
            while time.monotonic() < deadline:  # rank 0 waits, and is interrupted
                try:
                    muster.send(array.array("i", [0] * 100000), 0)  # too long to be buffered
                except muster.AbortedError as error:
                    assert "rank 0 was interrupted" in str(error)
                    return
            raise AssertionError("was not told")

    @ranks(2)
    def test_interrupted_while_attaching(self):
        if os.environ["MUSTER_RANK"] == "0":
            expect_interrupt(muster.init)
        # the other rank never comes

    def test_a_group_of_one(self):
        @ranks(1)
        def body():
            world, x = muster.init(), array.array("i", [1])
            assert (world.rank(), world.size()) == (0, 1)
            assert muster.all_sum(x) is x and muster.all_gather(3) == 3 and muster.sum_scatter(x) is x
            expect(ValueError, "Cannot send to a singleton group", lambda: muster.send(x, 0))
            expect(ValueError, "Cannot recv from a singleton group", lambda: muster.recv((1,), "int32", 0))
            assert world.split(0).size() == 1

        body()


if __name__ == "__main__":
    unittest.main()
