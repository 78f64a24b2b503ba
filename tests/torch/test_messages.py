"""Messages: in any order, of any size, by tag, beside everything else; and none is lost at the end of a process."""

import datetime
import multiprocessing
import multiprocessing.util
import os
import random
import time
import unittest

import torch
import torch.distributed as dist
from torch_ranks import _port, expect, run, values

import muster.torch


def exchange_with_both():
    """torch_three_rank_exchange: each sends both others 1 MiB, and only then receives."""
    rank = dist.get_rank()
    others = [(rank + 1) % 3, (rank + 2) % 3]
    x, y = torch.full((1 << 18,), float(rank)), {other: torch.empty(1 << 18) for other in others}
    work = [dist.isend(x, other) for other in others] + [dist.irecv(y[other], other) for other in others]
    for each in work:
        each.wait()
    return all((y[other] == other).all().item() for other in others)


def send_before_anybody_receives():
    """16 MiB to two ranks at once, which receive in an order that needs both to be under way."""
    rank, x = dist.get_rank(), torch.full((1 << 22,), float(dist.get_rank()))
    y = torch.empty_like(x)
    if rank == 0:
        for work in [dist.isend(x, 1), dist.isend(x, 2)]:
            work.wait()
    elif rank == 1:
        dist.recv(y, 2)
        dist.recv(x, 0)
    else:
        dist.recv(y, 0)
        dist.send(x, 1)
    return y.sum().item() == y.numel() * {0: y[0].item(), 1: 2, 2: 0}[rank]


def content(sender, receiver, tag, number, count):
    return torch.arange(count) * 1000 + sender * 100 + receiver * 10 + tag + number


def any_order(seed):
    """Every pair exchanges messages of all sizes and some tags; each rank posts and awaits in an order of its own."""
    size, rank = dist.get_world_size(), dist.get_rank()
    plan = random.Random(seed)
    messages = [(sender, receiver, plan.randrange(3), plan.choice([0, 1, 5, 2047, 2048, 2049, 20000, 200000]))
                for sender in range(size) for receiver in range(size) for _ in range(6) if sender != receiver]
    own = random.Random(seed * 100 + rank)
    todo, numbers = [], {}
    for sender, receiver, tag, count in messages:  # those of one pair and tag arrive in the order sent
        number = numbers[sender, receiver, tag] = numbers.get((sender, receiver, tag), -1) + 1
        if rank in (sender, receiver):
            todo.append((sender, receiver, tag, number, count))
    streams = {}
    for message in todo:
        streams.setdefault(message[:3], []).append(message)
    posted, outs = [], []
    while streams:
        key = own.choice(list(streams))
        sender, receiver, tag, number, count = message = streams[key].pop(0)
        if not streams[key]:
            del streams[key]
        x = content(*message) if rank == sender else torch.full((count,), -1)
        outs.append((x, message))
        posted.append(dist.isend(x, receiver, tag=tag) if rank == sender else dist.irecv(x, sender, tag=tag))
    own.shuffle(posted)
    for work in posted:
        work.wait()
    assert all(torch.equal(x, content(*message)) for x, message in outs), f"seed {seed}"


def tags():
    one, two = torch.full((1,), 7.0), torch.full((1,), 8.0)
    if dist.get_rank() == 0:
        works = [dist.isend(one, 1, tag=1), dist.isend(two, 1, tag=2)]
    else:
        one, two = torch.empty(1), torch.empty(1)
        works = [dist.irecv(two, 0, tag=2), dist.irecv(one, 0, tag=1)]
    for work in works:
        work.wait()
    assert (one, two) == (7, 8)
    late = torch.full((1,), 9.0)  # a message that came earlier waits until it is received
    if dist.get_rank() == 0:
        unasked = dist.isend(late, 1)
        dist.send(one, 1, tag=5)
        unasked.wait()
    else:
        dist.recv(one, 0, tag=5)
        dist.recv(late, 0)
    assert one == 7 and late == 9


def kinds():
    """Batches, views that are not in C order, a group in which ranks have other numbers."""
    rank, size = dist.get_rank(), dist.get_world_size()
    x, y = torch.full((3, 4), float(rank)).t(), torch.zeros(8, 3)[::2]
    for work in dist.batch_isend_irecv([dist.P2POp(dist.isend, x, (rank + 1) % size),
                                        dist.P2POp(dist.irecv, y, (rank - 1) % size)]):
        work.wait()
    assert (y == (rank - 1) % size).all()
    group = dist.new_group([2, 1])
    if rank > 0:
        z = torch.full((5,), float(rank))
        other = torch.zeros(5)
        work = dist.isend(z, 3 - rank, group=group)
        dist.recv(other, 3 - rank, group=group)
        work.wait()
        assert (other == 3 - rank).all()
    objects = [{"rank": 1}] if rank == 1 else [None]
    if rank == 1:
        dist.send_object_list(objects, 0)
    elif rank == 0:
        dist.recv_object_list(objects, 1)
        assert objects == [{"rank": 1}]


def beside_collectives():
    rank, size = dist.get_rank(), dist.get_world_size()
    for step in range(20):
        x, y, z = torch.ones(1000), torch.full((3000,), float(step)), torch.zeros(3000)
        works = [lambda: dist.all_reduce(x, async_op=True), lambda: dist.isend(y, (rank + 1) % size),
                 lambda: dist.irecv(z, (rank - 1) % size)]
        random.Random(step * size + rank).shuffle(works)
        works = [work() for work in works]
        for work in works:
            work.wait()
        assert (x == size).all() and (z == step).all()


def something_else_than_sent_breaks():
    """The backend in C++: a message is on its way when the program goes on, so the group's messages are broken, and both
    ranks are told. Its collectives go on."""
    for count, wanted, dtype, sent, received in ((4, 5, torch.float32, "float32 x 4", "float32 x 5"),
                                                 (1 << 20, 5, torch.float32, "float32 x 1048576", "float32 x 5"),
                                                 (4, 4, torch.int32, "float32 x 4", "int32 x 4")):
        group, x = dist.new_group(), torch.zeros(wanted, dtype=dtype)
        if dist.get_rank() == 0:
            work = dist.isend(torch.ones(count), 1, group=group)
            dist.barrier()
            text = expect(muster.torch.MismatchError, sent, lambda: (work.wait(), dist.send(x, 1, group=group)))
        else:
            text = expect(muster.torch.MismatchError, sent, lambda: dist.recv(x, 0, group=group))
            assert (x == 0).all()
            dist.barrier()
        assert received in text, text
        dist.all_reduce(y := torch.ones(1), group=group)
        assert y == 2


def something_else_than_sent():
    """A mismatch is an error of that message; others go on."""
    text = "rank 0 sent float32 x {} and rank 1 receives {} x {}; expected the same of both"
    for count, wanted, dtype in ((4, 5, torch.float32), (5, 4, torch.float32), (1 << 16, 5, torch.float32),
                                 (4, 2, torch.int64), (4, 4, torch.int32)):
        words = text.format(count, str(dtype)[6:], wanted)
        x = torch.zeros(wanted, dtype=dtype)
        if dist.get_rank() == 0:
            expect(muster.MismatchError, words, lambda: dist.send(torch.ones(count), 1))
            dist.send(torch.ones(3), 1)
        else:
            expect(dist.DistBackendError, words, lambda: dist.recv(x, 0))
            assert (x == 0).all()
            dist.recv(y := torch.zeros(3), 0)
            assert (y == 1).all()


def nobody_there():
    """A rank that is none of the group's, or oneself, is refused at the call; nothing waits for it."""
    rank, x = dist.get_rank(), torch.ones(1)
    group = dist.group.WORLD
    for peer, words in ((2, "expected the number of another rank"), (-1, "expected the number of another rank"),
                        (rank, "copy what is for this one")):
        expect(ValueError, words, lambda: group.send([x], peer, 0))
        expect(ValueError, words, lambda: group.recv([x], peer, 0))
        expect(ValueError, words, lambda: dist.isend(x, peer))
    dist.barrier()
    dist.destroy_process_group()
    for call in (lambda: group.send([x], 1 - rank, 0), lambda: group.recv([x], 1 - rank, 0),
                 lambda: group.allreduce([x]), lambda: group.barrier()):
        expect(RuntimeError, "the process group has been destroyed", call)


def wait_for_a_while():
    """wait() with a time of its own: the message goes on, and comes."""
    x = torch.zeros(1)
    if dist.get_rank() == 0:
        work = dist.irecv(x, 1)
        expect(muster.torch.TimedOutError, "waited 0.1 s for rank 1 to send float32 x 1 (tag 0), which goes on",
               lambda: work.wait(datetime.timedelta(seconds=0.1)))
        dist.barrier()
        work.wait()
        assert x == 1
    else:
        dist.barrier()
        dist.send(torch.ones(1), 0)


def _send_and_end(rank, port, count, results):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE="2")
    dist.init_process_group("muster")
    if rank == 1:
        dist.send(torch.ones(count), 0)  # and its process ends
        return
    time.sleep(0.3)  # in which the process of rank 1 would end, if it were done
    dist.recv(x := torch.zeros(count), 1)
    results.put(x.sum().item())


def end_once_received():
    """What is received is told to the sender, though the receiver's process ends at once."""
    if dist.get_rank() == 0:
        dist.send(torch.ones(3), 1)
    else:
        dist.recv(torch.zeros(3), 0)
    multiprocessing.util._exit_function()  # as the end of a process of multiprocessing does
    os._exit(7)


class Messages(unittest.TestCase):
    def test_exchange_with_both(self):
        self.assertEqual(values(3, exchange_with_both), [True] * 3)

    def test_send_before_anybody_receives(self):
        self.assertEqual(values(3, send_before_anybody_receives), [True] * 3)

    def test_any_order(self):
        seed = int(os.environ.get("TEST_SEED", "0")) or random.randrange(1, 10**6)
        print(f"test_any_order: TEST_SEED={seed}")
        for size in (2, 3, 4):
            values(size, any_order, seed)

    def test_tags(self):
        values(2, tags)
        values(2, tags, backend="gloo")

    def test_kinds(self):
        values(3, kinds)

    def test_beside_collectives(self):
        values(3, beside_collectives)

    def test_something_else_than_sent(self):
        values(2, something_else_than_sent_breaks if muster.torch.is_compiled else something_else_than_sent)

    def test_nobody_there(self):
        values(2, nobody_there)

    def test_wait_for_a_while(self):
        values(2, wait_for_a_while)

    def test_nothing_is_lost_at_the_end_of_a_process(self):
        context = multiprocessing.get_context("fork")
        for count in (1, 1 << 18):
            results, port = context.SimpleQueue(), _port()
            ranks = [context.Process(target=_send_and_end, args=(rank, port, count, results)) for rank in range(2)]
            for rank in ranks:
                rank.start()
            for rank in ranks:
                rank.join()
            self.assertEqual([rank.exitcode for rank in ranks], [0, 0])
            self.assertEqual(results.get(), count)
        for _ in range(15):
            ends = run(2, end_once_received)
            self.assertEqual([end.status for end in ends], [7, 7], ends)


if __name__ == "__main__":
    unittest.main()
