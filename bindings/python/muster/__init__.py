"""Process groups on one machine, through shared memory: MLX's distributed interface, for arrays of any kind.

    import muster, numpy as np
    world = muster.init()
    total = muster.all_sum(np.ones(4) * world.rank())

Started as `muster run -n 4 -- python program.py`. Without that the world is a group of one.
"""

from . import _arrays
from ._phase import phase
from ._shares import Queue, Share
from ._varied import all_gatherv, all_to_allv, gatherv, reduce_scatterv, scatterv
from ._muster import (
    AbortedError, DeadlockError, Error, Group, MismatchError, PeerDiedError, TimedOutError, __version__,
    all_gather, all_max, all_min, all_reduce, all_sum, all_to_all, allocate as _allocate, barrier, broadcast,
    exscan, gather, init, is_available, recv_into, reduce, reduce_scatter, scan, scatter, send, sum_scatter,
)

__all__ = [
    "AbortedError", "DeadlockError", "Error", "Group", "MismatchError", "PeerDiedError", "Queue", "Share",
    "TimedOutError",
    "all_gather", "all_gatherv", "all_max", "all_min", "all_reduce", "all_sum", "all_to_all", "all_to_allv", "barrier",
    "broadcast", "empty", "exscan", "gather", "gatherv", "init", "is_available", "phase", "recv", "recv_into",
    "recv_like", "reduce", "reduce_scatter", "reduce_scatterv", "scan", "scatter", "scatterv", "send", "sum_scatter",
]


def recv(shape, dtype, src, *, group=None, stream=None):
    """Receives an array of that shape and dtype from rank src of the group."""
    name = _arrays._name(dtype)
    out = _arrays.make(shape, name)
    return recv_into(out, src, group=group, dtype=name)


def recv_like(x, src, *, group=None, stream=None):
    """Receives an array of x's kind, shape and dtype from rank src. x itself is not used."""
    like = x if hasattr(x, "shape") else _arrays.as_array(x)
    shape = like.shape if hasattr(like, "shape") else memoryview(like).shape
    return recv_into(_arrays.result(like, tuple(shape)), src, group=group)


def empty(shape, dtype="float32", group=None):
    """An array in the arena: every rank reads it where it lies, so that collectives on it copy less.

    Its contents are undefined. The memory goes back when the array, and all views of it, are gone.
    """
    return _arrays.make(shape, dtype, lambda count: _allocate(count, group))
