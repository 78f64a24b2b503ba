"""Layers, and whatever else has arrays, in shards: MLX's shard_linear and shard_inplace, for arrays of numpy."""

import inspect

import numpy as np

from .._muster import Group, init
from ._linears import AllToShardedLinear, ShardedToAllLinear
from ._parts import part_of
from ._quantized import QuantizedAllToShardedLinear, QuantizedShardedToAllLinear

_SHARDINGS = ("all-to-sharded", "sharded-to-all")


def _check(sharding):
    if sharding not in _SHARDINGS:
        raise ValueError(f"Sharding type {sharding=} not supported, choose one of 'all-to-sharded' or 'sharded-to-all'")


def shard_linear(module, sharding, *, segments=1, group=None):
    """A new layer with this rank's shard of module, which has weight and, perhaps, bias, as arrays of numpy.

    sharding: "all-to-sharded" (an AllToShardedLinear) or "sharded-to-all" (a ShardedToAllLinear); of a layer that has scales,
    too, as a QuantizedLinear has them, it is a quantized one. segments: of what the weight is put together, such as 3 for
    queries, keys and values; each is sharded by itself.

        >>> from muster.nn import Linear, shard_linear
        >>> up, down = Linear(np.ones((4, 2)), np.ones(4)), Linear(np.ones((2, 4)))
        >>> hidden = shard_linear(up, "all-to-sharded")(np.array([1.0, 2.0]))
        >>> hidden.tolist(), shard_linear(down, "sharded-to-all")(hidden).tolist()
        ([4.0, 4.0], [16.0, 16.0])
    """
    _check(sharding)
    if hasattr(module, "scales"):
        quantized = dict(zip(_SHARDINGS, (QuantizedAllToShardedLinear, QuantizedShardedToAllLinear)))
        return quantized[sharding].from_quantized_linear(module, segments=segments, group=group)
    plain = dict(zip(_SHARDINGS, (AllToShardedLinear, ShardedToAllLinear)))
    return plain[sharding].from_linear(module, segments=segments, group=group)


# ---- in place ----


def _axis_of_outputs(path, array):
    return -1 if path.endswith("bias") else max(array.ndim - 2, 0)


def _axis_of_inputs(path, array):
    return None if path.endswith("bias") else -1


def _parameters(module):
    """(holder, key, value) of what a module consists of: of a dict, a list, or an object with attributes."""
    if isinstance(module, dict):
        return [(module, key, value) for key, value in module.items()]
    if isinstance(module, list):
        return [(module, i, value) for i, value in enumerate(module)]
    if isinstance(module, (np.ndarray, np.generic, Group)) or inspect.ismodule(module) or inspect.isclass(module) or \
            inspect.isroutine(module) or not hasattr(module, "__dict__"):
        return []
    return [(vars(module), key, value) for key, value in vars(module).items() if not key.startswith("_")]


def _arrays_of(module, path, seen):
    """(holder, key, path, array) of each array in a module, once."""
    if id(module) in seen:
        return
    seen.add(id(module))
    for holder, key, value in _parameters(module):
        within = f"{path}.{key}" if path else str(key)
        if isinstance(value, np.ndarray):
            yield holder, key, within, value
        else:
            yield from _arrays_of(value, within, seen)


def shard_inplace(module, sharding, *, segments=1, group=None):
    """Puts this rank's shard in place of each array of module: a layer, another object with arrays as attributes, or a dict or
    a list of these, as deep as they are. Names that begin with _ stay as they are. What the layer computes is left as it is.

    sharding: "all-to-sharded", "sharded-to-all", or a function of an array's path, such as "layers.0.weight", and the array,
    which returns the axis that is cut, or (axis, segments), or None to leave it whole.

    Errors: ValueError, before anything is changed, when an array cannot be cut.

        >>> layer = muster.nn.Linear(np.ones((4, 2)), np.ones(4))
        >>> muster.nn.shard_inplace(layer, "all-to-sharded")
        >>> layer.weight.shape, layer.bias.shape
        ((2, 2), (2,))
    """
    if not callable(sharding):
        _check(sharding)
    find = sharding if callable(sharding) else dict(zip(_SHARDINGS, (_axis_of_outputs, _axis_of_inputs)))[sharding]
    group, changes = group or init(), []
    for holder, key, path, array in _arrays_of(module, "", set()):
        axis, parts = find(path, array), segments
        if isinstance(axis, tuple):
            axis, parts = axis
        elif axis is not None and callable(sharding):
            parts = 1
        if axis is None:
            continue
        if not isinstance(axis, int):
            raise ValueError("The sharding function should return int or tuple[int, list]")
        changes.append((holder, key, part_of(array, parts, axis, group)))
    for holder, key, part in changes:
        holder[key] = part
