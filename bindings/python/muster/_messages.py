"""Messages: whom they are from, what they are, and receives that make their own array."""

from . import _arrays, _dtypes, _muster


class _Constant(int):
    """Stands where a rank or a tag stands. Only the object itself means it: a -1 that a program has computed does not."""

    def __new__(cls, name, value):
        made = super().__new__(cls, value)
        made._name = name
        return made

    def __repr__(self):
        return f"muster.{self._name}"

    def __reduce__(self):  # pickle and copy give the same object
        return self._name


ANY_SOURCE = _Constant("ANY_SOURCE", -1)
ANY_TAG = _Constant("ANY_TAG", -1)
RANK_NONE = _Constant("RANK_NONE", -2)


class Message:
    """What has come, or could be received: source, tag, count (elements) and dtype (its name).

    Given to a receive, it is filled when the receive is over. Nothing came from RANK_NONE: then source is
    RANK_NONE, tag ANY_TAG, count 0 and dtype None.

        >>> muster.Message()
        Message(source=muster.RANK_NONE, tag=muster.ANY_TAG, count=0, dtype=None)
    """

    __slots__ = ("source", "tag", "count", "dtype", "__weakref__")

    def __init__(self):
        self._fill(RANK_NONE, ANY_TAG, 0, None)

    def _fill(self, source, tag, count, dtype):
        self.source, self.tag, self.count, self.dtype = source, tag, count, dtype

    def __repr__(self):
        return f"Message(source={self.source!r}, tag={self.tag!r}, count={self.count}, dtype={self.dtype!r})"


_RECV, _RECV_LIKE = 1, 2  # of which sentences speak


def _receive(call, out, name, src, tag, group, message):
    _arrays.refuse_to_receive(out, "recv")
    return call(out, src, tag, group=group, message=message, dtype=name, _form=_RECV)


def _receive_like(call, x, src, tag, group, message):
    out = _arrays.result(*_arrays.elements_and_shape(x))
    _arrays.refuse_to_receive(out, "recv_like")
    return call(out, src, tag, group=group, message=message, _form=_RECV_LIKE)


def recv(shape, dtype, src, tag=0, *, group=None, stream=None, message=None):
    """Receives an array of that shape and dtype from rank src of the group.

    shape: a number, or a sequence of them. dtype: "float32", "f4", float, or numpy's, torch's or MLX's. The array is
    numpy's where there is numpy, else a memoryview, or, of complex numbers and pairs, one of ctypes; of bfloat16 and 8-bit
    floats it has integers with their bits, as muster.empty has. src may be ANY_SOURCE, and tag ANY_TAG. With
    message, a Message(), the message may have fewer elements than the array, and message says what has come. From RANK_NONE:
    None.

    Errors: ValueError and TypeError for arguments; MismatchError when what was sent has another dtype or size;
    PeerDiedError, TimedOutError, DeadlockError, AbortedError: the group is broken.

        >>> request = muster.send_start(np.ones((2, 2), "float32"), 1 - rank, tag=8)
        >>> muster.recv((2, 2), "float32", muster.ANY_SOURCE, tag=8).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
        >>> sent = request.wait()
    """
    return _receive(_muster.recv_into, _arrays.make(shape, dtype), _dtypes.stand_in(dtype), src, tag, group, message)


def recv_start(shape, dtype, src, tag=0, *, group=None, stream=None, message=None):
    """Starts recv. The Request's wait() returns the array, and its message is the Message that was given.

        >>> came = muster.Message()
        >>> request = muster.recv_start(4, "int32", 1 - rank, muster.ANY_TAG, message=came)
        >>> sent = muster.send(np.array([6, 7], "int32"), 1 - rank, tag=2)
        >>> request.wait()[:came.count].tolist(), came.tag
        ([6, 7], 2)
    """
    return _receive(_muster.recv_into_start, _arrays.make(shape, dtype), _dtypes.stand_in(dtype), src, tag, group, message)


def recv_like(x, src, tag=0, *, group=None, stream=None, message=None):
    """recv of an array of x's kind, shape and dtype. x itself is not used.

        >>> x = np.array([rank])
        >>> request = muster.send_start(x, 1 - rank)
        >>> muster.recv_like(x, 1 - rank).tolist() == [1 - rank]
        True
        >>> sent = request.wait()
    """
    return _receive_like(_muster.recv_into, x, src, tag, group, message)


def recv_like_start(x, src, tag=0, *, group=None, stream=None, message=None):
    """Starts recv_like."""
    return _receive_like(_muster.recv_into_start, x, src, tag, group, message)


_muster.ANY_SOURCE, _muster.ANY_TAG = ANY_SOURCE, ANY_TAG  # where the signatures of probes look for them
_muster.use_messages(Message, ANY_SOURCE, ANY_TAG, RANK_NONE)
