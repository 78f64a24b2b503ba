"""Operators of torch.ops.muster in compiled graphs: all are called, and in the order of the program."""

import re
import secrets
import unittest

import torch
import torch.distributed as dist

import muster
import muster.torch
from torch_ranks import values

ops = torch.ops.muster


def messages_compiled(backend):
    """Both directions, the second one large enough to need its receiver; what is received and not used is not left out."""
    handle, rank, many = muster.torch.handle(), dist.get_rank(), 1 << 18

    def first(x):
        y, got = x * 2, torch.empty(many)
        ops.send(y, handle, 1, 7)
        ops.send(y + 1, handle, 1, 7)
        ops.all_reduce_(y, handle)
        ops.recv_(got, handle, 1, 7)
        return y, got

    def second(x):
        y, ignored, got, large = x * 2, torch.empty_like(x), torch.empty_like(x), x.new_ones(many)
        ops.recv_(ignored, handle, 0, 7)
        ops.recv_(got, handle, 0, 7)
        ops.all_reduce_(y, handle)
        ops.send(large * 3, handle, 0, 7)
        return y, got

    compiled_step = torch.compile((first, second)[rank], fullgraph=True, backend=backend)
    for again in range(3):
        y, got = compiled_step(torch.full((5,), float(rank + again)))
        assert (y == 4 * again + 2).all(), y
        assert (got == (3 if rank == 0 else 2 * again + 1)).all(), got


def kept_in_order():
    """What inductor makes calls what the program calls, in its order; the rank is alone, so that no order hangs."""
    from torch._inductor.utils import run_and_get_code  # not before ranks are forked, as it starts processes

    group = muster.attach(f"/muster-test-{secrets.token_hex(8)}", 0, 1)  # in which a rank may send to itself
    handle, inputs = muster.torch.handle(group), (torch.ones(64), torch.ones(64))

    def sizes(x, _):
        bigs = [x.expand(4096, x.shape[0]) * i for i in range(1, 4)]
        for big, op in zip(bigs, ("max", "min", "sum")):
            ops.all_reduce_(big, handle, op)
        ops.all_reduce_(y := bigs[2].sum(0), handle, "avg")
        ops.all_reduce_(z := bigs[0].sum(0) + bigs[1].sum(0), handle, "product")
        return y, z

    def into_and_out_of_place(x, _):
        ops.all_reduce_(y := x * 3, handle, "max")
        ops.all_reduce_(z := x.cos(), handle, "min")
        total = ops.all_reduce(z.expand(4096, x.shape[0]).contiguous(), handle, "sum").sum(0)
        ops.all_reduce_(y.sin(), handle, "product")
        return y + z, total

    def messages(x, _):
        ops.send(y := x * 2, handle, 0, 1)
        ops.recv_(torch.empty_like(x), handle, 0, 1)
        ops.send(y + 1, handle, 0, 2)
        ops.all_reduce_(y, handle, "max")
        ops.all_gather(y, handle, 1)
        ops.recv_(z := torch.empty_like(x), handle, 0, 2)
        return z + y

    def fused_across(x, z):
        """The sine and the last sum, which both read x, would be one loop, and that after the second operator."""
        y, other = x.sin(), z + 1
        ops.all_reduce_(y, handle, "max")
        ops.all_reduce_(other, handle, "min")
        return y, other.cos() + x

    for step, wanted in ((sizes, "max min sum avg product"), (into_and_out_of_place, "max min sum product"),
                         (messages, "send recv_ send max all_gather recv_"), (fused_across, "max min")):
        with torch.no_grad():
            results, code = run_and_get_code(torch.compile(step, fullgraph=True), *inputs)
            for wanted_value, value in zip(step(*inputs), results):
                torch.testing.assert_close(value, wanted_value, rtol=1e-4, atol=0)
        called = re.findall(r"torch\.ops\.muster\.(\w+)\.default\(.*?(?:'(\w+)')?\)\n", "\n".join(code))
        called = " ".join(op or name for name, op in called)
        assert called == wanted, (step.__name__, called)


class Graphs(unittest.TestCase):
    def test_messages(self):
        values(2, messages_compiled, "aot_eager")

    def test_messages_by_inductor(self):
        values(2, messages_compiled, "inductor")

    def test_order(self):
        values(1, kept_in_order)


if __name__ == "__main__":
    unittest.main()
