"""Process groups on one machine, through shared memory: MLX's distributed interface, for arrays of any kind.

    import muster, numpy as np
    world = muster.init()
    total = muster.all_sum(np.ones(4) * world.rank())

Started as `muster run -n 4 -- python program.py`. Without that the world is a group of one.

Each collective, send and recv has a form that starts it and returns a Request, such as all_sum_start.
"""

from ._muster import refuse_subinterpreter as _refuse_subinterpreter

_refuse_subinterpreter()  # before numpy is imported there

from . import _arrays, _errors, _log  # noqa: F401  (what muster logs, and its errors are)
from ._messages import (
    ANY_SOURCE, ANY_TAG, RANK_NONE, Message, recv, recv_like, recv_like_start, recv_start,
)
from ._objects import (
    all_gather_object, broadcast_object, gather_object, recv_object, scatter_object, send_object,
)
from ._ops import Op
from ._phase import phase
from ._shares import Queue, Share
from ._varied import (
    all_gatherv, all_gatherv_start, all_to_allv, all_to_allv_start, gatherv, gatherv_start, reduce_scatterv,
    reduce_scatterv_start, scatterv, scatterv_start,
)
from ._world import attach, init
from ._muster import (
    AbortedError, DeadlockError, Error, Group, MismatchError, PeerDiedError, Request, TimedOutError, __version__,
    all_gather, all_gather_start, all_max, all_max_start, all_min, all_min_start, all_reduce, all_reduce_start, all_sum,
    all_sum_start, all_to_all, all_to_all_start, allocate as _allocate, barrier, barrier_start, broadcast,
    broadcast_start, cpu_count, exscan, exscan_start, gather, gather_start, grid_coordinates, grid_dims, grid_neighbour,
    iprobe, is_available, probe, recv_into, recv_into_start, reduce, reduce_scatter, reduce_scatter_start, reduce_start,
    scan, scan_start, scatter, scatter_start, send, send_start, sendrecv, sum_scatter, sum_scatter_start, wait_all, wait_any,
)

__all__ = [
    "ANY_SOURCE", "ANY_TAG", "RANK_NONE",
    "AbortedError", "DeadlockError", "Error", "Group", "Message", "MismatchError", "Op", "PeerDiedError", "Queue",
    "Request", "Share", "TimedOutError",
    "all_gather", "all_gather_object", "all_gather_start", "all_gatherv", "all_gatherv_start", "all_max", "all_max_start",
    "all_min", "all_min_start", "all_reduce", "all_reduce_start", "all_sum", "all_sum_start", "all_to_all",
    "all_to_all_start", "all_to_allv", "all_to_allv_start", "attach", "barrier", "barrier_start", "broadcast",
    "broadcast_object", "broadcast_start", "cpu_count", "empty", "exscan", "exscan_start", "gather", "gather_object",
    "gather_start", "gatherv", "gatherv_start", "grid_coordinates", "grid_dims", "grid_neighbour", "init", "iprobe",
    "is_available", "phase", "probe", "recv", "recv_into", "recv_into_start", "recv_like", "recv_like_start", "recv_object",
    "recv_start", "reduce", "reduce_scatter", "reduce_scatter_start", "reduce_scatterv", "reduce_scatterv_start",
    "reduce_start", "scan", "scan_start", "scatter", "scatter_object", "scatter_start", "scatterv", "scatterv_start",
    "send", "send_object", "send_start", "sendrecv", "sum_scatter", "sum_scatter_start", "wait_all", "wait_any",
]


def empty(shape, dtype="float32", group=None):
    """An array in the arena: every rank reads it zero-copy.

    Its contents are undefined. Of bfloat16 and 8-bit floats, which numpy lacks, it has integers with their bits, and its
    dtype says so to muster's calls: those take the elements for floats, as they do in slices and copies. The memory goes back when the array, and all views of it, are gone: it stays when the group
    is left, at the end of a `with` block too. A group of attach(), or of shrink() or grow(), is then left for the others
    when its last array is gone. A process that is forked must not touch inherited arrays: that is SIGSEGV.

        >>> x = muster.empty((2, 3))
        >>> x[:] = rank
        >>> muster.all_sum(x, out=x)[0].tolist()
        [1.0, 1.0, 1.0]
    """
    return _arrays.make(shape, dtype, lambda count: _allocate(count, group))
