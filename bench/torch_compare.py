"""muster.torch beside gloo, in turn in one run: all_reduce of float32 through torch.distributed, in microseconds.

    PYTHONPATH=build/release/bindings/python muster run -n 2 -- python bench/torch_compare.py

Prints a Markdown table: the median of the rounds, and the least and the most.
"""

import statistics
import time

import muster.torch  # noqa: F401
import torch
import torch.distributed as dist

import report

ROUNDS, SECONDS = 9, 0.05

dist.init_process_group("gloo")
backends = {name: dist.new_group(backend=name) for name in ("muster", "gloo")}


def measure(group, x):
    """Microseconds of one all_reduce, from as many as fit the time; all ranks make the same number."""
    count = 1
    while True:
        dist.barrier(group=group)
        began = time.perf_counter()
        for _ in range(count):
            dist.all_reduce(x, group=group)
        took = torch.tensor([time.perf_counter() - began])
        dist.all_reduce(took, op=dist.ReduceOp.MAX, group=backends["gloo"])
        if took[0] >= SECONDS / 2:
            return float(took[0]) / count * 1e6
        count = max(count * 2, int(count * SECONDS / max(float(took[0]), 1e-6)))


def spread(times):
    return f"{statistics.median(times):.3g} ({min(times):.3g}-{max(times):.3g})"


if dist.get_rank() == 0:
    print(f"{report.machine()}; muster {muster.__version__}, PyTorch {torch.__version__}\n")
    print(f"| bytes, {dist.get_world_size()} ranks | muster | gloo | gloo / muster |\n|---|---|---|---|")
for size in (4, 1 << 10, 16 << 10, 256 << 10, 4 << 20):
    x = torch.zeros(size // 4)
    times = {name: [] for name in backends}
    for _ in range(ROUNDS):
        for name, group in backends.items():
            times[name].append(measure(group, x))
    ratio = statistics.median(times["gloo"]) / statistics.median(times["muster"])
    if dist.get_rank() == 0:
        print(f"| {size} | {spread(times['muster'])} | {spread(times['gloo'])} | {ratio:.1f} |", flush=True)
dist.destroy_process_group()
