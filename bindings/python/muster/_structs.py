"""Where there is no numpy: arrays of the elements that neither array nor memoryview has, complex numbers and pairs. They
are ctypes' arrays of structures, which have the buffer protocol: x[0].real, x[0].index, complex(x[0])."""

import ctypes

from . import _dtypes

_TYPES = {"int32": ctypes.c_int32, "int64": ctypes.c_int64, "float32": ctypes.c_float, "float64": ctypes.c_double}


class _Element(ctypes.Structure):
    def __repr__(self):
        return repr(self.value_of())

    def __eq__(self, other):
        return self.value_of() == (other.value_of() if isinstance(other, _Element) else other)

    __hash__ = None

    def value_of(self):
        """Python's own: a tuple."""
        return tuple(getattr(self, name) for name, _ in self._fields_)


class _Complex(_Element):
    def value_of(self):
        return complex(self.real, self.imag)

    __complex__ = value_of


def _kinds():
    fields = {"complex64": [("real", ctypes.c_float), ("imag", ctypes.c_float)],
              "complex128": [("real", ctypes.c_double), ("imag", ctypes.c_double)]}
    for name, parts in _dtypes.PAIRS.items():
        fields[name] = [(field, _TYPES[kind]) for field, kind in parts]
    return {name: type(name, (_Complex if name.startswith("complex") else _Element,), {"_fields_": those})
            for name, those in fields.items()}


KINDS = _kinds()
_BY_FORMAT = {memoryview(kind()).format: kind for kind in KINDS.values()}


def is_format(format):
    """Whether a buffer of that format has such elements."""
    return format in _BY_FORMAT


def _array(kind, shape):
    for length in reversed(shape):
        kind = kind * length
    return kind


def number(name, x):
    """A complex number as an array of one."""
    made = (KINDS[name] * 1)()
    assign(made, 0, x)
    return made


def like(format, shape, data=None):
    """An array of a buffer's format, in `data` if that is given."""
    kind = _array(_BY_FORMAT[format], shape)
    if data is None or ctypes.sizeof(kind) == 0:
        return kind()
    return kind.from_buffer_copy(data) if memoryview(data).readonly else kind.from_buffer(data)  # sealed, it stays as it is


def make(name, shape, data):
    """An array of a dtype, in `data`."""
    return like(memoryview(KINDS[name]()).format, shape, data)


def size(name):
    return ctypes.sizeof(KINDS[name])


def assign(to, i, value):
    """An element from a number, a tuple, or another element."""
    value = value.value_of() if isinstance(value, _Element) else value
    kind = to._type_
    to[i] = kind(value.real, value.imag) if issubclass(kind, _Complex) else kind(*value)
