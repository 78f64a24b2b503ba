"""From the kill of one of 4 ranks to the exception of the last of the others, in the ways of training of test_bits.py.

    PYTHONPATH=build/release/bindings/python:tests/torch build/torch/bin/python tests/torch/measure_deaths.py [ROUNDS]

In three of them, or with TEST_LONG=1 in all. Prints a Markdown table of milliseconds: the median of the rounds, and the longest.
"""

import mmap
import os
import statistics
import struct
import sys
import time

from test_bits import BODIES
from torch_ranks import run

RANKS, VICTIM = 4, 2


def note(times, rank):
    struct.pack_into("q", times, 8 * rank, time.monotonic_ns())


def timed(body, times):
    """Notes when the victim kills itself, and when this rank raises."""
    kill = os.kill

    def kill_now(*args):
        note(times, VICTIM)
        kill(*args)

    os.kill = kill_now
    try:
        body(VICTIM)
    except Exception:
        note(times, int(os.environ["RANK"]))
        raise


def measure(body):
    times = mmap.mmap(-1, mmap.PAGESIZE)  # of all ranks
    for rank, end in enumerate(run(RANKS, timed, body, times)):
        assert rank == VICTIM or end.error is not None, f"rank {rank}: {end!r}"
    began, *raised = (struct.unpack_from("q", times, 8 * rank)[0] for rank in sorted(range(RANKS), key=VICTIM.__ne__))
    return (max(raised) - began) / 1e6


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("| training | median, ms | longest, ms |\n|---|---|---|")
    for name, body in BODIES.items():
        times = [measure(body) for _ in range(rounds)]
        print(f"| {name} | {statistics.median(times):.1f} | {max(times):.1f} |", flush=True)


if __name__ == "__main__":
    main()
