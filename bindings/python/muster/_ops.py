"""Operations of the program's own, for all_reduce and whatever else takes op."""

import atexit
import contextlib
import math
import operator
import struct

from . import _arrays, _dtypes, _muster

_NAME_BYTES_MAX = 15


class Op:
    """How elements are combined, in place of op="sum" and the like. Made by Op.create and Op.premul_sum.

    The elements of all ranks are combined in the order of ranks, whatever the operation.
    """

    __slots__ = ("commutative", "_function", "_name", "_number", "_factor", "__weakref__")

    def __init__(self):
        raise TypeError("muster.Op is made by Op.create(function) or Op.premul_sum(factor, dtype)")

    @classmethod
    def create(cls, function, name=None, *, commutative=False):
        """The operation of a function, which is given two arrays a and b of one dimension, element by element: any
        number of elements, part by part. It returns the combined elements, or None when it has changed a.

        All ranks that reduce together give their operations one name, of at most 15 bytes; without one it is the
        function's. commutative is for the reader, as in MPI. bfloat16 and 8-bit floats are given as the integers that
        have their bits. The arrays are copies, so the function may keep them; it must not call muster.

        What the function raises, the call raises, and the other ranks get AbortedError: the group is broken.

            >>> gcd = muster.Op.create(np.gcd)
            >>> muster.all_reduce(np.array([12, 7 + rank]) * (rank + 1), op=gcd).tolist()
            [12, 1]
        """
        if not callable(function):
            raise TypeError(f"Op.create() takes a function of two arrays, not {function!r}")
        if name is None:
            name = getattr(function, "__name__", type(function).__name__)
            name = name.encode()[:_NAME_BYTES_MAX].decode(errors="ignore")
        if not 0 < len(name.encode()) <= _NAME_BYTES_MAX or not name.isprintable():
            raise ValueError(f"the name {name!r} of an operation has {len(name.encode())} bytes; expected 1 to "
                             f"{_NAME_BYTES_MAX}, and no control characters")
        made = cls.__new__(cls)
        made.commutative, made._function, made._name = commutative, function, name.encode()
        made._number = made._factor = None
        return made

    @classmethod
    def premul_sum(cls, factor, dtype):
        """The sum of each rank's elements, multiplied by that rank's factor. dtype is that of the arrays; a factor of
        8-bit floats is given as the one byte of its element.

            >>> weighted = muster.Op.premul_sum(rank + 1, "float32")
            >>> muster.all_reduce(np.ones(2, "float32"), op=weighted).tolist()
            [3.0, 3.0]
        """
        number, element = _dtypes.number_of(dtype), _element(factor, _dtypes.name_of(dtype))
        made = cls.__new__(cls)
        made.commutative, made._function, made._name, made._number = True, None, b"premul_sum", None
        made._factor = element, _dtypes.name_of(dtype)
        made._number = _muster.premul_sum(number, element)
        return made

    def __copy__(self):  # its number is freed with it
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):  # the number is this process's: another one makes its own
        if self._factor is not None:
            return Op.premul_sum, self._factor
        return _create, (self._function, self._name.decode(), self.commutative)

    def __repr__(self):
        return f"<muster.Op {self._name.decode()}>"

    def __del__(self):
        with contextlib.suppress(Exception):  # one that was not made, or a module that is gone
            if self._number is not None:
                _muster.op_free(self._number)


def _create(function, name, commutative):
    return Op.create(function, name, commutative=commutative)


def _element(factor, name):
    """The bytes of one element of a dtype."""
    if isinstance(factor, (bytes, bytearray, memoryview)):
        return bytes(factor)
    try:
        return _packed(factor, name)
    except (struct.error, OverflowError):
        raise ValueError(f"the factor {factor!r} is no {name}") from None


def _packed(factor, name):
    """In the struct module's "=", since its native floats turn what is too large into infinity."""
    if name.startswith("complex"):
        factor = complex(factor)
        return struct.pack("=ff" if name == "complex64" else "=dd", factor.real, factor.imag)
    if name == "bfloat16":
        return struct.pack("H", _upper_half(float(factor)))
    code = _dtypes.code_of(name)
    if code is None:
        raise ValueError(f"a factor of {name} is given as bytes, of one element")
    return struct.pack("=" + code, float(factor) if code in "efd" else operator.index(factor))


def _upper_half(number):
    """That of a float32, rounded to nearest even."""
    if number != number:
        return 0x7fc0
    bits, = struct.unpack("I", struct.pack("=f", number))
    half = bits + 0x7fff + (bits >> 16 & 1) >> 16
    if half & 0x7fff == 0x7f80 and abs(number) != math.inf:
        raise OverflowError
    return half


def _combine(function, acc, following, dtype):
    """acc = function(acc, following), for the binding: a bytearray and bytes, which nobody else uses."""
    a, b = _arrays.elements(acc, dtype), _arrays.elements(following, dtype)
    result = function(a, b)
    if result is not None and result is not a:
        _arrays.assign(a, result)


_muster.use_ops(Op, _combine)
atexit.register(_muster.end_ops)
