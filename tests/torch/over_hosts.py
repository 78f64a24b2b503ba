"""What ranks of one job do on one host or on several, started by muster run or mpirun: over_hosts.py CASE.

steps: prints what must not depend on hosts, the parameters after a few steps of DDP and what was moved beside them.
dies: the last rank is killed, and each other one says how it learns of that.
"""

import hashlib
import os
import signal
import sys

import torch
import torch.distributed as dist

import muster.torch  # noqa: F401: the backend, and where the ranks meet

dist.init_process_group("muster")
rank, size = dist.get_rank(), dist.get_world_size()
digest = hashlib.sha256()


def note(tensor):
    digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def train():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 300), torch.nn.Tanh(), torch.nn.Linear(300, 16))
    parallel = torch.nn.parallel.DistributedDataParallel(model, bucket_cap_mb=0.02)  # several buckets
    optimizer = torch.optim.SGD(parallel.parameters(), 0.1)
    torch.manual_seed(rank)
    for _ in range(4):
        optimizer.zero_grad()
        parallel(torch.randn(8, 64)).pow(2).mean().backward()
        optimizer.step()
    for parameter in model.parameters():
        note(parameter)


def move_beside():
    torch.manual_seed(10 + rank)
    sums = [torch.randn(count) for count in (1, 1000, 100000)]
    works = [dist.all_reduce(one, async_op=True) for one in sums]
    there, here = torch.randn(200000), torch.empty(200000)
    messages = [dist.irecv(here, (rank - 1) % size), dist.isend(there, (rank + 1) % size)]
    small = torch.tensor([float(rank)])
    if rank == 0:
        dist.send(small, size - 1, tag=3)
    if rank == size - 1:
        dist.recv(small, 0, tag=3)
        assert small.item() == 0
    for work in (*works, *messages):
        work.wait()
    for one in sums:
        note(one)
    theirs = here.sum()
    dist.all_reduce(theirs)
    note(theirs)


def divide():
    """A group across hosts, in another order than that of ranks, and one of neighbours."""
    for members in ([size - 1, 0], list(range(size // 2))):
        group = dist.new_group(members)
        if rank in members:
            x = torch.full((1000,), 0.1 * (rank + 1))
            dist.all_reduce(x, group=group)
            note(x)
    dist.barrier()


def steps():
    train()
    move_beside()
    divide()
    digests = [None] * size
    dist.all_gather_object(digests, digest.hexdigest())
    os.write(1, f"steps: {hashlib.sha256(repr(digests).encode()).hexdigest()}\n".encode())
    dist.destroy_process_group()


def dies():
    one = torch.ones(1)
    if rank == size - 1:
        for other in range(size - 1):  # until all are here, and in no call that ends with this one
            dist.recv(one, other)
        os.kill(os.getpid(), signal.SIGKILL)
    dist.send(one, size - 1)
    try:
        while True:
            dist.all_reduce(torch.ones(10), async_op=True).wait()
    except muster.torch.PeerDiedError as error:
        named = f"rank {size - 1}" in str(error) and "killed by signal 9" in str(error)
        os.write(1, (f"dies: {'done' if named else error}\n").encode())
    os._exit(4)


{"steps": steps, "dies": dies}[sys.argv[1]]()
