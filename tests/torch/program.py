"""What a PyTorch program asks of torch.distributed, on the backend that is named; prints the result of training.

    muster run -n 3 -- python program.py muster
"""

import sys

import torch
import torch.distributed as dist

import muster.torch  # noqa: F401: the backend, and, for gloo too, where the ranks meet

backend = sys.argv[1]
dist.init_process_group(backend)
rank, size = dist.get_rank(), dist.get_world_size()


def check_collectives():
    for dtype in (torch.float32, torch.float64, torch.int32, torch.int64, torch.bfloat16, torch.float16, torch.bool):
        x = torch.ones(5, dtype=dtype)
        dist.all_reduce(x)
        assert (x == (1 if dtype == torch.bool else size)).all(), x
    x = torch.full((3, 4), float(rank)).t()  # not in C order
    dist.all_reduce(x, op=dist.ReduceOp.MAX)
    assert (x == size - 1).all()
    x = torch.tensor([float(rank)])
    dist.all_reduce(x, op=dist.ReduceOp.AVG)
    assert x[0] == (size - 1) / 2
    x = torch.tensor([rank])
    dist.broadcast(x, 1)
    assert x[0] == 1
    x = torch.tensor([1.0])
    dist.reduce(x, 1)
    assert rank != 1 or x[0] == size
    parts = [torch.zeros(2) for _ in range(size)]
    dist.all_gather(parts, torch.full((2,), float(rank)))
    assert [int(part[0]) for part in parts] == list(range(size))
    dist.gather(torch.full((2,), float(rank)), parts if rank == 0 else None)
    mine = torch.zeros(2)
    dist.reduce_scatter(mine, [torch.full((2,), float(i)) for i in range(size)])
    assert (mine == rank * size).all()
    dist.scatter(mine, [torch.full((2,), float(i)) for i in range(size)] if rank == 0 else None)
    assert (mine == rank).all()
    received = torch.zeros(size)
    dist.all_to_all_single(received, torch.arange(size) + 10.0 * rank)
    assert received.tolist() == [10.0 * i + rank for i in range(size)]
    mine, theirs = [rank + 2 * i for i in range(size)], [i + 2 * rank for i in range(size)]  # rows to, and from
    rows = torch.cat([torch.full((count, 2), 10.0 * rank + to) for to, count in enumerate(mine)])
    got = torch.zeros(sum(theirs), 2)
    dist.all_to_all_single(got, rows, theirs, mine)
    wanted = [10.0 * who + rank for who, count in enumerate(theirs) for _ in range(count)]
    assert got.tolist() == [[value, value] for value in wanted], got
    outs = [torch.zeros(count) for count in theirs]
    dist.all_to_all(outs, [torch.full((count,), float(rank)) for count in mine])
    assert all((out == who).all() for who, out in enumerate(outs))
    dist.barrier()


def check_messages_and_groups():
    there, here = torch.full((1 << 18,), float(rank)), torch.zeros(1 << 18)
    requests = [dist.irecv(here, (rank - 1) % size), dist.isend(there, (rank + 1) % size)]
    for request in requests:
        request.wait()
    assert here[0] == (rank - 1) % size
    objects = [None] * size
    dist.all_gather_object(objects, {"rank": rank})
    assert objects[size - 1] == {"rank": size - 1}
    pair = dist.new_group([0, 1])
    if rank < 2:
        x = torch.ones(1)
        dist.all_reduce(x, group=pair)
        assert x[0] == 2


def train():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    parallel = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(parallel.parameters(), 0.1)
    torch.manual_seed(rank)
    for _ in range(10):
        loss = parallel(torch.randn(4, 8)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return sum(float(parameter.sum()) for parameter in model.parameters())


if backend == "muster":
    check_collectives()
    check_messages_and_groups()
print(f"trained to {train():.5f}\n", end="")  # one write: two ranks of torchrun share one unbuffered descriptor
dist.destroy_process_group()
