"""Tensors as memory that muster moves and combines: their elements in C order, by address.

What is only moved may be of any type: one that muster does not know goes as bytes. What is combined is of a type that
muster can combine so, or is refused in words.
"""

import contextlib

import torch
import torch.distributed as dist

from .. import _muster

# muster_dtype's names in its order, and so their numbers.
_NAMES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128 "
          "float8_e4m3fn float8_e5m2").split()
_NUMBERS = {getattr(torch, name): number for number, name in enumerate(_NAMES)}
_UINT8, INT64 = _NUMBERS[torch.uint8], _NUMBERS[torch.int64]
_OPS = {"SUM": 0, "PRODUCT": 1, "MAX": 2, "MIN": 3, "AVG": 4, "BAND": 5, "BOR": 6, "BXOR": 7}  # as muster_op

# muster._muster.raw's calls, by number.
(ALL_REDUCE, REDUCE, BROADCAST, ALL_GATHER, GATHER, REDUCE_SCATTER, SCATTER, ALL_TO_ALL, BARRIER, SEND,
 RECV) = range(11)


def check(tensor):
    """Refuses what does not lie in this machine's memory, element by element."""
    if tensor.layout is not torch.strided:
        raise NotImplementedError(f"muster moves dense tensors, and this one is {tensor.layout}; use to_dense()")
    if tensor.device.type != "cpu":
        raise NotImplementedError(f"muster moves tensors in this machine's memory, and this one is on "
                                  f"{tensor.device}; copy it to the CPU")
    if tensor.is_quantized:
        raise NotImplementedError(f"muster does not move quantized tensors, and this one is {tensor.dtype}; "
                                  "use int_repr()")
    return tensor


def elements(tensor):
    """The tensor, or a copy in C order of what it stands for."""
    tensor = check(tensor).detach()
    return tensor.resolve_conj().resolve_neg().contiguous()


class Into:
    """A tensor as a place for results: itself, or, if it is not in C order, a copy that is copied back."""

    def __init__(self, tensor):
        self._tensor = check(tensor).detach()
        self._place = elements(self._tensor)

    def __enter__(self):
        return self._place

    def __exit__(self, kind, *error):
        if kind is None and self._place is not self._tensor and not self._is_itself():
            self._tensor.copy_(self._place)

    def _is_itself(self):
        return (self._place.data_ptr() == self._tensor.data_ptr() and self._tensor.is_contiguous()
                and not self._tensor.is_neg() and not self._tensor.is_conj())


def how_moved(tensor):
    """(dtype, its elements per element of the tensor), for what only moves."""
    if tensor.dtype in _NUMBERS:
        return _NUMBERS[tensor.dtype], 1
    return _UINT8, tensor.element_size()


def name_of(op):
    """SUM and the like."""
    for name in ("SUM", "AVG", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR", "PREMUL_SUM"):
        if op == getattr(dist.ReduceOp, name, None):  # in this order: only what options hold can compare
            return name
    return str(op)


def how_combined(tensor, op):
    """(dtype, a context whose value is muster's op)."""
    name = name_of(op)
    real = tensor.is_floating_point() or tensor.is_complex()
    if name == "AVG" and not real:
        raise NotImplementedError(f"AVG of {tensor.dtype}: muster averages floating-point tensors only, as the mean of "
                                  "integers is none; use SUM, and divide as you mean it")
    if name in ("BAND", "BOR", "BXOR") and real:
        raise NotImplementedError(f"{name} of {tensor.dtype}: muster combines the bits of integers and of bool only")
    if tensor.dtype not in _NUMBERS:
        raise NotImplementedError(f"muster cannot reduce {tensor.dtype} by {name}; convert the tensor first")
    if name == "PREMUL_SUM":
        return _NUMBERS[tensor.dtype], _premultiplied(tensor.dtype, op.__getstate__()[1])
    if name not in _OPS:
        raise NotImplementedError(f"muster has no reduction {name}; expected {', '.join(_OPS)} or PREMUL_SUM")
    return _NUMBERS[tensor.dtype], contextlib.nullcontext(_OPS[name])


def _is_too_large(factor, dtype):
    parts = torch.view_as_real(factor.to("cpu", torch.complex128))
    return bool((parts.isfinite() & (parts.abs() > torch.finfo(dtype).max)).any())


def _premultiplied(dtype, factor):
    if dtype is torch.bool:
        raise NotImplementedError("PREMUL_SUM of torch.bool: it has no products; convert the tensor first")
    given = torch.as_tensor(factor, dtype=None if isinstance(factor, torch.Tensor) else torch.float64).detach()
    element = given.to("cpu", dtype).reshape(1)
    if dtype.is_floating_point or dtype.is_complex:
        fits = not _is_too_large(given, dtype)
    else:
        fits = element.item() == given.item()
    if not fits:
        raise NotImplementedError(f"PREMUL_SUM of {dtype} by {given.item()}, which is not of that type; convert the tensor first")
    return _Made(_NUMBERS[dtype], bytes(element.view(torch.uint8).tolist()))


class _Made:
    """A premultiplied sum, from when it is needed until it is not."""

    def __init__(self, dtype, factor):
        self._arguments = dtype, factor

    def __enter__(self):
        self._op = _muster.premul_sum(*self._arguments)
        return self._op

    def __exit__(self, *error):
        _muster.op_free(self._op)


def call(what, group, into=None, source=None, count=0, dtype=0, op=0, peer=0):
    """One of the calls above on tensors in C order, which it keeps until it returns."""
    _muster.raw(what, group, 0 if source is None else source.data_ptr(), 0 if into is None else into.data_ptr(),
                count, dtype, op, peer)


def describe(dtype, count):
    return f"{str(dtype).removeprefix('torch.')} x {count}"
