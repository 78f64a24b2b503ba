"""One rank of bench/mlx_compare.py, on whichever backend of MLX: times each mx.eval and looks at its result.

    python mlx_rank.py BACKEND CALLS BYTES...       CALLS: how much of the usual number of calls, at least 3

Rank 0 prints a line for each operation: operation, bytes, and the median and the mean in microseconds. After all_sum of
BYTES come the decode loop, and tokens of mlx_lm by a small Llama with random weights, tensor-parallel.
"""

import importlib
import statistics
import sys
import time

import mlx.core as mx

LAYERS = 64
DECODE_BYTES = 16 << 10
MODEL = {"model_type": "llama", "vocab_size": 512, "hidden_size": 256, "intermediate_size": 512,
         "num_hidden_layers": 16, "num_attention_heads": 8, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
         "tie_word_embeddings": False}  # two all_sums for each layer and token
SECONDS_PER_MIB = 0.001  # a guess from which the number of calls comes, the same for all backends


def calls(size, share):
    expected_s = 50e-6 + SECONDS_PER_MIB * size / (1 << 20)
    return max(3, int(share * min(4000, 0.3 / expected_s)))


def all_sum(group, size):
    x = mx.full((size // 4,), group.rank() + 1.0)
    mx.eval(x)
    return lambda: mx.distributed.all_sum(x, group=group), group.size() * (group.size() + 1) / 2


def decode(group, size):
    """The collectives of a tensor-parallel model for one token: each layer's sum is the next one's input."""
    x = mx.ones((size // 2,), dtype=mx.bfloat16)
    mx.eval(x)

    def token():
        y = x
        for _ in range(LAYERS):
            y = mx.distributed.all_sum(y * (1 / group.size()), group=group)
        return y

    return token, 1.0


def measure(group, operation, size, count):
    make, expected = operation(group, size)
    for _ in range(max(3, count // 10)):
        mx.eval(make())
    times = []
    for _ in range(count):
        began = time.perf_counter()
        result = make()
        mx.eval(result)
        times.append((time.perf_counter() - began) * 1e6)
    if not mx.all(result == expected).item():
        sys.exit(f"{operation.__name__} of {size} bytes: a wrong result")
    show(group, operation.__name__, size, times)


def show(group, operation, size, times):
    if group.rank() == 0:
        print(operation, size, statistics.median(times), statistics.fmean(times), flush=True)


def tokens(group, count):
    """From one token to the next, after the first few; all ranks have the same ones."""
    llama, generate = importlib.import_module("mlx_lm.models.llama"), importlib.import_module("mlx_lm.generate")
    mx.random.seed(7)
    model = llama.Model(llama.ModelArgs(**MODEL))
    mx.eval(model.parameters())
    model.shard(group)
    said, times = [], [time.perf_counter()]
    for token, _ in generate.generate_step(mx.array([3, 14, 15, 92, 6]), model, max_tokens=count + 4):
        said.append(int(token))
        times.append(time.perf_counter())
    with mx.stream(generate.generation_stream):  # behind what it has begun of one more token
        least, most = (call(mx.array(said), group=group) for call in (mx.distributed.all_min, mx.distributed.all_max))
    if not mx.array_equal(least, most).item():
        sys.exit("tokens: the ranks have different ones")
    show(group, "tokens", 4 * MODEL["hidden_size"],
         [(end - begin) * 1e6 for begin, end in zip(times[4:], times[5:])])


def main():
    backend, share, sizes = sys.argv[1], float(sys.argv[2]), [int(size) for size in sys.argv[3:]]
    if backend == "muster":
        importlib.import_module("muster.mlx")
    group = mx.distributed.init(strict=True, backend=backend)
    for size in sizes:
        measure(group, all_sum, size, calls(size, share))
    measure(group, decode, DECODE_BYTES, max(3, int(100 * share)))
    tokens(group, max(3, int(200 * share)))


if __name__ == "__main__":
    main()
