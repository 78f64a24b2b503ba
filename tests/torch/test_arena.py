"""use_arena(): tensors in the memory of a group; nested and interleaved; in forked children, and at the end of a rank."""

import os
import secrets
import sys
import threading
import unittest

import torch
import torch.distributed as dist

import muster
import muster.torch
from muster.testing import ranks
from torch_ranks import attached, expect, values

ops = torch.ops.muster
MANY = 1 << 16


def memory_of(x):
    """What of /proc/self/maps it lies in: the kind, and the number of the file."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            extent, kind, _, _, inode = line.split()[:5]
            begin, end = (int(word, 16) for word in extent.split("-"))
            if begin <= x.data_ptr() < end:
                return kind, inode
    raise AssertionError(f"{x.data_ptr():#x} is nowhere")


def is_shared(x):
    """Whether it lies in memory that ranks share."""
    return memory_of(x)[0][3] == "s"


def in_arena():
    """Tensors that are made within use_arena, and no others; they are as others, and outlive the group."""
    group, part, size = attached(), dist.new_group(), dist.get_world_size()
    for of in (group, part):
        handle, before = muster.torch.handle(of), torch.ones(1 << 16)
        with muster.torch.use_arena(of):
            x, small = torch.ones(1 << 16), torch.ones(3)
            with muster.torch.use_arena():
                y = x * 2
            z = torch.compile(lambda x: (x * 3).sin(), backend="aot_eager")(x)
        after = torch.ones(1 << 16)
        assert [is_shared(each) for each in (before, x, small, y, z, after)] == [False, True, False, True, True, False]
        ops.all_reduce_(x, handle)
        ops.all_reduce_(y, handle)
        assert (x == size).all() and (y == 2 * size).all()
        address = x.data_ptr()
        del x
        with muster.torch.use_arena(of):
            assert torch.empty(1 << 16).data_ptr() == address  # what is gone serves the next one
            x = torch.ones(1 << 16).share_memory_()
            y = torch.ones(8, dtype=torch.float64).repeat(1000).resize_(20000)
        del x
        dist.barrier()
        if of is group:
            group.__exit__()
        else:
            dist.destroy_process_group(part)
        expect(ValueError, "left or destroyed", lambda: ops.all_reduce_(before, handle))
        assert (y[:8000] == 1).all() and (z == torch.tensor(3.0).sin()).all()
    with muster.torch.use_arena():
        pid = os.fork()
        if pid == 0:
            os._exit(is_shared(torch.ones(1 << 16)))  # usual memory: nothing is allocated in the parent's arena
    assert os.waitpid(pid, 0)[1] == 0


def alone():
    """A group of this process alone."""
    return muster.attach(f"/muster-test-{secrets.token_hex(8)}", 0, 1)


def in_child(body):
    """In a forked child, which must reach the end of it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            body()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0, body.__name__


def left_in_any_order():
    """As generators do that are closed in whatever order: what has not been left serves, the last one first."""
    def within(group):
        with muster.torch.use_arena(group):
            yield

    first, second = alone(), alone()
    files = []
    for group in (first, second):
        with muster.torch.use_arena(group):
            files.append(memory_of(torch.empty(MANY))[1])
    assert files[0] != files[1]
    for order in ((0, 1), (1, 0)):
        both = [within(first), within(second)]
        for one in both:
            next(one)
        assert memory_of(torch.empty(MANY))[1] == files[1]
        both[order[0]].close()
        assert memory_of(torch.empty(MANY))[1] == files[order[1]]
        both[order[1]].close()
        assert not is_shared(torch.empty(MANY))


def left_twice():
    """Refused in words, also by another thread; and nothing else is left instead."""
    group = alone()
    within = muster.torch.use_arena(group)
    expect(muster.torch.ArgumentError, "this thread is not within it", within.__exit__)
    with within:
        expect(muster.torch.ArgumentError, "this thread is not within it", muster.torch.use_arena(alone()).__exit__)
        refused = []
        thread = threading.Thread(target=lambda: refused.append(
            expect(muster.torch.ArgumentError, "on the thread that has entered it", within.__exit__)))
        thread.start()
        thread.join()
        assert refused and is_shared(torch.empty(MANY))
    expect(muster.torch.ArgumentError, "this thread is not within it", within.__exit__)


def forked():
    """A child has arenas of its own, whose blocks come back; its parent's stay as they are."""
    group = attached()
    with muster.torch.use_arena(group):
        x = torch.ones(MANY)

    def body():
        nonlocal x
        del x  # the parent has it
        with muster.torch.use_arena(alone()):
            y = torch.ones(MANY)
            address = y.data_ptr()
            assert is_shared(y)
            del y
            assert torch.empty(MANY).data_ptr() == address

    in_child(body)
    with muster.torch.use_arena(group):
        assert torch.zeros(MANY).data_ptr() != x.data_ptr()
    assert (x == 1).all()


def forked_beside_threads():
    """Threads of the parent are in the middle of it, whenever it is forked."""
    group, over = alone(), threading.Event()

    def make():
        with muster.torch.use_arena(group):
            while not over.is_set():
                torch.empty(MANY)

    def body():
        with muster.torch.use_arena(alone()):
            assert is_shared(torch.empty(MANY))

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        in_child(body)
    over.set()
    for thread in threads:
        thread.join()


def of_many_sizes():
    """What sizes that never come again have had serves other ones."""
    with muster.torch.use_arena(alone()):
        kept = torch.empty(MANY)
        addresses = [torch.empty(MANY + (1 << 10) * size).data_ptr() for size in range(1000)]
    assert is_shared(kept) and kept.data_ptr() not in addresses
    assert max(addresses) - min(addresses) < 1 << 26, addresses  # of some GB in all


class LetsGo:
    """Standard output that has tensors until it is flushed, which a rank's is last."""

    def __init__(self, kept):
        self.kept, self.output = kept, sys.stdout

    def write(self, text):
        return self.output.write(text)

    def flush(self):
        self.kept.clear()
        self.output.flush()


@ranks(2)
def rank_ends():
    """With tensors in the memory of a group that it has left."""
    group = muster.init().split(0)
    within = muster.torch.use_arena(group)
    with within:
        kept = [torch.ones(MANY), torch.ones(2 * MANY), within]
    del within
    for x in kept[:2]:
        ops.all_reduce_(x, muster.torch.handle(group))
        assert (x == 2).all()
    group.__exit__()
    sys.stdout = LetsGo(kept)


class Arenas(unittest.TestCase):
    def test_in_arena(self):
        values(2, in_arena)

    def test_left_in_any_order(self):
        values(1, left_in_any_order)

    def test_left_twice(self):
        values(1, left_twice)

    def test_forked(self):
        values(2, forked)

    def test_forked_beside_threads(self):
        values(1, forked_beside_threads)

    def test_of_many_sizes(self):
        values(1, of_many_sizes)

    def test_rank_ends(self):
        rank_ends()


if __name__ == "__main__":
    unittest.main()
