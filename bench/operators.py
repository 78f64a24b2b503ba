"""torch.ops.muster.all_reduce_ of bfloat16 in every way it is called, beside the C call, and beside an operator that does
nothing, which is PyTorch's own part: in turn in one run, in microseconds.

    PYTHONPATH=build/release/bindings/python muster run -n 2 -- build/torch/bin/python bench/operators.py [--compiled]

Prints a Markdown table for each size: the median of the rounds, and the least and the most. "C++" is a call through the
dispatcher by a typed handle, "Python" torch.ops, and, with --compiled, "compiled" a function of torch.compile that has one
operator.
"""

import contextlib
import importlib.machinery
import importlib.util
import os
import pathlib
import statistics
import sys
import sysconfig
import time

import muster
import muster.torch
import torch
from muster import _muster, _native

import report

ROUNDS, SECONDS = int(os.environ.get("ROUNDS", "9")), 0.04
MODES = {"inference mode": torch.inference_mode, "no_grad": torch.no_grad, "grad mode": torch.enable_grad}


def load():
    root = pathlib.Path(torch.__file__).parent
    headers = [root / "include", root / "include" / "torch" / "csrc" / "api" / "include", sysconfig.get_path("include")]
    path = _native.library("bench.operators", [pathlib.Path(__file__).with_suffix(".cpp")], f"PyTorch {torch.__version__}",
                           ["-std=c++20", *(word for path in headers for word in ("-isystem", str(path)))],
                           [f"-L{root / 'lib'}", "-ltorch_python", "-ltorch_cpu", "-ltorch", "-lc10"])
    loader = importlib.machinery.ExtensionFileLoader("operators", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("operators", loader))
    loader.exec_module(module)
    return module


def in_python(function, *args):
    def each(count):
        began = time.perf_counter()
        for _ in range(count):
            function(*args)
        return (time.perf_counter() - began) / count * 1e6
    return each


def compiled(op, handle, **options):
    def step(x):
        op(x, handle)
    return torch.compile(step, fullgraph=True, options=options or None)


def ways(native, x, handle, address):
    """What is timed: a name, the mode, and what makes so many calls and gives the microseconds of one."""
    ours, none = torch.ops.muster.all_reduce_.default, torch.ops.muster_bench.nothing_.default
    yield "C call", contextlib.nullcontext, lambda count: native.time_c(x, address, count)
    for mode, enter in MODES.items():
        for name in ("muster::all_reduce_", "muster_bench::nothing_"):
            yield f"C++, {mode}: {name}", enter, lambda count, name=name: native.time_typed(name, x, handle, count)
    for mode, enter in MODES.items():
        yield f"Python, {mode}: muster::all_reduce_", enter, in_python(ours, x, handle)
        yield f"Python, {mode}: muster_bench::nothing_", enter, in_python(none, x, handle)
    if "--compiled" not in sys.argv:
        return
    for name, options in {"compiled": {}, "compiled, cpp_wrapper": {"cpp_wrapper": True}}.items():
        for op in (ours, none):
            yield f"{name}: {op.name()}", torch.no_grad, in_python(compiled(op, handle, **options), x)


def agreed(value, world):
    """The largest of the ranks."""
    most = memoryview(bytearray(8)).cast("d")
    most[0] = value
    muster.all_reduce(most, op="max", group=world, out=most)
    return most[0]


def calls(times, world):
    """How many fit the time; all ranks make the same number."""
    return int(min(100000, max(100, SECONDS * 1e6 / agreed(times(100), world))))


def spread(times):
    return f"{statistics.median(times):.3g} ({min(times):.3g}-{max(times):.3g})"


def measure(found, world):
    """The microseconds of each way in each round."""
    took = {name: [] for name, *_ in found}
    for _ in range(ROUNDS):
        for name, mode, times in found:
            with mode():
                took[name].append(agreed(times(calls(times, world)), world))
    return took


def main():
    world = muster.init()
    native, handle, address = load(), muster.torch.handle(world), _muster.allocate(0, world)._group
    sizes = {size: list(ways(native, torch.zeros(size // 2, dtype=torch.bfloat16), handle, address))
             for size in (1152, 16 << 10)}
    for found in sizes.values():
        for _, mode, times in found:
            with mode():
                times(3)  # compiles
    if world.rank() == 0:
        print(f"{report.machine()}; muster {muster.__version__}, PyTorch {torch.__version__}", flush=True)
    for size, found in sizes.items():
        took = measure(found, world)
        c_call = statistics.median(took["C call"])
        if world.rank() == 0:
            print(f"\n| {size} bytes, {world.size()} ranks | µs | of the C call |\n|---|---|---|")
            for name, each in took.items():
                times = "" if "nothing" in name else f"{statistics.median(each) / c_call:.2f}"
                print(f"| {name} | {spread(each)} | {times} |", flush=True)


main()
