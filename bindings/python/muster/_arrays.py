"""Making arrays of the kind that the caller uses: numpy's where there is numpy, array.array's else."""

import array as _array
import math
import operator

from . import _dtypes, _muster
from ._dtypes import PAIRS, STAND_INS, code_of, name_of

try:
    import numpy as _numpy
except ImportError:  # everything works without it, on what has the buffer protocol
    _numpy = None

_EXPECTED = ('expected an array, such as numpy.array(x, "float32"), torch.tensor(x) or array.array("f", x), a number, or '
             "whatever has the buffer protocol")


def refuse_masked(x):
    """Refuses a masked array: its elements would be taken, and its mask would be lost."""
    if _numpy is not None and _numpy.ma.getmask(x) is not _numpy.ma.nomask:
        raise ValueError("the array is masked, and muster moves elements without a mask; give it x.filled(value), or "
                         "x.data, and the mask by itself")


_KINDS = {bool: "bool", int: "int32", float: "float32", complex: "complex64"}  # MLX's


def _number(x):
    """A number as an array without dimensions, or, where there is no numpy, as an array of one element."""
    kind = next(kind for kind in _KINDS if isinstance(x, kind))
    if kind is int and not -2**31 <= x < 2**31:
        raise OverflowError(f"{x} is no int32, which an int is sent as; give it as an array, such as numpy.array({x})")
    if _numpy is not None:
        return _numpy.array(x, dtype=_KINDS[kind])
    if kind is complex:
        raise TypeError(f"a complex needs numpy; {_EXPECTED}")
    return _cast(bytearray([x]), "?", (1,)) if kind is bool else _array.array("i" if kind is int else "f", [x])


def _tensor(x):
    """A tensor of torch's as one in C order that is what it shows: no gradient, and nothing left to conjugate or negate."""
    if str(x.layout) != "torch.strided":
        raise TypeError(f"the tensor is of layout {x.layout}, whose elements are not all there; give it x.to_dense()")
    if x.device.type == "meta":
        raise TypeError("the tensor is on torch's meta device, where it has no elements")
    return x.detach().resolve_conj().resolve_neg().contiguous()


def refuse_tensor(x):
    """Why a tensor of torch's cannot be written to without a copy, in words; None: there is no such reason."""
    if not hasattr(x, "is_conj"):
        return None
    if x.requires_grad:
        return "it requires a gradient, which would not see it; give x.detach(), which shares its memory, or x.data"
    if str(x.layout) != "torch.strided":
        return f"it is of layout {x.layout}"
    if x.is_conj() or x.is_neg():
        return "it is a conjugate or negative view of another tensor; give x.resolve_conj().resolve_neg()"
    return None


def as_array(x):
    """x as elements in C order: a number as an array without dimensions, of MLX's dtypes for numbers."""
    if isinstance(x, tuple(_KINDS)) and not (_numpy is not None and isinstance(x, _numpy.generic)):
        return _number(x)
    if isinstance(x, (list, tuple)):
        raise ValueError(f"Invalid type {type(x).__name__} received in array initialization; {_EXPECTED}")
    if _numpy is not None and isinstance(x, (_numpy.ndarray, _numpy.generic)):
        return _numpy.ascontiguousarray(x)
    if isinstance(x, memoryview):
        return _cast(bytearray(x.tobytes()), x.format, x.shape)
    if hasattr(x, "resolve_neg"):
        return _tensor(x)
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
    if _numpy is not None and not _dtypes.is_code(view.format):
        return _numpy.empty(shape, _numpy.asarray(view).dtype)
    return _cast(bytearray(count * view.itemsize), view.format, shape)


def _other_kind(dtype):
    if dtype is None:  # numpy's float64
        return None
    try:
        kind = _numpy.dtype(dtype)
    except TypeError:
        return None
    return None if kind.hasobject or kind.itemsize == 0 else kind


def _kind(dtype):
    """numpy's dtype: also of elements that muster only moves, whatever they are."""
    try:
        name = name_of(dtype)
    except ValueError:
        other = _other_kind(dtype)
        if other is None:
            raise
        return other
    if name in PAIRS:
        return dtype if isinstance(dtype, _numpy.dtype) else _numpy.dtype(PAIRS[name])  # whose fields may have other names
    return _numpy.dtype(STAND_INS.get(name, name))


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
    code = code_of(STAND_INS.get(name, name))
    if code is None:
        raise TypeError(f"an array of {name} needs numpy")
    return code, memoryview(bytearray(8)).cast(code).itemsize


def view(block, dtype, shape=None):
    """The beginning of a block of memory as an array of that shape, or all of it."""
    kind = _kind(dtype) if _numpy is not None else None
    code, size = (None, kind.itemsize) if kind is not None else _code(dtype)
    nbytes = memoryview(block).nbytes
    shape, count = _count(nbytes // size if shape is None else shape)
    if count * size > nbytes:
        raise ValueError(f"{shape} of {dtype} is not in a block of {nbytes} bytes")
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
    code = code_of(STAND_INS.get(dtype, dtype))
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


_muster.use_arrays(as_array, result, refuse_masked, refuse_tensor, name_of, None if _numpy is None else _numpy.ndarray)
