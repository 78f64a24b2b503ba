"""Making arrays of the kind that the caller uses: numpy's where there is numpy, array.array's else."""

import array as _array
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

_EXPECTED = ('expected an array, such as numpy.array(x, "float32"), torch.tensor(x) or array.array("f", x), a number, or '
             "whatever has the buffer protocol")


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


def _name(dtype):
    """The name of a dtype: a string, or something of numpy's, MLX's or torch's that has one."""
    if isinstance(dtype, str):
        return dtype
    if _numpy is not None:
        try:
            return _numpy.dtype(dtype).name
        except TypeError:
            pass
    return str(getattr(dtype, "name", dtype)).rsplit(".", 1)[-1].rstrip("_")


def make(shape, dtype, memory=None):
    """An array of that shape, in `memory` if that is given."""
    name = _name(dtype)
    try:
        shape = (operator.index(shape),)
    except TypeError:
        shape = tuple(shape)
    count = 1
    for length in shape:
        if length < 0:
            raise ValueError(f"shape {shape} has a negative length")
        count *= length
    if _numpy is not None:
        kind = _numpy.dtype(_STAND_INS.get(name, name))
        data = bytearray(count * kind.itemsize) if memory is None else memory(count * kind.itemsize)
        return _numpy.frombuffer(data, kind, count).reshape(shape) if count else _numpy.empty(shape, kind)
    code = _CODES.get(_STAND_INS.get(name, name), "H")
    size = memoryview(bytearray(8)).cast(code).itemsize
    data = bytearray(count * size) if memory is None else memory(count * size)
    return _cast(data, code, shape)


def view(block, dtype, shape=None):
    """The beginning of a block of memory as an array of that shape, or all of it."""
    name = _name(dtype)
    if _numpy is not None:
        kind = _numpy.dtype(_STAND_INS.get(name, name))
        size = kind.itemsize
    else:
        code = _CODES.get(_STAND_INS.get(name, name), "H")
        size = memoryview(bytearray(8)).cast(code).itemsize
    nbytes = memoryview(block).nbytes
    if shape is None:
        shape = nbytes // size
    try:
        shape = (operator.index(shape),)
    except TypeError:
        shape = tuple(shape)
    count = 1
    for length in shape:
        count *= length
    if min(shape, default=0) < 0 or count * size > nbytes:
        raise ValueError(f"{shape} of {name} is not in a block of {nbytes} bytes")
    if _numpy is not None:
        return _numpy.frombuffer(block, kind, count).reshape(shape) if count else _numpy.empty(shape, kind)
    return _cast(memoryview(block)[:count * size], code, shape)


_muster.use_arrays(as_array, result)
