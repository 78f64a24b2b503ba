"""PyTorch's Gloo as a contender of bench/compare: the loop of loop.h through torch.distributed.

Ranks are started by `muster run`, which says who is who; they meet in the directory BENCH_STORE. all_reduce is in
place, as torch.distributed has it.
"""

import os
import statistics
import sys
import time

import torch
import torch.distributed as dist

BATCH_S, WARM_UP_S, BATCHES = 20e-6, 3e-3, (9, 4000)
RANK, SIZE = int(os.environ["MUSTER_RANK"]), int(os.environ["MUSTER_SIZE"])


def value(rank, count):
    """Small integers, as loop.c has them."""
    return (torch.arange(count) + 3 * rank).remainder(11).float()


def most(number):
    """Of all ranks."""
    cell = torch.tensor([number], dtype=torch.float64)
    dist.all_reduce(cell, op=dist.ReduceOp.MAX)
    return cell.item()


# ---- the operations: (call, in, out, expected) for a part of `count` elements ----

def barrier(count):
    return dist.barrier, None, None, None


def all_reduce(count):
    data = value(RANK, count)
    return lambda: dist.all_reduce(data), data, data, sum(value(r, count) for r in range(SIZE))


def all_gather(count):
    mine, out = value(RANK, count), torch.empty(SIZE * count)
    return (lambda: dist.all_gather_into_tensor(out, mine), mine, out,
            torch.cat([value(r, count) for r in range(SIZE)]))


def broadcast(count):
    data = value(RANK, count)
    return lambda: dist.broadcast(data, 0), data, data, value(0, count)


def all_to_all(count):
    mine, out = value(RANK, SIZE * count), torch.empty(SIZE * count)
    part = slice(RANK * count, (RANK + 1) * count)
    return (lambda: dist.all_to_all_single(out, mine), mine, out,
            torch.cat([value(r, SIZE * count)[part] for r in range(SIZE)]))


def ping_pong(count):
    data = value(RANK, count)

    def there_and_back():
        for turn in (0, 1):
            if turn == RANK:
                dist.send(data, 1 - RANK)
            elif RANK < 2:
                dist.recv(data, 1 - RANK)
    return there_and_back, data, data, value(0, count) if RANK < 2 else None


OPERATIONS = {f.__name__: f for f in (barrier, all_reduce, all_gather, broadcast, all_to_all, ping_pong)}
PARTS = ("all_gather", "all_to_all")


# ---- the loop ----

def time_batch(call, repetitions):
    dist.barrier()
    began = time.perf_counter()
    for _ in range(repetitions):
        call()
    return (time.perf_counter() - began) / repetitions


def measure(name, size, seconds):
    """Bytes, median, p99 and mean in seconds, wrong elements."""
    parts = SIZE if name in PARTS else 1
    count = -(-size // (4 * parts))
    call, mine, out, expected = OPERATIONS[name](count)
    call()
    wrong = 0 if expected is None else int((out != expected).sum())
    for buffer in (mine, out):
        if buffer is not None:
            buffer.zero_()
    began, warm, repetitions = time.perf_counter(), 0.0, 1
    while warm < WARM_UP_S:
        took = most(time_batch(call, repetitions))
        repetitions = max(1, min(1000, int(BATCH_S / took)))
        warm = most(time.perf_counter() - began)
    batches = max(BATCHES[0], min(BATCHES[1], int(seconds / (took * repetitions))))
    times = sorted(time_batch(call, repetitions) for _ in range(batches))
    return (count * parts * 4 if name != "barrier" else 0, most(times[batches // 2]), most(times[batches * 99 // 100]),
            most(statistics.fmean(times)), most(wrong))


def main():
    names, smallest, largest, factor, seconds = sys.argv[1:]
    asked = [name for name in names.split(",") if name in OPERATIONS]
    dist.init_process_group("gloo", init_method=f"file://{os.environ['BENCH_STORE']}/store", rank=RANK,
                            world_size=SIZE)
    for name in asked:
        size = int(smallest)
        while size <= int(largest):
            moved, *times, wrong = measure(name, size, float(seconds))
            halves = 2 if name == "ping_pong" else 1
            if RANK == 0:
                print(name, moved, *(f"{t / halves * 1e6:.4f}" for t in times), f"{wrong:.0f}", flush=True)
            if name == "barrier":
                break
            size *= int(factor)
    dist.barrier()
    dist.destroy_process_group()
    return 0 if asked else 2


sys.exit(main())
