"""Making arrays of the kind that the caller uses: numpy's where there is numpy, array.array's else."""

import array as _array
import math
import operator
import sys

from . import _dtypes, _muster, _structs
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


def refuse_addresses(x, call):
    """Refuses what is not bytes in truth: objects and pointers, which mean nothing in another process."""
    if type(x) in (bytes, bytearray):
        return
    refuse_masked(x)
    try:
        format = memoryview(x).format
    except (TypeError, ValueError):  # without a buffer, or elements that a buffer has no word for, such as dates
        format = "O" if getattr(getattr(x, "dtype", None), "hasobject", False) else ""
    if _muster.holds_addresses(format):
        raise ValueError(f"{call}(): the elements are objects or addresses, which mean nothing in another process; give "
                         "bytes, such as pickle.dumps(x)")


_KINDS = {bool: "bool", int: "int32", float: "float32", complex: "complex64"}  # MLX's


def _number(x):
    """A number as an array without dimensions, or, where there is no numpy, as an array of one element."""
    kind = next(kind for kind in _KINDS if isinstance(x, kind))
    if kind is int and not -2**31 <= x < 2**31:
        raise OverflowError(f"{x} is no int32, which an int is sent as; give it as an array, such as numpy.array({x})")
    if _numpy is not None:
        return _numpy.array(x, dtype=_KINDS[kind])
    if kind is complex:
        return _structs.number("complex64", x)
    return _cast(bytearray([x]), "?", (1,)) if kind is bool else _array.array("i" if kind is int else "f", [x])


def _tensor(x):
    """A tensor of torch's as one in C order that is what it shows: no gradient, and nothing left to conjugate or negate."""
    if str(x.layout) != "torch.strided":
        raise TypeError(f"the tensor is of layout {x.layout}, whose elements are not all there; give it x.to_dense()")
    if x.device.type == "meta":
        raise TypeError("the tensor is on torch's meta device, where it has no elements")
    return x.detach().resolve_conj().resolve_neg().contiguous()


_BITS = {"float8_e4m3fn": "float8_e4m3"}  # what ml_dtypes calls it: muster's name


def _word_for(x):
    """For an array of numpy's of which numpy gives no buffer: a type that has its bits, and muster's name of its own, or None."""
    if _numpy is None or not isinstance(x, (_numpy.ndarray, _numpy.generic)) or x.dtype.hasobject:
        return None
    try:
        memoryview(x)
    except (TypeError, ValueError):  # which numpy raises for types that the struct module has no word for
        pass
    else:
        return None
    name = _BITS.get(x.dtype.name, x.dtype.name)
    if name in STAND_INS:
        return STAND_INS[name], name
    return ("int64" if x.dtype.kind in "mM" else f"V{x.dtype.itemsize}"), None


_STRINGS = ("numpy keeps strings of any length (StringDType) elsewhere, and the elements are their addresses; give "
            "numpy.array(x.tolist()), whose elements are the characters, or move the list by broadcast_object and the like")


def _is_of_strings(dtype):
    return _numpy is not None and isinstance(dtype, _numpy.dtype) and dtype.kind == "T"


def _why_no_elements(x):
    if _is_of_strings(getattr(x, "dtype", None)):
        return _STRINGS
    words = _word_for(x)
    if words is None:
        return None
    bits, name = words
    return f"numpy gives no elements of {x.dtype}; give x.view('{bits}')" + (f" and dtype='{name}'" if name else "")


def refuse_to_receive(x, call):
    """Refuses an array that was made to receive into, and that cannot be."""
    if _is_of_strings(getattr(x, "dtype", None)):
        raise TypeError(f"{call}(): {_STRINGS}")
    words = _word_for(x)
    if words is not None:
        raise TypeError(f"{call}(): numpy gives no elements of {x.dtype}; receive {words[1] or words[0]}, and view that as it")


def refuse_tensor(x):
    """Why an array or a tensor cannot be written to without a copy, in words; None: there is no such reason."""
    why = _why_no_elements(x)
    if why is not None:
        return why
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
        why = _why_no_elements(x)
        if why is not None:
            raise TypeError(why)
        return _numpy.ascontiguousarray(x)
    if isinstance(x, memoryview) and _structs.is_format(x.format):
        return _structs.like(x.format, x.shape, bytearray(x.tobytes()))
    if isinstance(x, memoryview):
        return _cast(bytearray(x.tobytes()), _native(x), x.shape)
    if hasattr(x, "resolve_neg"):
        return _tensor(x)
    if isinstance(x, (_array.array, bytes, bytearray)):
        return x
    raise TypeError(f"{type(x).__name__} has no elements that can be read; {_EXPECTED}")


def elements_and_shape(x):
    """x, or what as_array makes of it, and its shape."""
    if hasattr(x, "shape"):
        return x, tuple(x.shape)
    try:
        return x, memoryview(x).shape  # mmap, ctypes
    except TypeError:
        if hasattr(x, "__dlpack__"):
            found = _muster.elements_of(x)
            if found is not None:
                return x, found[1]
        like = as_array(x)
        return like, tuple(like.shape if hasattr(like, "shape") else memoryview(like).shape)


_INTEGERS = {1: "b", 2: "h", 4: "i", 8: "q"}


def _native(view):
    """The format of a memoryview as its cast() takes it: ctypes and others say the order of bytes, which is this machine's."""
    code = view.format.lstrip("@=<")
    if len(code) != 1 or code not in "bhilqnBHILQN":
        return code
    return _INTEGERS[view.itemsize] if code.islower() else _INTEGERS[view.itemsize].upper()


def _cast(data, code, shape):
    view = memoryview(data)
    return view.cast(code, shape) if 0 not in shape else view.cast(code)


def result(x, shape, name=None):
    """A new array of x's kind and element type, and of that shape; `name` is what the elements were said to be."""
    if _numpy is not None and isinstance(x, (_numpy.ndarray, _numpy.generic)):
        return _numpy.empty(shape, x.dtype if name is None else _dtypes.marked(x.dtype, name))
    if hasattr(x, "new_empty"):  # torch
        return x.detach().new_empty(shape)
    try:
        view = memoryview(x)
    except TypeError:  # it has DLPack alone
        return _like_dlpack(x, shape)
    count = 1
    for length in shape:
        count *= length
    if isinstance(x, _array.array):
        return _array.array(x.typecode, bytes(count * view.itemsize))
    if _numpy is None and _structs.is_format(view.format):
        return _structs.like(view.format, shape)
    code = _native(view)
    if _numpy is not None and not _dtypes.is_code(view.format) and code != "c":
        return _numpy.empty(shape, code if _dtypes.is_code(code) else _numpy.asarray(view).dtype)
    try:
        return _cast(bytearray(count * view.itemsize), code, shape)
    except (ValueError, NotImplementedError):
        raise TypeError(f"an array of elements of format {view.format!r} needs numpy; {_ELSE}") from None


_ELSE = "give out=, or receive by recv_into"


def _like_dlpack(x, shape):
    """numpy's, or a memoryview; not of elements that both have as others of their size."""
    found = _muster.elements_of(x) if hasattr(x, "__dlpack__") else None
    if found is None or found[0] in STAND_INS:
        what = "which has no buffer" if found is None else f"as neither array nor numpy has elements of {found[0]}"
        raise TypeError(f"muster cannot make an array like a {type(x).__name__}, {what}; {_ELSE}")
    return make(shape, found[0])


def _other_kind(dtype):
    if dtype is None:  # numpy's float64
        return None
    try:
        kind = _numpy.dtype(dtype)
    except TypeError:
        return None
    if _is_of_strings(kind):
        raise TypeError(_STRINGS)
    return None if kind.hasobject or kind.itemsize == 0 or kind.subdtype is not None else kind


def _kind(dtype):
    """numpy's dtype: also of elements that muster only moves, whatever they are."""
    try:
        name = name_of(dtype)
    except ValueError:
        other = _other_kind(dtype)
        if other is None:
            raise
        return other
    if name in PAIRS and isinstance(dtype, _numpy.dtype):
        return dtype  # whose fields may have other names
    return _dtypes.numpy_dtype(name)


def _count(shape):
    """A shape as a tuple, and how many elements that is."""
    try:
        lengths = (operator.index(shape),)
    except TypeError:
        try:
            lengths = tuple(map(operator.index, shape))
        except TypeError:
            raise TypeError(f"a shape of {shape!r}; expected a number of elements, or a sequence of lengths") from None
    shape = lengths
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape} has a negative length")
    return shape, math.prod(shape)


def _bytes_of(shape, count, size):
    if count * size > sys.maxsize:
        raise MemoryError(f"an array of shape {shape} has {count * size} bytes, which no memory has")
    return count * size


def make(shape, dtype, memory=None):
    """An array of that shape, in `memory` if that is given."""
    shape, count = _count(shape)
    if _numpy is not None:
        kind = _kind(dtype)
        nbytes = _bytes_of(shape, count, kind.itemsize)
        data = bytearray(nbytes) if memory is None else memory(nbytes)
        return _numpy.frombuffer(data, kind, count).reshape(shape) if count else _numpy.empty(shape, kind)
    nbytes = _bytes_of(shape, count, _size(dtype))
    return _within(bytearray(nbytes) if memory is None else memory(nbytes), dtype, shape)


def _size(dtype):
    """Without numpy: the bytes of an element."""
    name = name_of(dtype)
    if name in _structs.KINDS:
        return _structs.size(name)
    return memoryview(bytearray(8)).cast(code_of(STAND_INS.get(name, name))).itemsize


def _within(data, dtype, shape):
    """Without numpy: bytes as an array of that shape."""
    name = name_of(dtype)
    return _structs.make(name, shape, data) if name in _structs.KINDS else _cast(data, code_of(STAND_INS.get(name, name)), shape)


def view(block, dtype, shape=None):
    """The beginning of a block of memory as an array of that shape, or all of it."""
    kind = _kind(dtype) if _numpy is not None else None
    size = kind.itemsize if kind is not None else _size(dtype)
    nbytes = memoryview(block).nbytes
    shape, count = _count(nbytes // size if shape is None else shape)
    if count * size > nbytes:
        raise ValueError(f"{shape} of {dtype} is not in a block of {nbytes} bytes")
    if kind is not None:
        return _numpy.frombuffer(block, kind, count).reshape(shape) if count else _numpy.empty(shape, kind)
    return _within(memoryview(block)[:count * size], dtype, shape)


def view_like(block, x, code, shape):
    """A block of memory as an array of x's kind; `code` and `shape` are those of its buffer."""
    if _numpy is not None:
        return view(block, _numpy.asarray(x).dtype, shape)
    if _structs.is_format(code):
        return _structs.like(code, shape, block)
    return _cast(memoryview(block), code, shape)


# ---- for operations of the program's ----


def elements(data, dtype):
    """Bytes as elements of a dtype that the binding names."""
    if _numpy is not None:
        return _numpy.frombuffer(data, _kind(dtype))
    if dtype in _structs.KINDS:
        return _structs.make(dtype, (len(data) // _structs.size(dtype),), data)
    return memoryview(data).cast(code_of(STAND_INS.get(dtype, dtype)))


def assign(to, values):
    """Copies what a function has returned to the elements that it was asked for."""
    if _numpy is None:
        values = list(values)
        if len(values) != len(to):
            raise ValueError(f"the function has returned {len(values)} elements for {len(to)}")
        for i, value in enumerate(values):
            if isinstance(to, memoryview):
                to[i] = value
            else:
                _structs.assign(to, i, value)
        return
    refuse_masked(values)
    if _numpy.shape(values) != to.shape:
        raise ValueError(f"the function has returned an array of shape {_numpy.shape(values)} for two of {to.shape}")
    _numpy.copyto(to, values, casting="same_kind")


_muster.use_arrays(as_array, result, refuse_masked, refuse_tensor, name_of, None if _numpy is None else _numpy.ndarray)
