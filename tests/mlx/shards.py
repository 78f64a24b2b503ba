"""muster.nn's arrays of numpy beside MLX's own, by the real MLX on the native group: what is quantized and cut has the same
bits, and what layers compute is the same.

    muster run -n 2 -- python shards.py
"""

import mlx.core as mx
import mlx.nn as mlx_nn
import mlx.nn.layers.distributed as mlx_shards
import numpy as np
from mlx.utils import tree_flatten

import muster
import muster.mlx
from muster import nn

MODES = (("mxfp4", 32, 4), ("mxfp8", 32, 8), ("nvfp4", 16, 4))
SHARDINGS = ("all-to-sharded", "sharded-to-all")


def same(ours, theirs, what):
    theirs = np.array(theirs)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, (what, ours.dtype, theirs.dtype, ours.shape, theirs.shape)
    assert ours.tobytes() == theirs.tobytes(), (what, ours.ravel()[:8], theirs.ravel()[:8])


def weights(outputs, inputs, seed=0):
    w = np.random.default_rng(seed).normal(size=(outputs, inputs)).astype("float32")
    w[0, :32], w[1, :32], w[2, :32] = 0, 3, np.arange(32)  # a group of nothing, of one value, and of one sign
    return w


def quantizing():
    for dtype in "float32", "float16":
        for group_size in 32, 64, 128:
            for bits in 2, 3, 4, 5, 6, 8:
                w = weights(6, 256, bits).astype(dtype)
                ours, theirs = nn.quantize(w, group_size, bits), mx.quantize(mx.array(w), group_size, bits)
                for part, mine, other in zip(("weight", "scales", "biases"), ours, theirs):
                    same(mine, other, (part, dtype, group_size, bits))
                same(nn.dequantize(*ours, group_size, bits), mx.dequantize(*theirs, group_size, bits), (dtype, group_size, bits))
    for mode, group_size, bits in MODES:
        theirs = mx.quantize(mx.array(weights(6, 256)), mode=mode)
        ours = nn.dequantize(*(np.array(part) for part in theirs), mode=mode)
        same(ours, mx.dequantize(*theirs, mode=mode, dtype=mx.float32), mode)


def layers(bias):
    linear = mlx_nn.Linear(512, 96, bias=bias)
    yield linear, nn.Linear(np.array(linear.weight), np.array(linear.bias) if bias else None)
    made = [(mlx_nn.QuantizedLinear.from_linear(linear, group_size, bits), nn.QuantizedLinear.from_linear(
        nn.Linear(np.array(linear.weight), np.array(linear.bias) if bias else None), group_size, bits))
        for group_size, bits in ((64, 4), (32, 3), (32, 8))]
    yield from made
    for mode, group_size, bits in MODES:
        layer = mlx_nn.QuantizedLinear.from_linear(linear, group_size, bits, mode=mode)
        yield layer, nn.QuantizedLinear(np.array(layer.weight), np.array(layer.scales), None, np.array(layer.bias) if bias else None,
                                        group_size=group_size, bits=bits, mode=mode)


def sharding(world):
    x = np.random.default_rng(1).normal(size=(3, 512)).astype("float32")
    mine = slice(512 // world.size() * world.rank(), 512 // world.size() * (world.rank() + 1))
    for bias in True, False:
        for theirs, ours in layers(bias):
            assert np.allclose(ours(x), np.array(theirs(mx.array(x))), atol=1e-4), repr(ours)
            for how in SHARDINGS:
                for segments in 1, 2, [0.25]:
                    if segments != 1 and how == "sharded-to-all" and getattr(theirs, "group_size", 1) * 8 > 256:
                        continue
                    a, b = mlx_shards.shard_linear(theirs, how, segments=segments), nn.shard_linear(ours, how, segments=segments)
                    assert type(a).__name__ == type(b).__name__
                    for name, part in tree_flatten(a.parameters()):
                        same(getattr(b, name), part, (repr(b), how, segments, name))
                    part = x if how == "all-to-sharded" else np.ascontiguousarray(x[:, mine])
                    assert np.allclose(b(part), np.array(a(mx.array(part))), atol=1e-4), (repr(b), how)


def in_place(world):
    def net():
        mx.random.seed(3)
        return mlx_nn.Sequential(mlx_nn.Linear(64, 96), mlx_nn.Linear(96, 32, bias=False))

    def predicate(path, array):
        return {"layers.0.weight": (0, 3), "layers.0.bias": 0}.get(path)

    for how in (*SHARDINGS, predicate):
        theirs = net()
        ours = {"layers": [nn.Linear(np.array(layer.weight), np.array(layer.bias) if "bias" in layer else None)
                           for layer in theirs.layers]}
        mlx_shards.shard_inplace(theirs, how)
        nn.shard_inplace(ours, how)
        for name, part in tree_flatten(theirs.parameters()):
            _, at, name = name.split(".")
            same(getattr(ours["layers"][int(at)], name), part, (how, at, name))


def main():
    world = mx.distributed.init(strict=True)
    assert muster.init().size() == world.size()
    quantizing()
    sharding(world)
    in_place(world)
    if world.rank() == 0:
        print("shards: done", flush=True)


if __name__ == "__main__":
    main()
