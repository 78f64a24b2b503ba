"""What MLX programs do with a group, on the real MLX: cases that hold on the stand-in (muster run --mlx) and on the
native group (TEST_MLX_NATIVE set: import muster.mlx), and those of the native group alone.

    muster run --mlx -n 8 -- python cases.py CASE...
"""

import os
import signal
import sys
import threading

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten, tree_map

if "TEST_MLX_NATIVE" in os.environ:
    import muster.mlx  # noqa: F401: the backend

dist = mx.distributed
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def as_bytes(array):
    mx.eval(array)  # numpy would drop its error
    return np.array(array.astype(mx.float32) if array.dtype == mx.bfloat16 else array).tobytes()


def error_of(call, kind=RuntimeError):
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError("no error")


# ---- what MLX's own test file for its mpi backend looks at ----


@case
def groups(world):
    assert dist.init().rank() == world.rank() and dist.init().size() == world.size()
    half = world.split(world.rank() % 2)
    assert half.size() == (world.size() + 1 - world.rank() % 2) // 2 and half.rank() == world.rank() // 2
    pair = world.split(world.rank() // 2)
    assert pair.size() == min(2, world.size() - world.rank() // 2 * 2)
    turned = world.split(0, world.size() - 1 - world.rank())
    assert turned.rank() == world.size() - 1 - world.rank()
    assert half.split(0).size() == half.size()


REDUCED = [(mx.int8, 0), (mx.uint8, 0), (mx.int16, 0), (mx.uint16, 0), (mx.int32, 0), (mx.uint32, 0), (mx.int64, 0),
           (mx.uint64, 0), (mx.float32, 1e-6), (mx.float16, 5e-3), (mx.bfloat16, 1e-1), (mx.complex64, 1e-6)]


def _reduces(group, dtype, tolerance, shape):
    x = (mx.random.uniform(shape=(group.size(), *shape), key=mx.random.key(0)) * 10).astype(dtype)
    own = x[group.rank()]
    total, expected = dist.all_sum(own, group=group), x.sum(0)
    distance = (total.astype(mx.complex64) - expected.astype(mx.complex64)).abs()
    scale = expected.astype(mx.complex64).abs() if tolerance else mx.ones(())
    assert (distance / scale).max().item() <= tolerance, (dtype, shape)
    assert total.dtype == dtype and total.shape == shape
    assert mx.all(dist.all_max(own, group=group) == x.max(0)).item()
    assert mx.all(dist.all_min(own, group=group) == x.min(0)).item()


@case
def reductions(world):
    half = world.split(world.rank() % 2)
    for dtype, tolerance in REDUCED:
        for shape in [(7,), (10,), (1024,), (128, 1024)]:
            for group in (world, half):
                _reduces(group, dtype, tolerance, shape)
    flag = dist.all_sum(mx.array(world.rank() == 1))
    assert flag.dtype == mx.bool_ and flag.item() == (world.size() > 1)
    assert dist.all_sum(mx.zeros((0, 3))).shape == (0, 3)
    assert dist.all_sum(2).item() == 2 * world.size()
    rows = mx.arange(12).reshape(3, 4).T  # not contiguous
    assert mx.array_equal(dist.all_sum(rows), rows * world.size()).item()


@case
def gathers(world):
    half = world.split(world.rank() % 2)
    for dtype, _ in REDUCED:
        for group in (world, half):
            x = mx.full((2, 2, 4), group.rank(), dtype=dtype)
            y = dist.all_gather(x, group=group)
            assert y.shape == (2 * group.size(), 2, 4) and y.dtype == dtype
            assert mx.all(y == mx.repeat(mx.arange(group.size()), 2).reshape(-1, 1, 1).astype(dtype)).item()
    assert dist.all_gather(mx.array(world.rank())).tolist() == list(range(world.size()))


@case
def mixed(world):
    pair, half = world.split(world.rank() // 2), world.split(world.rank() % 2)
    x = dist.all_sum(mx.full((4,), world.rank()), group=pair)
    assert dist.all_gather(x, group=half).size == 4 * half.size()


@case
def messages(world):
    pair = world.split(world.rank() // 2)
    if pair.size() == 2:
        peer, x = 1 - pair.rank(), mx.ones(10)
        for turn in range(10):
            if turn % 2 == pair.rank():
                mx.eval(dist.send(2 * x, peer, group=pair))
            else:
                x = dist.recv_like(x, peer, group=pair)
                mx.eval(x)
        assert mx.all(x == (1024 if pair.rank() == 0 else 512)).item(), x
    # Round the ring, whole: each sends before it receives.
    right, left = (world.rank() + 1) % world.size(), (world.rank() - 1) % world.size()
    own = mx.full((1000,), world.rank(), dtype=mx.int32)
    mx.eval(dist.send(own, right))
    assert mx.all(dist.recv((1000,), mx.int32, left) == left).item()


@case
def donation(world):
    x = mx.random.normal((1024,))
    mx.eval(x)
    mx.synchronize()
    mx.reset_peak_memory()
    scale = mx.array(2.0)
    mx.eval(x * scale)
    mx.synchronize()
    plain = mx.get_peak_memory()
    mx.reset_peak_memory()
    mx.eval(dist.all_sum(x * scale))
    mx.synchronize()
    assert mx.get_peak_memory() == plain


@case
def in_arena(world):
    """By muster run --arena-malloc: MLX's own arrays, inputs and results, lie where the other ranks read them."""
    x = mx.arange(1 << 20, dtype=mx.float32) + world.rank()
    total = dist.all_sum(x)
    mx.eval(x, total)
    for array in x, total:
        assert _is_in_arena(np.array(array, copy=False).ctypes.data), world.rank()
    assert mx.array_equal(total, world.size() * mx.arange(1 << 20) + sum(range(world.size()))).item()


def _is_in_arena(address):
    with open("/proc/self/maps") as maps:
        for line in maps:
            first, end = (int(bound, 16) for bound in line.split()[0].split("-"))
            if first <= address < end:
                return "muster" in line
    return False


# ---- training ----


def _model():
    mx.random.seed(5)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
    mx.eval(model.parameters())
    return model


def _loss(model, x, y):
    return nn.losses.mse_loss(model(x), y)


def _data(rank):
    key = mx.random.key(100 + rank)
    return mx.random.normal((8, 16), key=key), mx.random.normal((8, 16), key=mx.random.key(rank))


def _train(gradients, model):
    optimizer = optim.SGD(learning_rate=0.1)
    for _ in range(5):
        optimizer.update(model, gradients(model))
        mx.eval(model.parameters(), optimizer.state)
    return [(name, as_bytes(value)) for name, value in tree_flatten(model.parameters())]


@case
def data_parallel(world):
    """To the bit what one process gets that adds the gradients in the order of ranks."""
    step = nn.value_and_grad(_model(), _loss)

    def own(model):
        return step(model, *_data(world.rank()))[1]

    def alone(model):
        parts = [step(model, *_data(rank))[1] for rank in range(world.size())]
        total = parts[0]
        for part in parts[1:]:
            total = tree_map(lambda a, b: a + b, total, part)
        return tree_map(lambda a: a / world.size(), total)

    trained = _train(lambda model: nn.average_gradients(own(model)), _model())
    # MLX multiplies by 1 / N in place of dividing on some paths, so N is a power of two here.
    assert world.size() & (world.size() - 1) == 0 and trained == _train(alone, _model())


@case
def sharded(world):
    x = mx.random.normal((4, 1024), key=mx.random.key(1))
    mx.random.seed(3)
    linear = nn.Linear(1024, 1024)
    mx.eval(linear.parameters())
    whole = linear(x)
    rows = nn.layers.distributed.shard_linear(linear, "all-to-sharded")
    part = 1024 // world.size()
    at = slice(world.rank() * part, (world.rank() + 1) * part)
    assert mx.allclose(rows(x), whole[:, at], atol=1e-4).item()
    columns = nn.layers.distributed.shard_linear(linear, "sharded-to-all")
    assert mx.allclose(columns(x[:, at]), whole, atol=1e-4).item()


# ---- several streams, and the end of groups ----


@case
def streams(world):
    """Four groups on four streams, and one group on one stream that is not the default."""
    pairs = [(world.split(0), mx.new_stream(mx.cpu)) for _ in range(4)]
    for _ in range(20):
        sums = [dist.all_sum(mx.full((100,), i), group=group, stream=stream) for i, (group, stream) in enumerate(pairs)]
        mx.eval(sums)
        assert [int(x[0].item()) for x in sums] == [i * world.size() for i in range(4)]


@case
def dropped(world):
    """A group that is dropped while its operation waits on a stream."""
    for _ in range(50):
        x = dist.all_sum(mx.ones(10), group=world.split(0))
        mx.async_eval(x)
        assert x[0].item() == world.size()


@case
def memory_of_groups(world):
    """Dropped groups give their memory back: the native group's at once, the stand-in's when nothing can be queued on
    them, which is some groups later. A group that has moved much has some 2 MiB for each rank."""
    def arena():
        return os.stat(f"/proc/self/fd/{os.environ['MUSTER_ARENA'][3:]}").st_blocks * 512

    def make(count):
        for _ in range(count):
            group = world.split(0)
            assert dist.all_sum(mx.ones(100000), group=group)[-1].item() == world.size()

    make(80)
    mx.eval(dist.all_sum(mx.ones(1)))
    before = arena()
    make(100)
    mx.eval(dist.all_sum(mx.ones(1)))
    assert arena() <= before + (8 << 20) * world.size(), (before, arena())


@case
def turns(world):
    """One group on two streams, one after the other."""
    other = mx.new_stream(mx.cpu)
    for turn in range(200):
        a = dist.all_sum(mx.full((3,), turn))
        mx.eval(a)
        b = dist.all_sum(mx.full((3,), 1000 + turn), stream=other if turn % 3 else None)
        mx.eval(b)
        assert a[0].item() == turn * world.size() and b[2].item() == (1000 + turn) * world.size()


# ---- of the native group alone ----


@case
def native_sum_scatter(world):
    for dtype, tolerance in REDUCED:
        for shape in [(world.size(),), (8 * world.size(),), (64 * world.size(), 33)]:
            x = (mx.random.uniform(shape=shape, key=mx.random.key(world.rank())) * 10).astype(dtype)
            part = shape[0] // world.size()
            mine = dist.all_sum(x)[world.rank() * part:(world.rank() + 1) * part]
            assert mx.array_equal(dist.sum_scatter(x), mine).item(), (dtype, shape)
    assert "divisible" in error_of(lambda: dist.sum_scatter(mx.ones(world.size() + 1)), ValueError)


@case
def native_fully_shard(world):
    """FSDP's parameters are those of data-parallel training."""
    def trained(wrap, average):
        model = _model()
        wrap(model)
        step = nn.value_and_grad(model, _loss)
        optimizer = optim.SGD(learning_rate=0.1)
        for _ in range(5):
            gradients = step(model, *_data(world.rank()))[1]
            optimizer.update(model, average(gradients))
            mx.eval(model.parameters(), optimizer.state)
        return model

    plain = trained(lambda model: None, nn.average_gradients)

    def shard(model):
        for i, layer in enumerate(model.layers):
            if tree_flatten(layer.parameters()):
                model.layers[i] = nn.fully_shard(layer)

    whole = trained(shard, lambda gradients: gradients)
    x = _data(99)[0]
    assert mx.array_equal(plain(x), whole(x)).item() or mx.allclose(plain(x), whole(x), rtol=1e-6, atol=1e-6).item()


@case
def native_one_group_on_two_streams(world):
    """In the order in which the graph has them, which is the same on all ranks, whatever thread is faster."""
    other = mx.new_stream(mx.cpu)
    for turn in range(200):
        a = dist.all_sum(mx.full((3,), turn))
        b = dist.all_sum(mx.full((3,), 1000 + turn), stream=other)
        c = dist.all_max(mx.full((5,), world.rank()), stream=other)
        mx.eval(a, b, c)
        assert a[0].item() == turn * world.size() and b[0].item() == (1000 + turn) * world.size()
        assert c[4].item() == world.size() - 1


@case
def native_one_stream_from_two_threads(world):
    """Which thread is first is another one on each rank, so both are alike."""
    stream, x, sums = mx.new_thread_unsafe_stream(mx.cpu), mx.ones(3), []
    mx.eval(x)

    def work():
        with mx.stream(stream):
            for _ in range(1000):
                sums.append(dist.all_sum(x))
                mx.eval(sums[-1])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sums) == 2000 and all(x.tolist() == [world.size()] * 3 for x in sums)


@case
def native_names(world):
    assert dist.is_available() and dist.is_available("muster") and not dist.is_available("none")
    for backend in ("any", "muster", "mpi", "ring"):
        assert dist.init(backend=backend, strict=True).size() == world.size()
    assert isinstance(world, dist.Group) and len({hash(world), hash(dist.init())}) == 1
    assert "only valid values for backend" in error_of(lambda: dist.init(backend="none"), ValueError)
    assert "Invalid destination" in error_of(lambda: dist.send(mx.ones(1), world.size()), ValueError)
    assert "a color below 0" in error_of(lambda: world.split(-1), ValueError)
    alone = world.split(world.rank())
    assert alone.split(0).size() == 1 and dist.all_sum(mx.ones(1), group=alone).item() == 1


@case
def huge(world):
    """More than 2^31 elements, of one byte; not in the suite, for it takes 10 GiB at 2 ranks."""
    shape = (2 * world.size(), (2 ** 31 + 2 * world.size()) // (2 * world.size()))
    total = dist.all_sum(mx.full(shape, world.rank() + 1, dtype=mx.uint8))
    mx.eval(total)
    assert total.size > 2 ** 31
    assert total[0, 0].item() == total[-1, -1].item() == world.size() * (world.size() + 1) // 2
    part = dist.sum_scatter(total)
    assert part.shape[0] == 2 and part[-1, -1].item() == total[-1, -1].item() * world.size() % 256
    del part
    if world.rank() == 0:
        mx.eval(dist.send(total, 1))
    elif world.rank() == 1:
        assert dist.recv_like(total, 0)[-1, -1].item() == total[-1, -1].item()


@case
def to_oneself(world):
    """A message that is too large to wait for its receive is refused in MLX's words; the group goes on."""
    sentence = error_of(lambda: mx.eval(dist.send(mx.ones(30000), world.rank())), (RuntimeError, ValueError))
    assert sentence.startswith("[muster] send: 120000 bytes to oneself are more than"), sentence
    assert "sendrecv" not in sentence and sentence.endswith("or use the array as it is"), sentence
    assert dist.all_sum(mx.ones(1)).item() == world.size()


# ---- errors; what they break is gone, so each is a run of its own ----


@case
def death(world):
    """The others raise, all of them, and go on raising; they name the rank."""
    mx.eval(dist.all_sum(mx.ones(1)))
    if world.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(3):
        sentence = error_of(lambda: mx.eval(dist.all_sum(mx.ones(4))))
        assert "rank 1" in sentence and "killed by signal 9" in sentence and "MPI" not in sentence, sentence
    print("told", flush=True)


@case
def mismatch(world):
    sentence = error_of(lambda: mx.eval(dist.all_sum(mx.ones(4 + world.rank() % 2))))
    assert "float32 x 4" in sentence and "float32 x 5" in sentence and "MPI" not in sentence, sentence


@case
def swallowed(world):
    """numpy drops the exception of the buffer that it asks for, and gets no numbers then, of a group that breaks and of
    one that has."""
    pair = world.split(0)
    message = np.array(dist.recv((3,), mx.int32, 0, group=pair) if pair.rank() else dist.send(mx.ones(3), 1, group=pair))
    assert message.tolist() == ([0, 0, 0] if pair.rank() else [1, 1, 1]), message
    for dtype in (mx.float16, mx.float32, mx.complex64, mx.float16):
        try:
            total = np.array(dist.all_sum(mx.full((4 + world.rank(),), 5, dtype=dtype)))
        except RuntimeError as error:  # the native group's, once it is broken
            assert dtype != mx.float16 or "float16 x 4" in str(error), error
        else:
            assert np.isnan(total).all(), total


@case
def halves(world):
    """The two floats of 16 bits are not taken for each other, in what is moved either."""
    dtype = (mx.float16, mx.bfloat16)[world.rank() % 2]
    sentence = error_of(lambda: mx.eval(dist.all_gather(mx.ones(4, dtype=dtype), group=world.split(0))))
    assert "all_gather (float16 x 4)" in sentence and "all_gather (bfloat16 x 4)" in sentence, sentence
    if world.rank() == 1:
        mx.eval(dist.send(mx.ones(4, dtype=mx.bfloat16), 0))
    elif world.rank() == 0:
        sentence = error_of(lambda: mx.eval(dist.recv((4,), mx.float16, 1)))
        assert "expected a message of float16 x 4" in sentence and "sent bfloat16 x 4" in sentence, sentence
        assert sentence.endswith("sent bfloat16 x 4"), sentence  # without a tag, which MLX has not
    if world.rank() < 2:  # a message's fault, whatever streams there are
        streams = [mx.new_stream(mx.cpu) for _ in range(2)]
        for stream in streams:
            sentence = error_of(lambda: mx.eval(dist.all_sum(mx.ones(3), stream=stream)))
        assert "expected a message of float16 x 4" in sentence and "stream" not in sentence, sentence


@case
def swapped(world):
    """Two streams whose order is another one on each rank, with equal calls: told at the second stream's first."""
    streams = [mx.new_stream(mx.cpu) for _ in range(2)]
    mx.eval([mx.add(mx.ones(1), 1, stream=stream) for stream in streams])
    sums = [dist.all_sum(mx.full((3,), 1 + i), stream=stream) for i, stream in enumerate(streams)]
    if world.rank() == 1:
        sums.reverse()
    sentence = error_of(lambda: [mx.eval(x) for x in sums])
    assert "all_reduce(stream 0)" in sentence and "all_reduce(stream 1)" in sentence and "muster.mlx" in sentence, sentence


@case
def deadlock(world):
    """Each receives first: told, though a rank has two threads, of which Python's waits for the other."""
    left = (world.rank() - 1) % world.size()
    sentence = error_of(lambda: mx.eval(dist.recv((4,), mx.float32, left)))
    assert "deadlock among ranks" in sentence and "recv (float32 x 4)" in sentence and "MPI" not in sentence, sentence


# ---- mlx_lm, on a tiny model with random weights ----


def _tokens(model):
    from mlx_lm.generate import generate_step

    prompt = mx.array([3, 14, 15, 92, 6])
    return [int(token) for token, _ in generate_step(prompt, model, max_tokens=12)]


def _is_that_of_one_process(module, arguments, spread):
    def make():
        mx.random.seed(7)
        model = module.Model(module.ModelArgs(**arguments))
        mx.eval(model.parameters())
        return model

    alone, model = _tokens(make()), make()
    spread(model)
    together = _tokens(model)
    assert together == alone and len(set(alone)) > 1, (alone, together)


TINY = {"vocab_size": 128, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 4, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False}


@case
def lm_tensor_parallel(world):
    from mlx_lm.models import llama

    _is_that_of_one_process(llama, {**TINY, "model_type": "llama"}, lambda model: model.shard(world))


@case
def lm_pipeline(world):
    from mlx_lm.models import qwen2

    _is_that_of_one_process(qwen2, {**TINY, "model_type": "qwen2"}, lambda model: model.model.pipeline(world))


def main():
    world = dist.init(strict=True)
    for name in sys.argv[1:]:
        CASES[name](world)
        if world.rank() == 0:
            print(f"{name}: done", flush=True)


if __name__ == "__main__":
    main()
