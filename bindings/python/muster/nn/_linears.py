"""Linear layers whose weights are in shards, one per rank, as MLX's shard_linear makes them, for arrays of numpy.

numpy has no gradients of its own, so each layer has backward(), which communicates where MLX's does.
"""

import math

import numpy as np

from .._muster import all_sum, init
from ._parts import part_of


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
            bias = part_of(np.asarray(bias), segments, 0, made.group)
        Linear.__init__(made, part_of(weight, segments, cls._axis, made.group), None if bias is None else np.array(bias))
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
