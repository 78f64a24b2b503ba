"""Linear layers of quantized weights, and their shards, as MLX has them, for arrays of numpy.

A row of weights is a row of groups, each with a scale and, in the mode "affine", a bias; an element of `bits` bits stands
for scale * element + bias. The elements of a row lie one after the other, the lowest bits first, in words of uint32. This is
MLX's layout, to the bit, so that arrays of a model that MLX has quantized can be used as they are.
"""

import math

import numpy as np

from .._muster import all_sum, init
from ._parts import part_of

_E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], "float32")
_MODES = {"affine": (64, 4), "mxfp4": (32, 4), "mxfp8": (32, 8), "nvfp4": (16, 4)}  # the usual group_size and bits


def _e4m3(codes):
    """8-bit floats of 4 bits of exponent, without infinities."""
    exponent, fraction = (codes >> 3 & 15).astype("int32"), (codes & 7).astype("float32")
    value = np.where(exponent == 0, np.ldexp(fraction, -9), np.ldexp(8 + fraction, exponent - 10))
    value = np.where(codes & 127 == 127, np.nan, value)
    return np.where(codes & 128, -value, value).astype("float32")


def _settings(mode, group_size, bits):
    """group_size and bits, where None is the mode's usual one."""
    if mode not in _MODES:
        raise ValueError(f"quantization mode {mode!r}; expected one of {', '.join(_MODES)}")
    usual = _MODES[mode]
    group_size, bits = group_size or usual[0], bits or usual[1]
    if mode != "affine" and (group_size, bits) != usual:
        raise ValueError(f"mode {mode!r} has groups of {usual[0]} and {usual[1]} bits, not {group_size} and {bits}")
    if group_size not in (16, 32, 64, 128) or bits not in (2, 3, 4, 5, 6, 8):
        raise ValueError(f"groups of {group_size} with {bits} bits; expected groups of 32, 64 or 128 and 2, 3, 4, 5, 6 or 8 bits")
    return group_size, bits


def _elements(words, bits):
    stream = np.unpackbits(np.ascontiguousarray(words).view("uint8"), axis=-1, bitorder="little")
    stream = stream.reshape(*words.shape[:-1], -1, bits)
    return stream @ (1 << np.arange(bits)).astype("uint8")


def _words(elements, bits):
    stream = np.unpackbits(elements[..., None], axis=-1, count=bits, bitorder="little")
    return np.packbits(stream.reshape(*elements.shape[:-1], -1), axis=-1, bitorder="little").view("uint32")


def quantize(w, group_size=None, bits=None):
    """(weight, scales, biases) of an array of floats, as mx.quantize makes them in its mode "affine".

    Groups are of 64 elements of the last axis, and elements of 4 bits, unless said otherwise. scales and biases have w's
    dtype. Errors: ValueError when the last axis is no whole number of groups.

        >>> weight, scales, biases = muster.nn.quantize(np.linspace(0, 1, 32, dtype="float32").reshape(1, 32), 32, 8)
        >>> weight.shape, weight.dtype.name, scales.shape
        ((1, 8), 'uint32', (1, 1))
    """
    group_size, bits = _settings("affine", group_size, bits)
    w = np.asarray(w)
    if w.dtype.kind != "f" or w.ndim < 2 or w.shape[-1] % group_size:
        raise ValueError(f"an array of {w.dtype} of shape {w.shape} is not quantized; expected floats, two dimensions or more, "
                         f"and a last one that is a multiple of group_size, {group_size}")
    groups = w.astype("float32").reshape(*w.shape[:-1], -1, group_size)
    least, most = groups.min(-1), groups.max(-1)
    below = abs(least) > abs(most)
    scale = np.maximum((most - least) / np.float32((1 << bits) - 1), np.float32(1e-7))
    scale, edge = np.where(below, scale, -scale), np.where(below, least, most)
    steps = np.rint(edge / scale)
    scale = np.where(steps != 0, edge / np.where(steps != 0, steps, 1), scale)
    bias = np.where(steps != 0, edge, np.float32(0))
    elements = np.clip(np.rint((groups - bias[..., None]) / scale[..., None]), 0, (1 << bits) - 1)
    return _words(elements.astype("uint8").reshape(w.shape), bits), scale.astype(w.dtype), bias.astype(w.dtype)


def dequantize(w, scales, biases=None, group_size=None, bits=None, mode="affine"):
    """The floats that quantize, or MLX in any of its modes, has made these arrays of: in the dtype of scales, and in
    float32 where scales are 8-bit floats.

        >>> muster.nn.dequantize(*muster.nn.quantize(np.ones((1, 64), "float32")))[0, :2].tolist()
        [1.0, 1.0]
    """
    group_size, bits = _settings(mode, group_size, bits)
    w, scales = np.asarray(w), np.asarray(scales)
    elements = _elements(w, bits)
    elements = elements.reshape(*elements.shape[:-1], -1, group_size)
    if mode == "affine":
        if biases is None:
            raise ValueError('mode "affine" has biases beside scales')
        values = elements.astype(scales.dtype) * scales[..., None] + np.asarray(biases)[..., None]
    else:
        values = _e4m3(elements) if bits == 8 else np.where(elements & 8, -_E2M1[elements & 7], _E2M1[elements & 7])
        scales = _e4m3(scales) if mode == "nvfp4" else np.ldexp(np.float32(1), scales.astype("int32") - 127)
        values = values * scales[..., None]
    return values.reshape(*values.shape[:-2], -1)


class QuantizedLinear:
    """y = x @ dequantize(weight, scales, biases).T + bias. The weights are not trained: backward() has dx alone.

    numpy has no product of quantized matrices: each call makes the floats anew, which are not kept.

        >>> layer = muster.nn.QuantizedLinear.from_linear(muster.nn.Linear(np.ones((2, 64), "float32")))
        >>> layer(np.ones(64, "float32")).tolist()
        [64.0, 64.0]
    """

    def __init__(self, weight, scales, biases=None, bias=None, *, group_size=None, bits=None, mode="affine"):
        self.weight, self.scales = np.asarray(weight), np.asarray(scales)
        self.biases = None if biases is None else np.asarray(biases)
        self.bias = None if bias is None else np.asarray(bias)
        self.group_size, self.bits = _settings(mode, group_size, bits)
        self.mode = mode
        if self.weight.dtype != np.uint32 or self._input_dims() != self.scales.shape[-1] * self.group_size:
            raise ValueError(f"a weight of {self.weight.dtype} of shape {self.weight.shape} and scales of shape "
                             f"{self.scales.shape} are not of {self.bits} bits in groups of {self.group_size}")

    @classmethod
    def from_linear(cls, linear_layer, group_size=None, bits=None):
        """Of a layer that has weight and, perhaps, bias, which stays as it is."""
        bias = getattr(linear_layer, "bias", None)
        return cls(*quantize(linear_layer.weight, group_size, bits), bias, group_size=group_size, bits=bits)

    def _input_dims(self):
        return self.weight.shape[-1] * 32 // self.bits

    def _floats(self):
        return dequantize(self.weight, self.scales, self.biases, self.group_size, self.bits, self.mode)

    def __call__(self, x):
        y = x @ self._floats().T
        return y if self.bias is None else y + self.bias

    def backward(self, x, dy):
        """(dx, {}), when dy is the gradient of the output for x."""
        return dy @ self._floats(), {}

    def __repr__(self):
        return (f"{type(self).__name__}(input_dims={self._input_dims()}, output_dims={self.weight.shape[0]}, "
                f"bias={self.bias is not None}, group_size={self.group_size}, bits={self.bits}, mode={self.mode})")


class _ShardedQuantizedLinear(QuantizedLinear):
    _axis = 0  # of the weight, that is cut
    _words = ""

    def __init__(self, input_dims, output_dims, bias=True, group_size=None, bits=None, mode="affine", group=None, *, rng=None):
        """Random weights, as MLX has them: uniform within 1 / sqrt(input_dims), quantized; rng is numpy's Generator."""
        self.group = group or init()
        self._check(output_dims, input_dims, self.group)
        if mode != "affine":
            raise ValueError(f"weights are quantized in the mode \"affine\" here, not {mode!r}; from_quantized_linear takes "
                             "those that MLX has made in any mode")
        shape = [output_dims, input_dims]
        shape[self._axis] //= self.group.size()
        rng, scale = rng or np.random.default_rng(), math.sqrt(1 / input_dims)
        made = quantize(rng.uniform(-scale, scale, shape).astype("float32"), group_size, bits)
        super().__init__(*made, np.zeros(shape[0], "float32") if bias else None, group_size=group_size, bits=bits)

    @classmethod
    def _check(cls, output_dims, input_dims, group):
        dims = (output_dims, input_dims)[cls._axis]
        if dims % group.size():
            raise ValueError(cls._words.format(dims, group.size()))

    @classmethod
    def from_quantized_linear(cls, quantized_linear_layer, *, segments=1, group=None):
        """This rank's shard of a layer that has weight, scales, group_size, bits and, perhaps, biases, bias and mode."""
        layer, made = quantized_linear_layer, cls.__new__(cls)
        made.group = group or init()
        weight, scales = np.asarray(layer.weight), np.asarray(layer.scales)
        cls._check(weight.shape[0], weight.shape[1] * 32 // layer.bits, made.group)
        if cls._axis and scales.shape[1] % made.group.size():
            raise ValueError(f"rows of {scales.shape[1]} groups of {layer.group_size} weights cannot be sharded across "
                             f"{made.group.size()} devices")
        biases, bias = getattr(layer, "biases", None), getattr(layer, "bias", None)
        if bias is not None:
            bias = np.array(bias) if cls._axis else part_of(np.asarray(bias), segments, 0, made.group)
        parts = [None if array is None else part_of(np.asarray(array), segments, cls._axis, made.group)
                 for array in (weight, scales, biases)]
        QuantizedLinear.__init__(made, *parts, bias, group_size=layer.group_size, bits=layer.bits,
                                 mode=getattr(layer, "mode", "affine"))
        return made


class QuantizedAllToShardedLinear(_ShardedQuantizedLinear):
    """The quantized form of AllToShardedLinear: a part of the outputs. The call communicates nothing; backward() sums dx."""

    _axis = 0
    _words = "Cannot shard the output of size {} across {} devices."

    def backward(self, x, dy):
        """(dx, {}): dx of all ranks together."""
        return all_sum(super().backward(x, dy)[0], group=self.group), {}


class QuantizedShardedToAllLinear(_ShardedQuantizedLinear):
    """The quantized form of ShardedToAllLinear: a part of the inputs. The call sums over the ranks."""

    _axis = 1
    _words = "The input of size {} cannot be sharded across {} devices."

    def __call__(self, x):
        y = all_sum(x @ self._floats().T, group=self.group)
        return y if self.bias is None else y + self.bias
