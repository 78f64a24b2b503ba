"""Tensors given to muster itself, without torch.distributed."""

import unittest

import torch

import muster
from muster.testing import ranks


def expect(error, text, call):
    """The call raises that, with the text in its message."""
    try:
        call()
    except error as raised:
        assert text in str(raised), f"{raised!s} has no {text!r}"
        return
    raise AssertionError(f"no {error.__name__}")


class Tensors(unittest.TestCase):
    @ranks(2)
    def test_tensors_that_are_not_in_c_order(self):
        rank = muster.init().rank()
        table = torch.arange(12.0).reshape(3, 4)
        for x in table.T, table[:, ::2]:
            rows = len(x)
            everyone = torch.cat([x, x]).detach()
            for got in (muster.all_gather(x), muster.all_gatherv(x), muster.all_gatherv_start(x, [rows] * 2).wait()):
                assert isinstance(got, torch.Tensor) and got.shape == everyone.shape and (got == everyone).all()
            assert (muster.all_sum_start(x).wait() == 2 * x).all()
            assert (muster.reduce_scatterv(x, [1, rows - 1]) == 2 * (x[:1] if rank == 0 else x[1:])).all()
        needs_grad = torch.ones(2, 2, requires_grad=True)
        for call in (lambda: muster.all_sum(needs_grad), lambda: muster.all_gatherv(needs_grad, [2, 2])):
            expect((RuntimeError, BufferError), "detach", call)
        for call in (lambda: muster.all_sum(torch.zeros(2, 3), out=torch.zeros(3, 2).T),
                     lambda: muster.all_gatherv(torch.zeros(2, 3), [2, 2], out=torch.zeros(3, 4).T)):
            expect(TypeError, "out cannot be written to where it lies; expected an array in C order", call)

    @ranks(2)
    def test_a_function_of_the_program_and_messages(self):
        rank = muster.init().rank()
        got = muster.all_reduce(torch.tensor([2, 3 + rank]), op=muster.Op.create(lambda a, b: a * b, "times"))
        assert isinstance(got, torch.Tensor) and got.tolist() == [4, 12]
        request = muster.recv_like_start(torch.zeros(3), 1 - rank, 4)
        muster.send(torch.full((3,), 1.0 + rank), 1 - rank, 4)
        assert request.wait().tolist() == [2.0 - rank] * 3
        assert muster.sendrecv(torch.tensor([rank]), 1 - rank, 1 - rank).tolist() == [1 - rank]


if __name__ == "__main__":
    unittest.main()
