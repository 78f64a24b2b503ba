"""muster.nn: averages of gradients and sharded linear layers are what one rank would compute."""

import collections
import unittest

import muster
from helpers import expect, needs_numpy, np, run_examples
from muster.testing import ranks

if np is not None:
    import muster.nn
    from muster.nn import (AllToShardedLinear, Linear, QuantizedAllToShardedLinear, QuantizedLinear,
                           QuantizedShardedToAllLinear, ShardedToAllLinear, average_gradients, shard_inplace,
                           shard_linear)

Pair = collections.namedtuple("Pair", "first second")


@needs_numpy
class Gradients(unittest.TestCase):
    def test_trees(self):
        @ranks(3)
        def body():
            rank = muster.init().rank()

            def tree(of):
                return {"w": np.full((2, 3), of), "layers": [{"b": np.full(4, of, "float32")}, (np.full((), of), None)],
                        "pair": Pair(np.full(0, of), np.full(5, of * 1j)), 7: np.full(2, of, "float16")}

            given = tree(3.0 * rank)
            if rank == 1:  # in another order
                given = dict(reversed(given.items()))
            for size in 32 << 20, 20, 0, -1:
                got = average_gradients(given, all_reduce_size=size)
                assert list(got) == list(given) and type(got["pair"]) is Pair and type(got["layers"][1]) is tuple
                wanted = tree(3.0)
                for path in (lambda t: t["w"], lambda t: t["layers"][0]["b"], lambda t: t["layers"][1][0],
                             lambda t: t["pair"].first, lambda t: t["pair"].second, lambda t: t[7]):
                    assert path(got).dtype == path(wanted).dtype and path(got).shape == path(wanted).shape
                    assert (path(got) == path(wanted)).all()
                assert got["layers"][1][1] is None and given["w"][0, 0] == 3.0 * rank
            for empty in {}, [], None:
                assert average_gradients(empty) == empty
            expect(TypeError, "gradients['w'][1] is of int64; gradients are arrays of floats",
                   lambda: average_gradients({"w": [np.ones(1), np.ones(1, int)]}))

        body()

    @ranks(2)
    def test_a_mask_is_not_lost(self):
        expect(ValueError, "the array is masked",
               lambda: average_gradients({"w": [np.ma.masked_array(np.ones(2), [0, 1])]}))

    def test_buckets(self):
        """As many all_sums as MLX's tests expect of mlx.nn.average_gradients."""
        @ranks(2)
        def body():
            from muster.nn import _gradients

            calls, whole = [], _gradients.all_sum
            _gradients.all_sum = lambda x, **more: calls.append(x.size) or whole(x, **more)
            gradients = [np.ones(10, "float32") for _ in range(10)]
            for options, expected in (({}, 1), ({"all_reduce_size": 200}, 2), ({"all_reduce_size": 0}, 10)):
                calls.clear()
                got = average_gradients(gradients, **options)
                assert len(calls) == expected and all((g == 1).all() and g.dtype == np.float32 for g in got)
            calls.clear()
            average_gradients([np.ones(10, "float32"), np.ones(10), np.ones(10, "float32")])
            assert sorted(calls) == [10, 20]  # one bucket for each dtype

        body()

    def test_keys_that_are_objects(self):
        """Which ranks name differently, as they do by address, are taken as they come; others in any order."""
        class Parameter:
            def __init__(self, name):
                self.name = name

            def __repr__(self):
                return f"parameter {self.name if muster.init().rank() else 9 - self.name}"

        @ranks(2)
        def body():
            keys = [Parameter(1), Parameter(2)]
            got = average_gradients({key: np.full(key.name, float(key.name)) for key in keys})
            assert [got[key].tolist() for key in keys] == [[1.0], [2.0, 2.0]]
            names = [(1, "w"), b"b", 2.5, True, "x"]
            of = {name: np.full(i + 1, float(i)) for i, name in enumerate(names)}
            got = average_gradients(of if muster.init().rank() else dict(reversed(of.items())))
            assert [got[name].tolist() for name in names] == [[float(i)] * (i + 1) for i in range(5)]

        body()

    def test_in_a_group(self):
        @ranks(4)
        def body():
            rank = muster.init().rank()
            half = muster.init().split(rank % 2)
            assert average_gradients([np.array([1.0 * rank])], half)[0][0] == rank % 2 + 1
            alone = muster.init().split(rank)
            tree = {"w": np.ones(2, int)}
            assert average_gradients(tree, alone) is tree

        body()


@needs_numpy
class Linears(unittest.TestCase):
    @staticmethod
    def random(*shape):
        return np.random.default_rng(7).normal(size=shape)

    def test_forward_and_backward(self):
        def body():
            rank, size = muster.init().rank(), muster.init().size()
            up, down = Linear(self.random(8, 6), self.random(8)), Linear(self.random(3, 8), self.random(3))
            x, dy = self.random(2, 5, 6), self.random(2, 5, 3)
            up_mine, down_mine = shard_linear(up, "all-to-sharded"), shard_linear(down, "sharded-to-all")
            assert isinstance(up_mine, AllToShardedLinear) and isinstance(down_mine, ShardedToAllLinear)
            hidden, hidden_mine = up(x), up_mine(x)
            mine = slice(8 // size * rank, 8 // size * (rank + 1))
            assert np.allclose(hidden_mine, hidden[..., mine]) and np.allclose(down_mine(hidden_mine), down(hidden))
            dh, down_gradients = down.backward(hidden, dy)
            dx, up_gradients = up.backward(x, dh)
            dh_mine, down_own = down_mine.backward(hidden_mine, dy)
            dx_mine, up_own = up_mine.backward(x, dh_mine)
            assert np.allclose(dh_mine, dh[..., mine]) and np.allclose(dx_mine, dx)
            assert np.allclose(down_own["weight"], down_gradients["weight"][:, mine])
            assert np.allclose(down_own["bias"], down_gradients["bias"])
            assert np.allclose(up_own["weight"], up_gradients["weight"][mine])
            assert np.allclose(up_own["bias"], up_gradients["bias"][mine])
            assert repr(up_mine) == f"AllToShardedLinear(input_dims=6, output_dims={8 // size}, bias=True)"

        for size in 1, 2, 4:
            ranks(size)(body)()

    def test_gradients_are_those_of_the_function(self):
        layer, x, dy = Linear(self.random(3, 4), self.random(3)), self.random(2, 4), self.random(2, 3)
        dx, gradients = layer.backward(x, dy)
        for value, gradient in ((x, dx), (layer.weight, gradients["weight"]), (layer.bias, gradients["bias"])):
            for at in np.ndindex(value.shape):
                before, low_high = value[at], []
                for value[at] in before - 1e-6, before + 1e-6:
                    low_high.append((layer(x) * dy).sum())
                value[at] = before
                assert abs((low_high[1] - low_high[0]) / 2e-6 - gradient[at]) < 1e-6

    def test_segments(self):
        @ranks(2)
        def body():
            rank = muster.init().rank()
            weight = np.arange(12.0).reshape(12, 1)
            expected = {1: np.arange(6) + 6 * rank, 3: [0, 1, 4, 5, 8, 9] + 2 * np.array(rank)}
            for segments, rows in expected.items():
                assert (shard_linear(Linear(weight, weight[:, 0]), "all-to-sharded", segments=segments).bias == rows).all()
            for segments in [4], [1 / 3]:  # 4 and 8 rows
                got = shard_linear(Linear(weight), "all-to-sharded", segments=segments).weight[:, 0].tolist()
                assert got == [[0, 1, 4, 5, 6, 7], [2, 3, 8, 9, 10, 11]][rank]
            got = shard_linear(Linear(weight.T), "sharded-to-all", segments=3)
            assert got.weight[0].tolist() == list(expected[3])
            expect(ValueError, "a segment of length 3 cannot be sharded across 2 devices",
                   lambda: shard_linear(Linear(weight), "all-to-sharded", segments=4))
            expect(ValueError, "has no 5 equal segments",
                   lambda: shard_linear(Linear(weight), "all-to-sharded", segments=5))

        body()

    def test_what_is_refused_and_made(self):
        @ranks(4)
        def body():
            layer = Linear(np.ones((6, 6)))
            expect(ValueError, "Cannot shard the output of size 6 across 4 devices.", lambda: shard_linear(layer, "all-to-sharded"))
            expect(ValueError, "The input of size 6 cannot be sharded across 4 devices.",
                   lambda: shard_linear(layer, "sharded-to-all"))
            expect(ValueError, "Sharding type sharding='rows' not supported", lambda: shard_linear(layer, "rows"))
            expect(ValueError, "Cannot shard the output of size 6 across 4 devices.", lambda: AllToShardedLinear(8, 6))
            made = ShardedToAllLinear(8, 6, rng=np.random.default_rng(1))
            assert made.weight.shape == (6, 2) and made.bias.shape == (6,) and made.weight.dtype == np.float32
            assert AllToShardedLinear(6, 8, bias=False).bias is None
            assert (made(np.ones((3, 2), "float32")) - made.bias).shape == (3, 6)

        body()

    def test_in_place(self):
        @ranks(2)
        def body():
            class Block:
                def __init__(self):
                    self.up, self.down, self.name = Linear(np.arange(8.0).reshape(4, 2), np.arange(4.0)), [np.arange(6.0)], "block"
                    self._kept, self.group, self.itself = np.zeros(4), muster.init(), self

            rank, block = muster.init().rank(), Block()
            shard_inplace(block, "all-to-sharded")
            assert block.up.weight.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]][rank]
            assert block.up.bias.tolist() == [[0, 1], [2, 3]][rank] and block._kept.size == 4
            assert block.down[0].tolist() == [[0, 1, 2], [3, 4, 5]][rank]
            tree = {"a": {"weight": np.ones((4, 6)), "bias": np.ones(3)}}
            shard_inplace(tree, "sharded-to-all", segments=3)
            assert tree["a"]["weight"].shape == (4, 3) and tree["a"]["bias"].shape == (3,)
            paths = []

            def find(path, array):
                paths.append(path)
                return {"up.weight": (0, [0.5]), "down.0": 0}.get(path)

            block = Block()
            shard_inplace(block, find)
            assert paths == ["up.weight", "up.bias", "down.0"] and block.up.bias.size == 4
            assert block.up.weight.tolist() == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]][rank] and block.down[0].size == 3
            block.down = [np.ones(5)]
            expect(ValueError, "a segment of length 5 cannot be sharded", lambda: shard_inplace(block, "all-to-sharded"))
            expect(ValueError, "should return int or tuple[int, list]", lambda: shard_inplace(block, lambda path, array: "0"))
            expect(ValueError, "Sharding type sharding='rows' not supported", lambda: shard_inplace(block, "rows"))
            assert block.up.weight.shape == (2, 2)  # nothing was changed

        body()

    def test_examples(self):
        for name in muster.nn.__all__:
            run_examples(getattr(muster.nn, name).__doc__, name)


@needs_numpy
class Quantized(unittest.TestCase):
    """tests/mlx/shards.py compares the bits with MLX's."""

    def test_what_comes_back(self):
        w = np.random.default_rng(3).normal(size=(4, 2, 128)).astype("float32")
        for bits in 2, 3, 4, 5, 6, 8:
            parts = muster.nn.quantize(w, 32, bits)
            assert parts[0].shape == (4, 2, 4 * bits) and parts[1].shape == (4, 2, 4)
            away = abs(muster.nn.dequantize(*parts, 32, bits) - w).reshape(4, 2, 4, 32).max(-1)
            assert (away <= abs(parts[1]) * 1.001).all(), bits

    def test_layers(self):
        def body():
            rank, size = muster.init().rank(), muster.init().size()
            rng = np.random.default_rng(5)
            plain = Linear(rng.normal(size=(8, 256)).astype("float32"), rng.normal(size=8).astype("float32"))
            x, dy = rng.normal(size=(3, 256)).astype("float32"), rng.normal(size=(3, 8)).astype("float32")
            whole = QuantizedLinear.from_linear(plain, 64, 4)
            floats = Linear(muster.nn.dequantize(whole.weight, whole.scales, whole.biases, 64, 4), plain.bias)
            assert np.allclose(whole(x), floats(x), atol=1e-4) and whole.backward(x, dy)[1] == {}
            rows, columns = shard_linear(whole, "all-to-sharded"), shard_linear(whole, "sharded-to-all")
            assert isinstance(rows, QuantizedAllToShardedLinear) and isinstance(columns, QuantizedShardedToAllLinear)
            outputs, inputs = (slice(n // size * rank, n // size * (rank + 1)) for n in (8, 256))
            assert np.allclose(rows(x), floats(x)[:, outputs], atol=1e-4)
            assert np.allclose(columns(x[:, inputs]), floats(x), atol=1e-4)
            dx = floats.backward(x, dy)[0]
            assert np.allclose(rows.backward(x, dy[:, outputs])[0], dx, atol=1e-4)
            assert np.allclose(columns.backward(x[:, inputs], dy)[0], dx[:, inputs], atol=1e-4)
            assert repr(columns) == (f"QuantizedShardedToAllLinear(input_dims={256 // size}, output_dims=8, bias=True, "
                                     "group_size=64, bits=4, mode=affine)")
            made = QuantizedAllToShardedLinear(64, 8, rng=np.random.default_rng(rank))
            assert made.weight.shape == (8 // size, 8) and not made.bias.any() and (made.group_size, made.bits) == (64, 4)
            made = QuantizedShardedToAllLinear(256, 8, bias=False, group_size=32, bits=8)
            assert made.weight.shape == (8, 64 // size) and made.bias is None

        for size in 1, 2, 4:
            ranks(size)(body)()

    def test_what_is_refused(self):
        @ranks(4)
        def body():
            w = np.ones((6, 192), "float32")
            whole = QuantizedLinear.from_linear(Linear(w))
            expect(ValueError, "Cannot shard the output of size 6 across 4 devices.", lambda: shard_linear(whole, "all-to-sharded"))
            expect(ValueError, "rows of 3 groups of 64 weights cannot be sharded across 4 devices",
                   lambda: shard_linear(whole, "sharded-to-all"))
            expect(ValueError, "expected one of affine, mxfp4", lambda: muster.nn.dequantize(*muster.nn.quantize(w), mode="int4"))
            expect(ValueError, "groups of 32 and 4 bits, not 64 and 4",
                   lambda: QuantizedLinear(whole.weight, whole.scales, group_size=64, mode="mxfp4"))
            expect(ValueError, "has biases beside scales", lambda: muster.nn.dequantize(whole.weight, whole.scales))
            expect(ValueError, "are not of 8 bits in groups of 64", lambda: QuantizedLinear(whole.weight, whole.scales, bits=8))
            expect(ValueError, "a multiple of group_size, 128", lambda: muster.nn.quantize(w, 128))
            expect(ValueError, "an array of int64", lambda: muster.nn.quantize(w.astype("int64")))
            expect(ValueError, "not 'mxfp8'; from_quantized_linear takes", lambda: QuantizedAllToShardedLinear(64, 8, mode="mxfp8"))

        body()


if __name__ == "__main__":
    unittest.main()
