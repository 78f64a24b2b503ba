"""Making arrays of the kind that the caller uses: numpy's where there is numpy, array.array's else."""

import array as _array
import contextlib
import math
import operator

from . import _muster

try:
    import numpy as _numpy
except ImportError:  # everything works without it, on what has the buffer protocol
    _numpy = None

_CODES = {
    "bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
    "float16": "e", "float32": "f", "float64": "d",
}

# What numpy has not: elements of the same size; and pairs, by their fields.
_STAND_INS = {"bfloat16": "uint16", "float8_e4m3": "uint8", "float8_e5m2": "uint8"}
_PAIRS = {name: [("value", name.split("_")[0]), ("index", name.split("_")[1])]
          for name in ("int32_int32", "int64_int64", "float32_int32", "float64_int64")}

# muster_dtype's names in its order, and so their numbers.
_NAMES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128 "
          "float8_e4m3 float8_e5m2").split() + list(_PAIRS)

_EXPECTED = ('expected an array, such as numpy.array(x, "float32"), torch.tensor(x) or array.array("f", x), a number, or '
             "whatever has the buffer protocol")


def refuse_masked(x):
    """Refuses a masked array: its elements would be taken, and its mask would be lost."""
    if _numpy is not None and _numpy.ma.getmask(x) is not _numpy.ma.nomask:
        raise ValueError("the array is masked, and muster moves elements without a mask; give it x.filled(value), or "
                         "x.data, and the mask by itself")


def as_array(x):
    """x as elements in C order: a number as an array without dimensions, of MLX's dtypes for numbers."""
    if isinstance(x, (bool, int, float, complex)):
        kind = next(k for k in (bool, int, float, complex) if isinstance(x, k))
        if _numpy is not None:
            names = {bool: "bool", int: "int32", float: "float32", complex: "complex64"}
            return _numpy.array(x, dtype=names[kind])
        if kind in (int, float):
            return _array.array("i" if kind is int else "f", [x])
        raise TypeError(f"a {kind.__name__} needs numpy; {_EXPECTED}")
    if isinstance(x, (list, tuple)):
        raise ValueError(f"Invalid type {type(x).__name__} received in array initialization; {_EXPECTED}")
    if _numpy is not None and isinstance(x, _numpy.ndarray):
        return _numpy.ascontiguousarray(x)
    if isinstance(x, memoryview):
        return _cast(bytearray(x.tobytes()), x.format, x.shape)
    if hasattr(x, "contiguous"):  # torch
        return x.detach().contiguous()
    if isinstance(x, (_array.array, bytes, bytearray)):
        return x
    raise TypeError(f"{type(x).__name__} has no elements that can be read; {_EXPECTED}")


def _cast(data, code, shape):
    view = memoryview(data)
    return view.cast(code, shape) if 0 not in shape else view.cast(code)


def result(x, shape):
    """A new array of x's kind and element type, and of that shape."""
    if _numpy is not None and isinstance(x, (_numpy.ndarray, _numpy.generic)):
        return _numpy.empty(shape, x.dtype)
    if hasattr(x, "new_empty"):  # torch
        return x.detach().new_empty(shape)
    view = memoryview(x)
    count = 1
    for length in shape:
        count *= length
    if isinstance(x, _array.array):
        return _array.array(x.typecode, bytes(count * view.itemsize))
    if _numpy is not None and view.format not in _CODES.values():
        return _numpy.empty(shape, _numpy.asarray(view).dtype)
    return _cast(bytearray(count * view.itemsize), view.format, shape)


def name_of(dtype):
    """The name of a dtype: a string, or something of numpy's, MLX's or torch's that has one."""
    if isinstance(dtype, str):
        return dtype
    if _numpy is not None:
        try:
            return _numpy.dtype(dtype).name
        except TypeError:
            pass
    return str(getattr(dtype, "name", dtype)).rsplit(".", 1)[-1].rstrip("_")


def number_of(dtype):
    """muster_dtype's number."""
    name = name_of(dtype)
    if name not in _NAMES:
        raise ValueError(f"{name!r} is no dtype; expected one of: {', '.join(_NAMES)}")
    return _NAMES.index(name)


def stand_in(dtype):
    """The name of a dtype whose elements arrays have as others of their size; None: arrays have it."""
    name = name_of(dtype)
    return name if name in _STAND_INS else None


def code_of(name):
    """The struct module's; None: it has none."""
    return _CODES.get(name)


def _kind(dtype):
    """numpy's dtype."""
    name = name_of(dtype)
    if name in _PAIRS:
        return _numpy.dtype(_PAIRS[name])
    if not isinstance(dtype, str):
        with contextlib.suppress(TypeError):
            if _numpy.dtype(dtype).fields:
                return _numpy.dtype(dtype)
    return _numpy.dtype(_STAND_INS.get(name, name))


def _count(shape):
    """A shape as a tuple, and how many elements that is."""
    try:
        shape = (operator.index(shape),)
    except TypeError:
        shape = tuple(shape)
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape} has a negative length")
    return shape, math.prod(shape)


def make(shape, dtype, memory=None):
    """An array of that shape, in `memory` if that is given."""
    shape, count = _count(shape)
    if _numpy is not None:
        kind = _kind(dtype)
        data = bytearray(count * kind.itemsize) if memory is None else memory(count * kind.itemsize)
        return _numpy.frombuffer(data, kind, count).reshape(shape) if count else _numpy.empty(shape, kind)
    code, size = _code(dtype)
    data = bytearray(count * size) if memory is None else memory(count * size)
    return _cast(data, code, shape)


def _code(dtype):
    """Without numpy: the struct module's code of a dtype, and the bytes of an element."""
    name = name_of(dtype)
    code = _CODES.get(_STAND_INS.get(name, name), "H")
    return code, memoryview(bytearray(8)).cast(code).itemsize


def view(block, dtype, shape=None):
    """The beginning of a block of memory as an array of that shape, or all of it."""
    kind = _kind(dtype) if _numpy is not None else None
    code, size = (None, kind.itemsize) if kind is not None else _code(dtype)
    nbytes = memoryview(block).nbytes
    shape, count = _count(nbytes // size if shape is None else shape)
    if count * size > nbytes:
        raise ValueError(f"{shape} of {name_of(dtype)} is not in a block of {nbytes} bytes")
    if kind is not None:
        return _numpy.frombuffer(block, kind, count).reshape(shape) if count else _numpy.empty(shape, kind)
    return _cast(memoryview(block)[:count * size], code, shape)


def view_like(block, x, code, shape):
    """A block of memory as an array of x's kind; `code` and `shape` are those of its buffer."""
    if _numpy is not None:
        return view(block, _numpy.asarray(x).dtype, shape)
    return _cast(memoryview(block), code, shape)


# ---- for operations of the program's ----


def elements(data, dtype):
    """Bytes as elements of a dtype that the binding names."""
    if _numpy is not None:
        return _numpy.frombuffer(data, _kind(dtype))
    code = _CODES.get(_STAND_INS.get(dtype, dtype))
    if code is None:
        raise TypeError(f"a function that combines {dtype} needs numpy")
    return memoryview(data).cast(code)


def assign(to, values):
    """Copies what a function has returned to the elements that it was asked for."""
    if _numpy is None:
        values = list(values)
        if len(values) != len(to):
            raise ValueError(f"the function has returned {len(values)} elements for {len(to)}")
        for i, value in enumerate(values):
            to[i] = value
        return
    refuse_masked(values)
    if _numpy.shape(values) != to.shape:
        raise ValueError(f"the function has returned an array of shape {_numpy.shape(values)} for two of {to.shape}")
    _numpy.copyto(to, values, casting="same_kind")


_muster.use_arrays(as_array, result, refuse_masked, None if _numpy is None else _numpy.ndarray)
