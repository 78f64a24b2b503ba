"""Complex numbers and pairs where there is no numpy: arrays of ctypes' structures. With numpy the same structures are given."""

import ctypes
import unittest

import muster
from helpers import expect, np
from muster.testing import ranks

without_numpy = unittest.skipIf(np, "there is numpy")


def numbers(kind=ctypes.c_float, count=2):
    structure = type("Number", (ctypes.Structure,), {"_fields_": [("real", kind), ("imag", kind)]})
    return (structure * count)()


class Structures(unittest.TestCase):
    @ranks(2)
    def test_those_of_the_program(self):
        """Two floats called real and imag are a complex number; others are only moved."""
        rank = muster.init().rank()
        for kind, dtype in (ctypes.c_float, "complex64"), (ctypes.c_double, "complex128"):
            x = numbers(kind)
            x[1] = (1, rank + 1)
            out = numbers(kind)
            muster.all_sum(x, out=out)
            assert (out[1].real, out[1].imag) == (2, 3)
            muster.all_max(x, out=out)  # by the real part, then by the other one
            assert (out[1].real, out[1].imag) == (1, 2)
            request, message = muster.send_start(x, 1 - rank), muster.Message()
            got = muster.recv_like(x, 1 - rank, message=message)
            request.wait()
            assert message.dtype == dtype and complex(got[1]["real"] if np else got[1].real) == 1
        point = type("Point", (ctypes.Structure,), {"_fields_": [("x", ctypes.c_float), ("y", ctypes.c_float)]})
        expect(ValueError, "no type that muster knows", lambda: muster.all_sum((point * 1)()))


@without_numpy
class Complex(unittest.TestCase):
    @ranks(2)
    def test_arrays(self):
        rank = muster.init().rank()
        for dtype, nbytes in ("complex64", 8), ("F", 8), (complex, 16), ("c16", 16):
            x = muster.empty((2, 3), dtype)
            assert memoryview(x).shape == (2, 3) and memoryview(x).nbytes == 6 * nbytes
            x[1][2] = (1, rank)
            total = muster.all_sum(x)
            assert complex(total[1][2]) == 2 + 1j and total[1][2] == 2 + 1j and repr(total[1][2]) == "(2+1j)"
            assert [x.real for x in muster.all_gather(x)[3]] == [0, 0, 1]
            muster.send(x, 1 - rank)
            assert muster.recv((2, 3), dtype, 1 - rank)[1][2] == 1 + (1 - rank) * 1j
            muster.send(x, 1 - rank)
            assert muster.recv_like(x, 1 - rank)[1][2] == 1 + (1 - rank) * 1j
            assert len(muster.all_gatherv(x)) == 4 and memoryview(muster.broadcast(x)).shape == (2, 3)
            assert memoryview(muster.all_sum(memoryview(x)))[:0].ndim == 2
        assert memoryview(muster.empty((0, 3), "complex64")).shape == (0, 3)
        assert memoryview(muster.recv((0,), "complex64", muster.RANK_NONE) or b"").nbytes == 0

    @ranks(2)
    def test_numbers(self):
        rank = muster.init().rank()
        assert muster.all_sum(1 + 2j)[0] == 2 + 4j
        muster.send(3j, 1 - rank)
        assert muster.recv(1, "complex64", 1 - rank)[0] == 3j
        assert [complex(x) for x in muster.all_gather(rank + 1j)] == [1j, 1 + 1j]

    @ranks(2)
    def test_operations(self):
        rank = muster.init().rank()
        product = muster.Op.create(lambda a, b: [complex(x) * complex(y) for x, y in zip(a, b)], "product")
        assert muster.all_reduce(1 + 1j, op=product)[0] == 2j
        weighted = muster.Op.premul_sum(1j * (rank + 1), "complex64")
        assert muster.all_reduce(2 + 0j, op=weighted)[0] == 6j

    @ranks(2)
    def test_shares(self):
        share = muster.Share(64)
        rank = muster.init().rank()
        mine = share.at(rank, "complex128", (2,))
        mine[1] = (rank, 1)
        muster.barrier()
        assert share.at(1 - rank, "complex128")[1] == 1 - rank + 1j and share.peer(1 - rank, mine)[1] == 1 - rank + 1j
        muster.barrier()
        del mine
        share.seal()
        assert share.at(1 - rank, "complex128")[1] == 1 - rank + 1j


@without_numpy
class Pairs(unittest.TestCase):
    @ranks(2)
    def test_where_the_largest_is(self):
        rank = muster.init().rank()
        for dtype in "int32_int32", "int64_int64", "float32_int32", "float64_int64":
            x = muster.empty(2, dtype)
            x[0], x[1] = (3 + rank, 10 + rank), (-rank, 20 + rank)
            most = muster.all_reduce(x, op="maxloc")
            assert [(pair.value, pair.index) for pair in most] == [(4, 11), (0, 20)] and most[0] == (4, 11)
            muster.send(x, 1 - rank)
            assert muster.recv(2, dtype, 1 - rank)[0] == (4 - rank, 11 - rank)


if __name__ == "__main__":
    unittest.main()
