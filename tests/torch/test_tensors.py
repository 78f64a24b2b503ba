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
        for call in (lambda: muster.all_sum(torch.zeros(2, 3), out=torch.zeros(3, 2).T),
                     lambda: muster.all_gatherv(torch.zeros(2, 3), [2, 2], out=torch.zeros(3, 4).T)):
            expect(TypeError, "out cannot be written to without a copy; expected an array in C order", call)

    @ranks(2)
    def test_what_a_tensor_shows_is_what_is_moved(self):
        """With gradients, conjugate, negative, boolean, and without elements; and the same in every kind of call."""
        rank = muster.init().rank()
        leaf, complex_ones = torch.ones(3, requires_grad=True), torch.tensor([1 + 2j, 3 - 1j])
        for x in (torch.nn.Parameter(torch.ones(2, 3)), leaf, 2 * leaf, complex_ones.conj(), complex_ones.conj().imag,
                  complex_ones.reshape(1, 2).conj().T, torch.zeros(2, 0), torch.zeros(0, 3), torch.zeros(2, 0, 3)):
            plain = x.detach().resolve_conj().resolve_neg().clone()
            for call in muster.all_sum, lambda x: muster.all_sum_start(x).wait(), lambda x: muster.all_reduce(x, op="sum"):
                got = call(x)
                assert got.shape == x.shape and got.dtype == x.dtype and not got.requires_grad
                assert (got == 2 * plain).all(), (x, got)
            twice = torch.cat([plain, plain])
            for got in muster.all_gather(x), muster.all_gatherv(x), muster.all_gatherv(x, [len(x)] * 2):
                assert got.shape == twice.shape and (got == twice).all(), (x, got)
            assert (muster.broadcast(x, 1) == plain).all()
            request = muster.send_start(x, 1 - rank)
            got = muster.recv_like(x, 1 - rank)
            assert (got == plain).all() and got.shape == x.shape and not got.requires_grad
            request.wait()
        truth = torch.tensor([True, False, rank == 1])
        assert muster.all_max(truth).tolist() == [True, False, True] and muster.all_sum(truth).dtype == torch.bool

    @ranks(2)
    def test_what_cannot_be_written_to(self):
        parameter, values = torch.nn.Parameter(torch.ones(2)), torch.tensor([1 + 2j])
        for call, x in ((muster.all_sum, parameter), (muster.all_gather, parameter)):
            expect(TypeError, "it requires a gradient, which would not see it; give x.detach()", lambda: call(x, out=x))
        expect(TypeError, "it requires a gradient", lambda: muster.recv_into(parameter, 0))
        expect(TypeError, "a conjugate or negative view", lambda: muster.all_sum(values, out=values.conj()))
        expect(TypeError, "a conjugate or negative view", lambda: muster.all_sum(torch.zeros(1), out=values.conj().imag))
        expect(TypeError, "give it x.to_dense()", lambda: muster.all_sum(torch.ones(3).to_sparse()))
        expect(TypeError, "torch's meta device", lambda: muster.all_sum(torch.ones(3, device="meta")))
        assert muster.all_sum(parameter.data, out=parameter.data) is not None and parameter.tolist() == [2, 2]

    @ranks(2)
    def test_spellings_of_dtypes(self):
        rank = muster.init().rank()
        for dtype in torch.float32, torch.int64, torch.bfloat16, torch.bool, torch.complex64, torch.float8_e4m3fn:
            muster.send(torch.zeros(2, dtype=dtype), 1 - rank)
            assert muster.recv(2, dtype, 1 - rank).shape == (2,)
        bits = torch.tensor([0x3f80], dtype=torch.int16)
        assert muster.all_sum(bits, dtype=torch.bfloat16)[0] == 0x4000

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
