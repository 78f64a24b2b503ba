"""Messages of the Python module: tags, any source, RANK_NONE, probes, and what has come."""

import array
import copy
import pickle
import unittest

import muster
from helpers import expect, ints, needs_numpy, np
from muster.testing import ranks


class Tags(unittest.TestCase):
    @ranks(2)
    def test_messages_are_taken_by_their_tags(self):
        rank = muster.init().rank()
        for tag in 0, 5, 2 ** 31 - 1:
            muster.send(ints(tag), 1 - rank, tag)
        for tag in 2 ** 31 - 1, 0, 5:
            assert muster.recv_into(ints(0), 1 - rank, tag)[0] == tag
        muster.send(ints(8), 1 - rank, tag=9)
        assert muster.recv_into(ints(0), 1 - rank, muster.ANY_TAG)[0] == 8
        for wrong in -1, 2 ** 31, 2 ** 70, 1.5, "1":
            expect((ValueError, TypeError, OverflowError), "", lambda: muster.send(ints(1), 1 - rank, wrong))
            expect((ValueError, TypeError, OverflowError), "", lambda: muster.recv_into(ints(1), 1 - rank, wrong))
        expect(ValueError, "expected 0 to 2147483647", lambda: muster.send(ints(1), 1 - rank, muster.ANY_TAG))
        expect(ValueError, "or muster.ANY_TAG", lambda: muster.recv_into(ints(1), 1 - rank, -1))

    @ranks(3)
    def test_any_source_and_what_has_come(self):
        """Each message once, from whom it is, and shorter than its room."""
        rank = muster.init().rank()
        if rank:
            for i in range(20):
                muster.send(ints(*[rank] * i), 0, tag=i)
            return
        came, out, seen = muster.Message(), ints(*[0] * 30), set()
        assert (came.source, came.tag, came.count, came.dtype) == (muster.RANK_NONE, muster.ANY_TAG, 0, None)
        for _ in range(40):
            assert muster.recv_into(out, muster.ANY_SOURCE, muster.ANY_TAG, message=came) is out
            assert out[:came.count].tolist() == [came.source] * came.tag
            assert came.dtype == "int32" or came.count == 0
            seen.add((came.source, came.tag))
        assert seen == {(source, tag) for source in (1, 2) for tag in range(20)}

    @ranks(2)
    def test_what_has_come_to_a_request(self):
        rank = muster.init().rank()
        came = muster.Message()
        request = muster.recv_into_start(ints(*[0] * 9), muster.ANY_SOURCE, muster.ANY_TAG, message=came)
        assert request.message is came and came.count == 0
        muster.send(ints(4, 5), 1 - rank, 3)
        assert request.wait()[:2].tolist() == [4, 5]
        assert repr(came) == f"Message(source={1 - rank}, tag=3, count=2, dtype='int32')"
        expect(TypeError, "expected a muster.Message() to fill", lambda: muster.recv_into(ints(0), 0, message=3))

    @ranks(2)
    def test_without_message_it_must_be_exact(self):
        rank = muster.init().rank()
        copy = muster.init().dup()
        if rank == 0:
            expect(muster.MismatchError, "", lambda: muster.send(ints(1, 2), 1, group=copy) and muster.barrier(group=copy))
        else:
            error = expect(muster.MismatchError, "", lambda: muster.recv_into(ints(0, 0, 0), 0, group=copy))
            assert error.status == "ranks disagree"

    @ranks(3)
    def test_probe(self):
        rank, size = muster.init().rank(), 3
        assert muster.iprobe() is None and muster.iprobe(muster.RANK_NONE).source is muster.RANK_NONE
        muster.barrier()
        for i in range(size):
            if i != rank:
                muster.send(array.array("d", [rank] * (i + 1)), i, tag=rank + 10)
        for source in (rank + 1) % size, (rank + 2) % size:
            there = muster.probe(source)
            assert (there.source, there.tag, there.count, there.dtype) == (source, source + 10, rank + 1, "float64")
            assert muster.iprobe(source, source + 10).count == rank + 1
            assert muster.iprobe(source, source + 11) is None
            got = muster.recv(there.count, there.dtype, there.source, there.tag)
            assert list(got) == [source] * (rank + 1)
        assert muster.iprobe() is None
        expect(ValueError, "Invalid source=3", lambda: muster.probe(3))

    @ranks(3)
    def test_sendrecv_round_a_ring(self):
        rank, size = muster.init().rank(), 3
        right, left = (rank + 1) % size, (rank - 1) % size
        assert muster.sendrecv(ints(rank), right, left)[0] == left
        long = array.array("i", [rank]) * 200000
        out, came = array.array("i", [0]) * 200001, muster.Message()
        assert muster.sendrecv(long, right, left, 4, muster.ANY_TAG, out=out, message=came) is out
        assert (came.source, came.tag, came.count) == (left, 4, 200000) and set(out[:200000]) == {left}
        assert muster.sendrecv(ints(rank), rank, rank)[0] == rank
        expect(ValueError, "x is of int32 and out of float64",
               lambda: muster.sendrecv(ints(1), rank, rank, out=array.array("d", [0])))

    @ranks(3)
    def test_a_line_of_ranks_ends_nowhere(self):
        """With RANK_NONE the first and the last rank do as the others."""
        rank, size = muster.init().rank(), 3
        left = rank - 1 if rank > 0 else muster.RANK_NONE
        right = rank + 1 if rank < size - 1 else muster.RANK_NONE
        out, came = ints(-5), muster.Message()
        assert muster.sendrecv(ints(rank), right, left, out=out, message=came) is out
        assert out[0] == (rank - 1 if rank else -5)
        assert came.source == (rank - 1 if rank else muster.RANK_NONE) and came.count == (rank > 0)
        got = muster.sendrecv(ints(rank), right, left)
        assert got is None if rank == 0 else got[0] == rank - 1
        muster.send(ints(rank), left)
        got = muster.recv(1, "int32", right)
        assert got is None if rank == size - 1 else got[0] == rank + 1
        x = ints(rank)
        requests = [muster.send_start(x, right), muster.recv_into_start(out, left), muster.recv_start(1, "int32", right),
                    muster.send_start(x, left)]
        sent, received, from_right, _ = muster.wait_all(requests)
        assert sent is x and received is out
        assert from_right is None if rank == size - 1 else from_right[0] == rank + 1

    @ranks(2)
    def test_constants_are_objects(self):
        """A number that happens to be the same is a mistake of the program's."""
        rank = muster.init().rank()
        for constant, name in ((muster.ANY_SOURCE, "ANY_SOURCE"), (muster.ANY_TAG, "ANY_TAG"),
                               (muster.RANK_NONE, "RANK_NONE")):
            assert repr(constant) == f"muster.{name}"
            assert pickle.loads(pickle.dumps(constant)) is copy.deepcopy(constant) is constant
        for number in int(muster.ANY_SOURCE), int(muster.RANK_NONE):
            expect(ValueError, f"Invalid source={number} for a group of size 2, where muster.ANY_SOURCE is any rank",
                   lambda: muster.recv_into(ints(0), number))
            expect(ValueError, f"Invalid destination={number}", lambda: muster.send(ints(0), number))
        expect(ValueError, "Invalid destination=-1", lambda: muster.send(ints(0), muster.ANY_SOURCE))
        expect(TypeError, "", lambda: muster.send(ints(0), 1.0))
        muster.barrier()

    @ranks(1)
    def test_alone(self):
        """MLX's messages have nobody to go to; ours may be to oneself."""
        muster.init()
        assert muster.sendrecv(ints(3), 0, 0)[0] == 3
        assert muster.iprobe() is None
        for call in (lambda: muster.send(ints(0), 0), lambda: muster.send_start(ints(0), 0)):
            expect(ValueError, "Cannot send to a singleton group", call)
        for source in 0, muster.ANY_SOURCE:
            for call in (muster.recv_into, muster.recv_into_start):
                expect(ValueError, "Cannot recv from a singleton group", lambda: call(ints(0), source))
        muster.send(ints(0), muster.RANK_NONE)
        assert muster.recv(3, "int32", muster.RANK_NONE) is None


class Named(unittest.TestCase):
    @ranks(2)
    def test_sentences_have_the_name_of_the_call(self):
        x = ints(1)
        for name, call in (("recv", lambda **more: muster.recv(1, "int32", 0, **more)), ("recv_like", lambda **more: muster.recv_like(x, 0, **more)),
                           ("recv_start", lambda **more: muster.recv_start(1, "int32", 0, **more)),
                           ("recv_like_start", lambda **more: muster.recv_like_start(x, 0, **more)),
                           ("recv_into", lambda **more: muster.recv_into(x, 0, **more))):
            expect(TypeError, f"{name}(): message: expected", lambda: call(message=3))
        for name, request in (("recv_like", muster.recv_like_start(x, 0)), ("recv", muster.recv_start(1, "int32", 0))):
            assert repr(request) == f"<muster.Request of {name}_start: pending>", request
            assert request.cancel()
        assert muster.recv_like(x, muster.RANK_NONE) is None
        if np is not None:
            expect(TypeError, "recv_like(): numpy gives no elements of datetime64[D]",
                   lambda: muster.recv_like(np.array(["2020-01-01"], "M8[D]"), 0))


@needs_numpy
class WithNumpy(unittest.TestCase):
    @ranks(2)
    def test_shapes_and_kinds(self):
        rank = muster.init().rank()
        x = np.arange(6.0).reshape(2, 3)
        muster.send(x, 1 - rank, 1)
        got = muster.recv_like(x, 1 - rank, 1)
        assert got.shape == (2, 3) and (got == x).all()
        request = muster.recv_like_start(x, 1 - rank, muster.ANY_TAG)
        muster.send(x.T, 1 - rank, 2)  # not in C order
        assert (request.wait().reshape(3, 2) == x.T).all()
        pair = np.dtype([("what", "f4"), ("where", "i4")])
        muster.send(np.array([(1.5, rank)], pair), 1 - rank)
        there = muster.probe()
        assert there.dtype == "float32_int32"
        muster.send(np.array([(2.5, rank)], pair), 1 - rank)
        assert muster.recv(1, there.dtype, 1 - rank)["index"][0] == 1 - rank
        assert muster.recv(1, pair, 1 - rank)["what"][0] == 2.5
        muster.send(np.array([0x3f80], "uint16"), 1 - rank, dtype="bfloat16")
        assert muster.probe().dtype == "bfloat16"
        assert muster.recv(1, "bfloat16", 1 - rank)[0] == 0x3f80
        back = muster.sendrecv(x[:, ::2], 1 - rank, 1 - rank)
        assert back.shape == (2, 2) and (back == x[:, ::2]).all()


if __name__ == "__main__":
    unittest.main()
