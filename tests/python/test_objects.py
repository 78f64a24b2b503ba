"""Python's objects between ranks: what arrives, and what every rank hears when one cannot be pickled or unpickled."""

import array
import os
import signal
import unittest

import muster
from helpers import expect, ints
from muster.testing import ranks


class Stubborn:
    """Cannot be pickled."""

    def __reduce__(self):
        raise ValueError("will not go")


class Unspeakable(Exception):
    """Cannot be shown."""

    def __str__(self):
        raise RuntimeError("no words")


class Mute:
    """Cannot be pickled, nor can be said why."""

    def __reduce__(self):
        raise Unspeakable


class Endless:
    """Has a length, and no more."""

    def __len__(self):
        return 3

    def __iter__(self):
        raise KeyError("nothing in it")


def unspeakable():
    raise Unspeakable


class MuteHere:
    """Cannot be unpickled, nor can be said why."""

    def __reduce__(self):
        return unspeakable, ()


def broken():
    raise KeyError("does not come")


class Broken:
    """Cannot be unpickled."""

    def __reduce__(self):
        return broken, ()


class Objects(unittest.TestCase):
    @ranks(3)
    def test_what_arrives(self):
        rank = muster.init().rank()
        for obj in None, 0, "", b"", {"a": [1, (2.5, "x")]}, list(range(100000)), bytes(3 << 20), ints(1, 2):
            for root in 0, 2:
                assert muster.broadcast_object(obj if rank == root else Stubborn, root) == obj
            assert muster.all_gather_object((rank, obj)) == [(r, obj) for r in range(3)]
            everyone = muster.gather_object((rank, obj), 1)
            assert everyone == ([(r, obj) for r in range(3)] if rank == 1 else None)
            assert muster.scatter_object([(r, obj) for r in range(3)] if rank == 2 else None, 2) == (rank, obj)
        assert muster.all_sum(ints(1))[0] == 3

    @ranks(3)
    def test_sizes_that_differ_much(self):
        rank = muster.init().rank()
        got = muster.all_gather_object("x" * [0, 1, 2 << 20][rank])
        assert [len(text) for text in got] == [0, 1, 2 << 20]

    @ranks(3)
    def test_what_cannot_be_pickled(self):
        """The rank that cannot raises its own exception, and the others say whose it is; the group goes on."""
        rank, group = muster.init().rank(), muster.init().dup()
        group.name = "tp:0"
        bad = Stubborn() if rank == 1 else 5
        for name, call in (("broadcast_object", lambda: muster.broadcast_object(bad, 1, group=group)),
                           ("all_gather_object", lambda: muster.all_gather_object(bad, group=group)),
                           ("gather_object", lambda: muster.gather_object(bad, 2, group=group)),
                           ("scatter_object", lambda: muster.scatter_object([1, 2, bad], 1, group=group))):
            if rank == 1:
                expect(ValueError, "will not go", call)
            else:
                error = expect(muster.Error, f"{name}(): rank 1 could not pickle its object: ValueError: will not go", call)
                assert (error.rank, error.operation, error.group) == (1, name, "tp:0")
            assert muster.all_gather_object(rank, group=group) == [0, 1, 2]
        if rank == 1:
            expect(ValueError, "2 objects for a group of size 3", lambda: muster.scatter_object([1, 2], 1))
        else:
            expect(muster.Error, "2 objects for a group of size 3", lambda: muster.scatter_object(None, 1))
        for objs, error, text in ((Endless(), KeyError, "nothing in it"), (None, TypeError, "not iterable")):
            if rank == 1:
                expect(error, text, lambda: muster.scatter_object(objs, 1))
            else:
                expect(muster.Error, f"{error.__name__}: ", lambda: muster.scatter_object(None, 1))
        expect(ValueError, "Invalid root=3 for a group of size 3", lambda: muster.broadcast_object(1, 3))

    @ranks(3)
    def test_what_is_scattered_is_any_iterable(self):
        rank = muster.init().rank()
        for objs in ("a", "b", "c"), {"a": 5, "b": 6, "c": 7}, "abc", dict.fromkeys("abc").keys(), iter("abc"):
            assert muster.scatter_object(objs if rank == 1 else None, 1) == "abc"[rank]
        assert sorted(muster.all_gather_object(muster.scatter_object({1, 2, 3} if rank == 0 else None))) == [1, 2, 3]

    @ranks(2)
    def test_errors_that_cannot_be_shown(self):
        rank = muster.init().rank()
        for name, call in (("broadcast_object", lambda: muster.broadcast_object(Mute())),
                           ("all_gather_object", lambda: muster.all_gather_object(Mute() if rank == 0 else 1)),
                           ("scatter_object", lambda: muster.scatter_object([1, Mute()]))):
            try:
                call()
                raise AssertionError(name)
            except Unspeakable:
                assert rank == 0
            except muster.Error as error:
                assert rank == 1 and str(error) == f"{name}(): rank 0 could not pickle its object: Unspeakable"
        got = expect(muster.Error, "unpickled here: Unspeakable", muster.broadcast_object) if rank else muster.broadcast_object(
            MuteHere())
        assert got

    @ranks(2)
    def test_what_cannot_be_unpickled(self):
        rank = muster.init().rank()

        def check(call, name):
            error = expect(muster.Error, f"{name}(): the object of rank 0", call)
            assert "could not be unpickled here: KeyError: 'does not come'" in str(error)
            assert isinstance(error.__cause__, KeyError) and (error.rank, error.operation) == (0, name)

        if rank == 0:
            muster.broadcast_object(Broken())
            muster.send_object(Broken(), 1)
        else:
            check(muster.broadcast_object, "broadcast_object")
            check(muster.recv_object, "recv_object")
        assert muster.all_gather_object(rank) == [0, 1]

    @ranks(3)
    def test_messages(self):
        rank = muster.init().rank()
        right, left = (rank + 1) % 3, (rank + 2) % 3
        for tag, obj in enumerate([None, [], {"rank": rank}, "y" * 1000]):
            muster.send_object(obj, right, tag)
        came = muster.Message()
        assert muster.recv_object(left, 3, message=came) == "y" * 1000
        assert (came.source, came.tag, came.dtype) == (left, 3, "uint8") and came.count > 1000
        assert muster.recv_object(left, tag=2) == {"rank": left}
        assert muster.recv_object(left) is None and muster.recv_object() == []
        assert muster.recv_object(muster.RANK_NONE, message=came) is None
        assert (came.source, came.tag, came.count, came.dtype) == (muster.RANK_NONE, muster.ANY_TAG, 0, None)
        expect(TypeError, "message: expected a muster.Message()", lambda: muster.recv_object(muster.RANK_NONE, message=1))
        muster.send_object("nowhere", muster.RANK_NONE)
        expect(ValueError, "Invalid destination=7", lambda: muster.send_object(1, 7))
        expect(ValueError, "will not go", lambda: muster.send_object(Stubborn(), right))

    @ranks(2)
    def test_messages_that_are_no_objects(self):
        rank = muster.init().rank()
        if rank == 0:
            muster.send(array.array("f", [1, 2]), 1, 5)
            muster.send(b"not pickled", 1, 6)
            return
        error = expect(muster.Error, "rank 0 has sent float32 x 2 with tag 5, which is no object; recv gets it",
                       lambda: muster.recv_object(0, 5))
        assert error.rank == 0 and muster.recv(2, "float32", 0, 5)[1] == 2
        expect(muster.Error, "the object of rank 0, 11 bytes, could not be unpickled here", lambda: muster.recv_object(0, 6))

    def test_a_dead_rank(self):
        def body(call):
            if muster.init().rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            error = expect(muster.PeerDiedError, "rank 1 was killed by signal 9", call)
            assert (error.rank, error.signal) == (1, signal.SIGKILL)

        for call in (lambda: muster.broadcast_object({}, 1), lambda: muster.all_gather_object({}), lambda: muster.recv_object(1),
                     lambda: muster.scatter_object(None, 1), lambda: muster.gather_object({}, 0) or muster.barrier()):
            with self.assertRaisesRegex(AssertionError, "^rank 1 of 3:\nkilled by signal 9$"):
                ranks(3)(lambda: body(call))()

    @ranks(1)
    def test_alone(self):
        obj = {"a": 1}
        assert muster.broadcast_object(obj) is obj and muster.all_gather_object(obj)[0] is obj
        assert muster.gather_object(obj) == [obj] and muster.scatter_object([obj]) is obj
        expect(ValueError, "Cannot send to a singleton group", lambda: muster.send_object(1, 0))
        for src in 0, muster.ANY_SOURCE:
            expect(ValueError, "Cannot recv from a singleton group", lambda: muster.recv_object(src))
        assert muster.recv_object(muster.RANK_NONE) is None
        expect(ValueError, "will not go", lambda: muster.all_gather_object(Stubborn()))

    @ranks(2)
    def test_calls_that_differ(self):
        copy = muster.init().dup()
        call = muster.broadcast_object if copy.rank() else muster.all_gather_object
        expect(muster.MismatchError, "", lambda: call(1, group=copy))


if __name__ == "__main__":
    unittest.main()
