"""Linear layers whose weights are in shards, one per rank, as MLX's shard_linear makes them, for arrays of numpy.

numpy has no gradients of its own, so each layer has backward(), which communicates where MLX's does.
"""

import math

import numpy as np

from .._muster import all_sum, init


class Linear:
    """y = x @ weight.T + bias. weight has the shape (outputs, inputs), bias (outputs,), or is None."""

    def __init__(self, weight, bias=None):
        self.weight, self.bias = np.asarray(weight), None if bias is None else np.asarray(bias)

    def __call__(self, x):
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias

    def backward(self, x, dy):
        """(dx, {"weight": ..., "bias": ...}): the gradients, when dy is that of the output for x."""
        rows, by_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        gradients = {"weight": by_rows.T @ rows}
        if self.bias is not None:
            gradients["bias"] = by_rows.sum(0)
        return dy @ self.weight, gradients

    def __repr__(self):
        outputs, inputs = self.weight.shape
        return f"{type(self).__name__}(input_dims={inputs}, output_dims={outputs}, bias={self.bias is not None})"


class _ShardedLinear(Linear):
    _axis = 0  # of the weight, that is cut
    _words = ""

    def __init__(self, input_dims, output_dims, bias=True, group=None, *, rng=None):
        """Random weights, as MLX has them: uniform within 1 / sqrt(input_dims), in float32; rng is numpy's Generator."""
        self.group = group or init()
        shape, size = [output_dims, input_dims], self.group.size()
        if shape[self._axis] % size:
            raise ValueError(self._words.format(shape[self._axis], size))
        shape[self._axis] //= size
        rng, scale = rng or np.random.default_rng(), math.sqrt(1 / input_dims)
        super().__init__(rng.uniform(-scale, scale, shape).astype("float32"),
                         rng.uniform(-scale, scale, shape[0]).astype("float32") if bias else None)

    @classmethod
    def from_linear(cls, linear_layer, *, segments=1, group=None):
        """This rank's shard of a layer that has weight and, perhaps, bias."""
        made = cls.__new__(cls)
        made.group = group or init()
        weight, bias = np.asarray(linear_layer.weight), getattr(linear_layer, "bias", None)
        if weight.shape[cls._axis] % made.group.size():
            raise ValueError(cls._words.format(weight.shape[cls._axis], made.group.size()))
        if bias is not None and cls._axis == 0:
            bias = _shard(np.asarray(bias), segments, 0, made.group)
        Linear.__init__(made, _shard(weight, segments, cls._axis, made.group), None if bias is None else np.array(bias))
        return made


class AllToShardedLinear(_ShardedLinear):
    """Every rank has all of x, and a part of the outputs: weight has the shape (outputs / size, inputs).

    The call communicates nothing; backward() sums dx over the ranks.
    """

    _axis = 0
    _words = "Cannot shard the output of size {} across {} devices."

    def backward(self, x, dy):
        """(dx, {"weight": ..., "bias": ...}): dx of all ranks together, and the gradients of this rank's shard."""
        dx, gradients = super().backward(x, dy)
        return all_sum(dx, group=self.group), gradients


class ShardedToAllLinear(_ShardedLinear):
    """Every rank has a part of x, and gets all outputs: weight has the shape (outputs, inputs / size), bias is whole.

    The call sums over the ranks; backward() communicates nothing.
    """

    _axis = 1
    _words = "The input of size {} cannot be sharded across {} devices."

    def __call__(self, x):
        y = all_sum(x @ self.weight.T, group=self.group)
        return y if self.bias is None else y + self.bias


def _segments_of(array, segments, axis):
    """A number: so many of one length; numbers below 1: where they end, as parts of the whole; else where they begin."""
    if isinstance(segments, int):
        if array.shape[axis] % segments:
            raise ValueError(f"axis {axis}, of length {array.shape[axis]}, has no {segments} equal segments")
        return np.split(array, segments, axis)
    if any(isinstance(segment, float) for segment in segments):
        segments = [int(segment * array.shape[axis]) for segment in segments]
    return np.split(array, list(segments), axis)


def _shard(array, segments, axis, group):
    """This rank's part of each segment, one after the other."""
    size, parts = group.size(), _segments_of(array, segments, axis)
    for part in parts:
        if part.shape[axis] % size:
            raise ValueError(f"a segment of length {part.shape[axis]} cannot be sharded across {size} devices")
    return np.concatenate([np.split(part, size, axis)[group.rank()] for part in parts], axis)


def shard_linear(module, sharding, *, segments=1, group=None):
    """A new layer with this rank's shard of module, which has weight and, perhaps, bias, as arrays of numpy.

    sharding: "all-to-sharded" (an AllToShardedLinear) or "sharded-to-all" (a ShardedToAllLinear). segments: of what the
    weight is put together, such as 3 for queries, keys and values; each is sharded by itself.

        >>> from muster.nn import Linear, shard_linear
        >>> up, down = Linear(np.ones((4, 2)), np.ones(4)), Linear(np.ones((2, 4)))
        >>> hidden = shard_linear(up, "all-to-sharded")(np.array([1.0, 2.0]))
        >>> hidden.tolist(), shard_linear(down, "sharded-to-all")(hidden).tolist()
        ([4.0, 4.0], [16.0, 16.0])
    """
    kinds = {"all-to-sharded": AllToShardedLinear, "sharded-to-all": ShardedToAllLinear}
    if sharding not in kinds:
        raise ValueError(f"Sharding type {sharding=} not supported, choose one of 'all-to-sharded' or 'sharded-to-all'")
    return kinds[sharding].from_linear(module, segments=segments, group=group)
