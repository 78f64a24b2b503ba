"""What calls take and give: spellings of dtypes, numbers, keywords, elements that are only moved, and what is refused, in words."""

import array
import ctypes
import gc
import mmap
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

HALF_BITS = 0x3c00  # 1.0, whose double is 0x4000


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
        half = array.array("H", [HALF_BITS])
        for word in "float16", "f2", "e", "half":
            assert muster.all_sum(half, dtype=word)[0] == 0x4000
            assert muster.all_sum_start(half, dtype=word).wait()[0] == 0x4000
            muster.send(half, 1 - rank, dtype=word)
            got = memoryview(muster.recv(1, "float16", 1 - rank))
            assert bytes(got) == bytes(half)
            assert muster.sendrecv(half, rank, rank, dtype=word)[0] == HALF_BITS

    @ranks(2)
    def test_dtype_converts_nothing(self):
        floats, numbers = array.array("f", [1.5]), ints(3)
        for x, word in (floats, "int32"), (numbers, "float32"), (numbers, "uint32"), (array.array("q", [1]), "float64"):
            expect(ValueError, f"dtype says {word}, which converts nothing", lambda: muster.all_sum(x, dtype=word))
        expect(ValueError, "the elements are float32", lambda: muster.recv_into(floats, 0, dtype="int32"))
        assert muster.all_sum(floats, dtype="float32")[0] == 3.0
        if np is not None:
            expect(ValueError, "the elements are float16", lambda: muster.all_sum(np.ones(1, "f2"), dtype="bfloat16"))

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
                assert muster.all_sum(array.array("f", [1]), dtype=word)[0] == 2
            rank = muster.init().rank()
            pairs = np.dtype([("a", "f4"), ("b", "i4")])
            muster.send(np.array([(1.5, rank)], pairs), 1 - rank)
            got = muster.recv(1, pairs, 1 - rank)
            assert got.dtype == pairs and got[0]["b"] == 1 - rank
            expect(ValueError, "another byte order", lambda: muster.all_sum(ints(1), dtype=np.dtype(">f4")))

        body()


class DLPack:
    """Elements of which nothing but DLPack tells, of these codes and bits."""

    class Tensor(ctypes.Structure):
        _fields_ = [("data", ctypes.c_void_p), ("device", ctypes.c_int32 * 2), ("dimensions", ctypes.c_int32), ("code", ctypes.c_uint8),
                    ("bits", ctypes.c_uint8), ("width", ctypes.c_uint16), ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
                    ("offset", ctypes.c_uint64), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]

    def __init__(self, elements, code, bits, shape):
        self.kept = elements, (ctypes.c_int64 * len(shape))(*shape)
        self.tensor = self.Tensor(elements.buffer_info()[0], (1, 0), len(shape), code, bits, 1, ctypes.addressof(self.kept[1]))

    def __dlpack__(self, **more):
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return make(ctypes.addressof(self.tensor), b"dltensor", None)

    def __dlpack_device__(self):
        return 1, 0


class Kinds(unittest.TestCase):
    """Whatever has the buffer protocol or DLPack; what has no elements is told by its dtype."""

    @ranks(2)
    def test_ctypes_and_mmap(self):
        rank = muster.init().rank()
        for kind, value in (ctypes.c_int, 3), (ctypes.c_long, 1 << 40), (ctypes.c_double, 0.5), (ctypes.c_uint8, 7), (ctypes.c_float, 2):
            x = (kind * 4)(*[value] * 4)
            assert memoryview(muster.all_sum(x)).tolist() == [2 * value] * 4, kind
            assert memoryview(muster.all_gatherv(x)).tolist() == [value] * 8, kind
            muster.send(x, 1 - rank)
            assert memoryview(muster.recv_like(x, 1 - rank)).tolist() == [value] * 4, kind
        block = mmap.mmap(-1, 4)
        block[:] = b"abcd"
        assert bytes(muster.all_gatherv(block)) == b"abcdabcd" and bytes(muster.broadcast(block)) == b"abcd"
        muster.send(block, 1 - rank)
        assert bytes(muster.recv_like(block, 1 - rank)) == b"abcd"
        assert bytes(muster.all_gather(memoryview(b"ab").cast("c"))) == b"abab"

    @ranks(2)
    def test_dlpack_alone(self):
        class Tensor:
            def __dlpack__(self, **more):
                return np.ones(3).__dlpack__()

            def __dlpack_device__(self):
                return 1, 0

        class Other(Tensor):
            """Of which numpy cannot be asked: it gives its elements once."""
            given = False

            def __dlpack__(self, **more):
                if self.given:
                    raise BufferError
                self.given = True
                return super().__dlpack__()

        expect(TypeError, "an array like a object, which has no buffer; give out=, or receive by recv_into",
               lambda: muster.recv_like(type("object", (), {"shape": ()})(), 0))
        if np is None:
            return
        assert muster.all_sum(Tensor()).tolist() == [2, 2, 2]
        expect(TypeError, "an array like a Other, which has no buffer; give out=", lambda: muster.all_sum(Other()))
        assert muster.all_sum(Other(), out=np.zeros(3)).tolist() == [2, 2, 2]

    @ranks(2)
    def test_dlpack_alone_with_numpy_and_without(self):
        rank = muster.init().rank()
        x = DLPack(array.array("f", [1, 2, 3, 4, 5, 6]), 2, 32, (2, 3))
        for got in muster.all_sum(x), muster.sendrecv(x, rank, rank), muster.all_gatherv(x), muster.broadcast(x):
            assert memoryview(got).shape in ((2, 3), (4, 3)) and memoryview(got).format == "f"
        muster.send(x, 1 - rank)
        got = memoryview(muster.recv_like(x, 1 - rank))
        assert got.tolist() == [[1, 2, 3], [4, 5, 6]]
        halves = DLPack(array.array("H", [0x3f80]), 4, 16, (1,))  # bfloat16
        expect(TypeError, "an array like a DLPack, as neither array nor numpy has elements of bfloat16; give out=",
               lambda: muster.all_sum(halves))
        assert muster.all_sum(halves, out=array.array("H", [0]), dtype="bfloat16")[0] == 0x4000
        if np is None:
            z = DLPack(array.array("f", [1, 2]), 5, 64, (1,))
            assert muster.all_sum(z)[0] == 2 + 4j

    @needs_numpy
    def test_elements_that_numpy_does_not_give(self):
        @ranks(2)
        def body():
            days = np.array(["2020-01-01"], "M8[D]")
            for call in muster.broadcast, muster.all_gatherv:
                expect(TypeError, "numpy gives no elements of datetime64[D]; give x.view('int64')", lambda: call(days))
            expect(TypeError, "out cannot be written to without a copy: numpy gives no elements of datetime64[D]",
                   lambda: muster.recv_into(days, 0))
            error = expect(TypeError, "recv(): numpy gives no elements of datetime64[s]; receive int64, and view that as it",
                           lambda: muster.recv(3, "M8[s]", 0))
            assert "out" not in str(error) and "recv_into" not in str(error)
            expect(TypeError, "recv(): message: expected", lambda: muster.recv(3, "int32", 0, message=3))
            assert muster.broadcast(days.view("int64")).view("M8[D]") == days
            try:
                import ml_dtypes
            except ImportError:
                return
            for name, bits, ours in ("bfloat16", "uint16", "bfloat16"), ("float8_e4m3fn", "uint8", "float8_e4m3"):
                x = np.ones(2, getattr(ml_dtypes, name))
                expect(TypeError, f"no elements of {name}; give x.view('{bits}') and dtype='{ours}'", lambda: muster.all_sum(x))
                assert muster.all_sum(x.view(bits), dtype=ours).view(x.dtype).tolist() == [2, 2]

        body()


    @needs_numpy
    def test_integers_that_stand_for_floats_say_so(self):
        """muster's own arrays of bfloat16 and 8-bit floats are these everywhere, without dtype=."""
        @ranks(2)
        def body():
            rank = muster.init().rank()
            for name, one, two in ("bfloat16", 0x3f80, 0x4000), ("float8_e4m3", 0x38, 0x40), ("float8_e5m2", 0x3c, 0x40):
                x = muster.empty((2, 4), name)
                x[:] = one
                total = muster.all_sum(x)
                for y in (total, muster.all_sum(x[0]), muster.all_sum(x[:, ::2]), muster.all_sum(x.copy()), muster.all_sum(x, dtype=name),
                          muster.all_sum(x, out=np.empty_like(x)), muster.sum_scatter(x), muster.all_sum_start(x).wait()):
                    assert (y == two).all(), (name, y)
                assert (muster.all_sum(muster.all_max(x)) == two).all()  # a result is like x
                assert muster.reduce_scatterv(x, [1, 1]).tolist() == [[two] * 4]
                assert (muster.all_sum(x.view(x.dtype.name)) == 2 * one % 2**(8 * x.itemsize)).all()  # integers, when asked for
                assert (muster.all_sum(x, dtype=x.dtype.name) == 2 * one % 2**(8 * x.itemsize)).all()
                bits = np.full((2, 4), one, x.dtype.name)
                expect(ValueError, f"out has 8 elements of {name}; expected 8 of {x.dtype.name}", lambda: muster.all_sum(bits, out=x))
                expect(ValueError, f"out has 8 elements of {x.dtype.name}; expected 8 of {name}", lambda: muster.all_sum(x, out=bits))

                for plain in bits, bits.view(x.dtype.name[1:]):  # a result says what its elements were said to be
                    for y in (muster.all_sum(plain, dtype=name), muster.all_max(plain, dtype=name), muster.broadcast(plain, dtype=name),
                              muster.all_sum_start(plain, dtype=name).wait(), muster.sum_scatter(plain, dtype=name), muster.scan(plain, dtype=name),
                              muster.sendrecv(plain, 1 - rank, 1 - rank, dtype=name)):
                        assert y.dtype == plain.dtype and y.dtype.metadata == {"muster": name}, (name, y.dtype)
                        assert (muster.all_max(y) == muster.all_max(y, dtype=name)).all()
                    total = muster.all_sum(plain, dtype=name)
                    assert (muster.all_sum(total) == muster.all_sum(total, dtype=name)).all()
                    assert muster.all_gather(total).dtype.metadata == {"muster": name}
                    assert plain.dtype.metadata is None and muster.all_sum(plain).dtype.metadata is None
                assert not muster.all_sum(x, dtype=x.dtype.name).dtype.metadata  # integers, when asked for

                came = muster.Message()
                request = muster.send_start(x, 1 - rank)
                got = muster.recv(x.shape, x.dtype, 1 - rank, message=came)
                request.wait()
                assert (came.dtype, came.count) == (name, 8) and (muster.all_sum(got) == two).all()
                request = muster.send_start(got, 1 - rank)
                assert (muster.all_sum(muster.recv_like(x, 1 - rank)) == two).all()
                request.wait()
                request = muster.send_start(bits, 1 - rank, dtype=name)
                muster.recv_into(x, 1 - rank)
                request.wait()
                share = muster.Share(x.nbytes)
                share.at(rank, name, 4)[:] = one
                assert (muster.all_sum(share.at(rank, name, 4)) == two).all()
                assert (muster.all_sum(share.peer(rank, share.at(rank, name, 4))) == two).all()

        body()

    @unittest.skipIf(np is None or not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"), "there is no numpy 2")
    def test_strings_of_any_length(self):
        @ranks(2)
        def body():
            kind, names = np.dtypes.StringDType(), np.array(["a", "b" * 40], np.dtypes.StringDType())
            words = "numpy keeps strings of any length (StringDType) elsewhere"
            for call in (muster.broadcast, muster.all_gather, muster.all_gatherv, muster.all_sum, lambda x: muster.send(x, 0),
                         lambda x: muster.recv_like(x, 0), lambda x: muster.recv_into(x, 0), muster.all_to_all,
                         lambda x: muster.broadcast(np.zeros(2), out=x), lambda x: muster.empty(2, kind),
                         lambda x: muster.recv(2, kind, 0)):
                expect(TypeError, words, lambda: call(names))
            assert muster.broadcast(np.array(names.tolist())).tolist() == names.tolist()

        body()


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

    @ranks(2)
    def test_shapes(self):
        for call in (lambda shape: muster.recv(shape, "f4", 0)), (lambda shape: muster.empty(shape, "f4")):
            for shape in 2.5, "ab", (2, 2.5), None, [[1]]:
                expect(TypeError, f"a shape of {shape!r}; expected a number of elements, or a sequence of lengths", lambda: call(shape))
            expect(ValueError, "has a negative length", lambda: call((2, -1)))
            expect(MemoryError, f"an array of shape ({1 << 62}, 4) has {1 << 66} bytes", lambda: call((1 << 62, 4)))
        if np is not None:
            expect(ValueError, "('f4', (2,)) is no dtype", lambda: muster.recv(1, ("f4", (2,)), 0))

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
        for backend in "any", "muster", "mpi", "ring", "nccl", "jaccl", "shm":
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
        assert repr(group) == "<muster.Group: left>"
        for call in (group.rank, group.size, group.check, group.abort, lambda: group.name, lambda: setattr(group, "name", "a")):
            expect(ValueError, "this rank has left the group", call)
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

    @ranks(2)
    def test_sentences_are_of_python(self):
        with muster.init().dup() as group:
            expect(ValueError, "expected 0 or more, or -1 to join no group", lambda: group.split(-2))
            request = muster.recv_start(1, "int32", 1 - group.rank(), group=group)
            expect(muster.Error, "call wait() on each Request, then leave the group", group.__exit__)
            assert request.cancel()
            expect(ValueError, "embedded null", lambda: setattr(group, "name", "a\0b"))
            expect(ValueError, "pairs, such as float32_int32", lambda: muster.all_reduce(ints(1), op="maxloc", group=group))

    @ranks(1)
    def test_timeouts(self):
        queue, share, world, request = muster.Queue(4, 8), muster.Share(8), muster.init(), muster.barrier_start()
        calls = (lambda limit: queue.push(b"a", timeout=limit), lambda limit: share.wait_signal(0, timeout=limit), world.set_timeout,
                 lambda limit: muster.attach("/muster-python-none", 0, 1, timeout=limit),
                 request.wait, lambda limit: ranks(1, timeout=limit))
        for call in calls:
            expect(ValueError, "a timeout of nan seconds", lambda: call(float("nan")))
            expect(TypeError, "a timeout of '5'; expected a number of seconds", lambda: call("5"))
        request.wait()
        share.put_signal(0)
        share.wait_signal(0, timeout=float("inf"))
        for endless in float("inf"), 1e300:
            queue.push(b"a", timeout=endless)
            muster.attach(f"/muster-python-endless-{os.getpid()}", 0, 1, timeout=endless, attach_timeout=endless)
            ranks(1, timeout=endless)
        expect(TypeError, "a test that hangs must end", lambda: ranks(1, timeout=None))
        expect(ValueError, "timeout: a timeout of nan", lambda: muster.init(timeout=float("nan")))

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


class Subinterpreters(unittest.TestCase):
    def test_they_cannot_import_it(self):
        """Neither as the first nor after the main one; some of them refuse modules like this themselves."""
        try:
            import _xxsubinterpreters  # noqa: F401
        except ImportError:
            self.skipTest("this Python has other subinterpreters, which refuse by themselves")
        for before in "", "import muster":
            program = f"""
{before}
import _xxsubinterpreters
made = _xxsubinterpreters.create(isolated=False)
_xxsubinterpreters.run_string(made, '''
try:
    import muster
except ImportError as error:
    print("refused:", error, flush=True)
''')
_xxsubinterpreters.destroy(made)
import muster
muster.barrier()
print("works")
"""
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
            assert "refused:" in done.stdout and "subinterpreter" in done.stdout and "works" in done.stdout, (done.stdout, done.stderr)


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
