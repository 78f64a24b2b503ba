"""Names of dtypes: every call takes each spelling, and all mean the same whether there is numpy or not."""

try:
    import numpy as _numpy
except ImportError:
    _numpy = None

# What arrays have no elements of: those of their size that stand for them; and pairs, by their fields.
STAND_INS = {"bfloat16": "uint16", "float8_e4m3": "uint8", "float8_e5m2": "uint8"}
if _numpy is None:
    STAND_INS["float16"] = "uint16"  # memoryview has none
PAIRS = {name: [("value", name.split("_")[0]), ("index", name.split("_")[1])]
         for name in ("int32_int32", "int64_int64", "float32_int32", "float64_int64")}

# muster_dtype's names in its order, and so their numbers.
NAMES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128 "
         "float8_e4m3 float8_e5m2").split() + list(PAIRS)

_CODES = {  # the struct module's
    "bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
    "float16": "e", "float32": "f", "float64": "d",
}

# numpy's other spellings of these, also those of torch and MLX.
_ALIASES = {code: name for name, code in _CODES.items()} | {
    "l": "int64", "L": "uint64", "F": "complex64", "D": "complex128", "b1": "bool",
    "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64",
    "f2": "float16", "f4": "float32", "f8": "float64", "c8": "complex64", "c16": "complex128",
    "half": "float16", "single": "float32", "double": "float64", "float": "float64", "int": "int64", "complex": "complex128",
    "float8_e4m3fn": "float8_e4m3", "bool_": "bool",
}
_TYPES = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}


_MARK = "muster"  # in the metadata of numpy's dtypes: what integers stand for; view.c reads it, too


def numpy_dtype(name):
    """numpy's dtype that has a dtype's elements, or integers that stand for them, and say so."""
    if name in STAND_INS:
        return _numpy.dtype(STAND_INS[name], metadata={_MARK: name})
    return _numpy.dtype(PAIRS.get(name, name))


def _is_small_integer(dtype):
    return dtype.kind in "iu" and dtype.itemsize <= 2 and dtype.isnative


def marked(dtype, name):
    """numpy's dtype of integers, as one that says that they stand for elements of the dtype of that name, or for none."""
    if not _is_small_integer(dtype):
        return dtype
    return _numpy.dtype(dtype.type, metadata={_MARK: name}) if name in STAND_INS else _numpy.dtype(dtype.type)


def _of_numpy(dtype):
    """The name of numpy's dtype."""
    mark = (dtype.metadata or {}).get(_MARK)
    if mark in STAND_INS and _is_small_integer(dtype) and dtype.itemsize == _numpy.dtype(STAND_INS[mark]).itemsize:
        return mark
    if not dtype.isnative:
        raise ValueError(f"{dtype} is of another byte order than this machine's; convert it by "
                         f"x.astype({dtype.newbyteorder('=')!s})")
    if dtype.fields is not None:
        kinds = "_".join(field[0].name for field in dtype.fields.values())
        return kinds if kinds in PAIRS and dtype.itemsize == pair_bytes(kinds) else str(dtype)
    return dtype.name


def pair_bytes(name):
    return 16 if "64" in name else 8


def name_of(dtype):
    """muster's name of a dtype: of "float32", "f4", float, numpy's, torch's or MLX's. ValueError: it is none."""
    if isinstance(dtype, str):
        name = dtype.lstrip("=@<|") if len(dtype) > 1 else dtype
    elif isinstance(dtype, type) and dtype in _TYPES:
        name = _TYPES[dtype]
    elif _numpy is not None and (isinstance(dtype, _numpy.dtype) or
                                 isinstance(dtype, type) and issubclass(dtype, _numpy.generic)):
        name = _of_numpy(_numpy.dtype(dtype))
    elif _numpy is not None and isinstance(dtype, (list, tuple)):  # fields
        name = _of_numpy(_numpy.dtype(dtype))
    else:  # torch.float32, mlx.core.float32, a class of ml_dtypes
        name = getattr(dtype, "__name__", None) or str(getattr(dtype, "name", dtype))
        name = name.rsplit(".", 1)[-1]
    name = _ALIASES.get(name, name)
    if name not in NAMES:
        raise ValueError(f"{dtype!r} is no dtype; expected one of {', '.join(NAMES)}, or numpy's or torch's word for it")
    return name


def number_of(dtype):
    """muster_dtype's number."""
    return NAMES.index(name_of(dtype))


def stand_in(dtype):
    """The name of a dtype whose elements arrays have as others of their size; None: arrays have it."""
    try:
        name = name_of(dtype)
    except ValueError:  # elements that muster only moves
        return None
    return name if name in STAND_INS else None


def code_of(name):
    """The struct module's; None: it has none."""
    return _CODES.get(name)


def is_code(code):
    return code in _CODES.values()
