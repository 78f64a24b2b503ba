"""What calls take and give: spellings of dtypes, numbers, keywords, elements that are only moved, and what is refused, in words."""

import array
import gc
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings
import weakref

import muster
from helpers import LIMIT_S, expect, ints, needs_numpy, np
from muster.testing import ranks

FLOAT_BITS = 0x3f800000  # 1.0, whose double is 0x40000000


class Dtypes(unittest.TestCase):
    @ranks(2)
    def test_spellings(self):
        """Every call takes each, and it means the same with numpy and without."""
        rank = muster.init().rank()
        spellings = {"f": ["float32", "f4", "f", "<f4", "=f4", "single"], "d": ["float64", float, "f8", "double", "float"],
                     "i": ["int32", "i4", "i"], "q": ["int64", int, "i8", "l"], "?": ["bool", bool, "?"], "B": ["u1", "uint8"],
                     "e": ["float16", "half", "f2"]}
        for code, words in spellings.items():
            for word in words:
                made = memoryview(muster.empty(2, word))
                assert made.itemsize == struct.calcsize(code), word
                sent = memoryview(bytearray(made.nbytes)).cast("H" if code == "e" else code)
                muster.send(sent, 1 - rank, dtype=word)
                got = memoryview(muster.recv((2,), word, 1 - rank))
                assert got.nbytes == made.nbytes, word
        for word in "float32", "f4", "f":
            assert muster.all_sum(ints(FLOAT_BITS), dtype=word)[0] == 0x40000000
            assert muster.all_sum_start(ints(FLOAT_BITS), dtype=word).wait()[0] == 0x40000000
            muster.send(ints(FLOAT_BITS), 1 - rank, dtype=word)
            assert muster.recv_into(array.array("f", [0]), 1 - rank)[0] == 1
            assert muster.sendrecv(ints(FLOAT_BITS), rank, rank, dtype=word)[0] == FLOAT_BITS

    @ranks(1)
    def test_what_is_no_dtype(self):
        for wrong in "nonsense", "float33", 3, None, object(), list:
            for call in (lambda: muster.recv((1,), wrong, 0), lambda: muster.empty(2, wrong)):
                expect(ValueError, f"{wrong!r} is no dtype; expected one of bool, int8", call)

    @needs_numpy
    def test_spellings_of_numpy(self):
        @ranks(2)
        def body():
            for word in np.float32, np.dtype("f4"), np.dtype("<f4"):
                assert muster.all_sum(ints(FLOAT_BITS), dtype=word)[0] == 0x40000000
            rank = muster.init().rank()
            pairs = np.dtype([("a", "f4"), ("b", "i4")])
            muster.send(np.array([(1.5, rank)], pairs), 1 - rank)
            got = muster.recv(1, pairs, 1 - rank)
            assert got.dtype == pairs and got[0]["b"] == 1 - rank
            expect(ValueError, "another byte order", lambda: muster.all_sum(ints(1), dtype=np.dtype(">f4")))

        body()

    @unittest.skipIf(np, "there is numpy")
    def test_without_numpy_in_words(self):
        for name in "complex64", "complex128", "float32_int32":
            expect(TypeError, f"an array of {name} needs numpy", lambda name=name: muster.empty(2, name))


class Numbers(unittest.TestCase):
    @ranks(2)
    def test_integers(self):
        def value(x):
            return int(x[0] if hasattr(x, "__len__") and len(getattr(x, "shape", (1,))) else x)

        assert value(muster.all_max(2**31 - 1)) == 2**31 - 1 and value(muster.all_min(-2**31)) == -2**31
        for wrong in 2**31, 2**40, -2**31 - 1, 2**70:
            for call in muster.all_sum, muster.all_gather, lambda x: muster.send(x, 0):
                expect(OverflowError, f"{wrong} is no int32, which an int is sent as; give it as an array", lambda: call(wrong))
        assert value(muster.all_max(True)) == 1 and value(muster.all_min(False)) == 0


class Refused(unittest.TestCase):
    @ranks(2)
    def test_outputs(self):
        for out in b"abcd", memoryview(b"abcd"):
            expect(TypeError, "all_sum(): out is read-only; expected an array that can be written to",
                   lambda: muster.all_sum(bytearray(4), out=out))
        expect(TypeError, "recv_into(): out is read-only", lambda: muster.recv_into(b"abcd", 0))
        expect(TypeError, "out cannot be written to: [1, 2] is no array", lambda: muster.all_sum(ints(1, 2), out=[1, 2]))
        expect(TypeError, "expected an array in C order",
               lambda: muster.all_sum(bytearray(2), out=memoryview(bytearray(4))[::2]))

    @needs_numpy
    def test_outputs_of_numpy(self):
        @ranks(3)
        def body():
            x = np.zeros((2, 3))
            x.flags.writeable = False
            expect(TypeError, "out is read-only", lambda: muster.all_sum(x, out=x))
            expect(TypeError, "out is read-only", lambda: muster.all_sum(x, out=np.broadcast_to(np.zeros(1), (2, 3))))
            expect(ValueError, "out has rows of shape (2,); expected (3,)",
                   lambda: muster.all_gatherv(x, [2, 2, 2], out=np.zeros((9, 2))))
            expect(ValueError, "out has rows of shape (1,); expected (3,)",
                   lambda: muster.all_to_allv(np.zeros((3, 3)), [1] * 3, [1] * 3, out=np.zeros((9, 1))))
            assert muster.all_gatherv(x, [2, 2, 2], out=np.zeros(18)).shape == (18,)

        body()


class Moved(unittest.TestCase):
    """Elements that muster does not know are moved as they are."""

    @needs_numpy
    def test_elements_of_any_size(self):
        @ranks(2)
        def body():
            rank = muster.init().rank()
            kind = np.dtype([("name", "S5"), ("x", "u2"), ("y", "f8", 2)])
            for x in (np.array([(b"abc", rank, [1, 2])], kind), np.array([f"rank {rank}"]), np.array([rank], ">i4"),
                      np.array([rank], "float128")):
                everyone = muster.all_gather(x)
                assert everyone.dtype == x.dtype and everyone[rank] == x[0] and everyone[1 - rank] != x[0]
                assert (muster.all_gatherv(x) == everyone).all()
                assert (muster.all_to_allv(everyone, [1, 1]) == [everyone[rank]] * 2).all()
                request = muster.send_start(x, 1 - rank)
                assert muster.recv(1, x.dtype, 1 - rank)[0] == everyone[1 - rank]
                request.wait()
                assert muster.broadcast(x, 1)[0] == everyone[1]
                for call in (muster.all_sum, muster.sum_scatter, muster.scan, lambda x: muster.reduce_scatterv(x, [1, 0])):
                    expect(ValueError, "no type that muster knows", lambda: call(x))
            for x in np.array([object()]), np.array([(1, None)], [("x", "i4"), ("y", "O")]):
                expect(ValueError, "no type that muster knows", lambda: muster.all_gather(x))

        body()


class Keywords(unittest.TestCase):
    @ranks(2)
    def test_those_of_mlx(self):
        rank, x = muster.init().rank(), ints(1)
        for call in muster.all_sum, muster.all_max, muster.all_min, muster.all_gather:
            assert call(x=x, group=None, stream=None)[0] == call(x)[0]
        assert muster.sum_scatter(x=ints(1, 1), stream=None)[0] == 2
        assert muster.broadcast(root=0, x=x)[0] == 1
        muster.send(x=x, dst=1 - rank, group=None, stream=None)
        assert muster.recv(shape=(1,), dtype="int32", src=1 - rank, group=None, stream=None)[0] == 1
        muster.send(x, 1 - rank)
        assert muster.recv_like(x=x, src=1 - rank, group=None, stream=None)[0] == 1
        expect(TypeError, "all_sum() needs x, the array", lambda: muster.all_sum())
        expect(TypeError, "unexpected keyword argument 'x'", lambda: muster.all_sum(x, x=x))
        expect(TypeError, "takes 1 positional argument, not 2", lambda: muster.all_sum(x, x))

    @ranks(1)
    def test_of_init(self):
        world = muster.init(strict=False, backend="any", all_gather_factory=None)
        for backend in "any", "mpi", "ring", "nccl", "jaccl", "shm":
            assert muster.init(backend=backend) is world and muster.is_available(backend)
        assert not muster.is_available("gloo")
        expect(ValueError, "all_gather_factory is only supported with backend='jaccl'.",
               lambda: muster.init(all_gather_factory=lambda rank, size: None))
        expect(TypeError, "all_gather_factory must be a callable",
               lambda: muster.init(backend="jaccl", all_gather_factory=3))
        assert muster.init(backend="jaccl", all_gather_factory=lambda rank, size: None) is world


class Objects(unittest.TestCase):
    """Groups, Requests and the like as Python's objects."""

    @ranks(2)
    def test_a_group_is_left_at_the_end_of_its_block(self):
        world = muster.init()
        with world.dup() as group:
            assert muster.all_sum(ints(1), group=group)[0] == 2
        expect(ValueError, "this rank has left it", lambda: muster.barrier(group=group))
        expect(ValueError, "this rank has left it", lambda: group.__enter__())
        assert isinstance(repr(group), str)
        with world as same:
            assert same is world
        muster.barrier()  # the world stays
        with world.dup() as group:
            try:
                with group.split(0) as half:
                    raise KeyError
            except KeyError:
                pass
            expect(ValueError, "this rank has left it", lambda: muster.barrier(group=half))
            muster.barrier(group=group)

    @ranks(2)
    def test_the_others_hear_that_a_block_has_failed(self):
        rank = muster.init().rank()
        with muster.init().dup() as group:
            if rank == 0:
                expect(muster.PeerDiedError, "rank 1", lambda: muster.barrier(group=group))

    @ranks(1)
    def test_weak_references(self):
        group = muster.init().dup()
        things = [group, muster.barrier_start(), muster.Message(), muster.Op.create(max), muster.Share(0, group)]
        things[1].wait()
        seen = [weakref.ref(thing) for thing in things]
        assert all(ref() is thing for ref, thing in zip(seen, things))
        table = weakref.WeakKeyDictionary({group: 3})
        assert table[group] == 3
        del things, group
        gc.collect()
        assert [ref() for ref in seen] == [None] * 5 and len(table) == 0

    @ranks(2)
    def test_errors_have_their_parts(self):
        group = muster.init().split(0)
        group.name = "pair"
        error = expect(muster.MismatchError, "pair", lambda: muster.all_sum(ints(*[0] * (1 + group.rank())), group=group))
        assert set(vars(error)) == {"status", "rank", "termination", "signal", "exit_status", "operation", "group", "deadline"}
        assert (vars(error)["operation"], vars(error)["group"]) == ("all_sum", "pair")


class Spawned(unittest.TestCase):
    def test_a_spawned_child_is_no_rank(self):
        program = """
import multiprocessing, muster
def child():
    try:
        muster.init()
    except muster.Error as error:
        print(error)
if __name__ == "__main__":
    muster.init()
    process = multiprocessing.get_context("spawn").Process(target=child)
    process.start(), process.join()
"""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "program.py")
            with open(path, "w") as file:
                file.write(program)
            said = subprocess.run([os.environ["TEST_COMMAND"], "run", "-n", "1", "--", sys.executable, path], text=True,
                                  stdout=subprocess.PIPE, timeout=LIMIT_S).stdout
        self.assertIn("a process that a rank has started (spawn, exec) is no rank itself", said)


if __name__ == "__main__":
    warnings.simplefilter("error")
    unittest.main()
