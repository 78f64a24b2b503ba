"""Collectives with a count for each rank: counts are rows, on axis 0, and results one array after the other.

A blocking form may be without counts: the ranks tell each other first, all of them or none. A started form has them,
since telling would wait.
"""

import array as _array
import operator as _operator

from . import _arrays, _muster


def _shape(x):
    """x as an array, and its shape; a number is one row."""
    like = x if hasattr(x, "shape") else _arrays.as_array(x)
    return like, tuple(like.shape if hasattr(like, "shape") else memoryview(like).shape) or (1,)


def _in_rows(counts, row):
    """Counts of rows as counts of elements."""
    return [_operator.index(count) * row for count in counts]


def _row(shape):
    elements = 1
    for length in shape[1:]:
        elements *= length
    return elements


def _rank(group):
    return (group or _muster.init()).rank()


def _need(counts, what, name):
    if counts is None:
        raise ValueError(f"{name}(): a started form needs {what}: for the ranks to tell each other would wait")


def _all_gatherv(started, x, counts, group, out):
    x, shape = _shape(x)
    if out is None:
        out = _arrays.result(x, (sum(counts), *shape[1:]))
    return _muster.varied("all_gatherv", started, x, None, out, _in_rows(counts, _row(shape)), 0, None, group)


def all_gatherv(x, counts=None, *, group=None, out=None):
    """Every rank's x, one after the other on axis 0; they may have different numbers of rows.

    counts: the rows of each rank, the same on all ranks. None on all: they tell each other first.

        >>> muster.all_gatherv(np.full(rank + 1, rank)).tolist()
        [0, 1, 1]
    """
    if counts is None:
        counts = list(_muster.all_gather(_array.array("Q", [_shape(x)[1][0]]), group=group))
    return _all_gatherv(False, x, counts, group, out)


def all_gatherv_start(x, counts, *, group=None, out=None):
    """Starts all_gatherv.

        >>> muster.all_gatherv_start(np.full(rank + 1, rank), [1, 2]).wait().tolist()
        [0, 1, 1]
    """
    _need(counts, "counts", "all_gatherv_start")
    return _all_gatherv(True, x, counts, group, out)


def _gatherv(started, x, counts, root, group, out):
    x, shape = _shape(x)
    if _rank(group) != root:
        return _muster.varied("gatherv", started, x, None, None, None, root, None, group)
    if out is None:
        out = _arrays.result(x, (sum(counts), *shape[1:]))
    return _muster.varied("gatherv", started, x, None, out, _in_rows(counts, _row(shape)), root, None, group)


def gatherv(x, counts=None, root=0, *, group=None, out=None):
    """all_gatherv at the root; None elsewhere. counts matters at the root; None on all: they tell it first.

        >>> all = muster.gatherv(np.full(rank + 1, rank))
        >>> all is None if rank == 1 else all.tolist() == [0, 1, 1]
        True
    """
    if counts is None:
        told = _muster.gather(_array.array("Q", [_shape(x)[1][0]]), root, group=group)
        counts = list(told) if _rank(group) == root else None
    return _gatherv(False, x, counts, root, group, out)


def gatherv_start(x, counts=None, root=0, *, group=None, out=None):
    """Starts gatherv; the root gives counts."""
    if _rank(group) == root:
        _need(counts, "counts", "gatherv_start")
    return _gatherv(True, x, counts, root, group, out)


def _scatterv(started, name, x, counts, root, group, out):
    if _rank(group) != root:
        if out is None:
            raise ValueError(f"{name}(): ranks that are not the root give out=")
        return _muster.varied("scatterv", started, None, None, out, None, root, None, group)
    x, shape = _shape(x)
    if counts is None:
        raise ValueError(f"{name}(): the root gives counts")
    if out is None:
        out = _arrays.result(x, (counts[root], *shape[1:]))
    return _muster.varied("scatterv", started, x, _in_rows(counts, _row(shape)), out, None, root, None, group)


def scatterv(x, counts=None, root=0, *, group=None, out=None):
    """The root's rows of x, counts[0] for rank 0, the next counts[1] for rank 1, and so on. Other ranks give
    None and out.

        >>> part = np.zeros(rank + 1, int)
        >>> muster.scatterv(np.arange(3) if rank == 0 else None, [1, 2], out=part).tolist() == [[0], [1, 2]][rank]
        True
    """
    return _scatterv(False, "scatterv", x, counts, root, group, out)


def scatterv_start(x, counts=None, root=0, *, group=None, out=None):
    """Starts scatterv."""
    return _scatterv(True, "scatterv_start", x, counts, root, group, out)


def _all_to_allv(started, x, in_counts, out_counts, group, out):
    x, shape = _shape(x)
    row = _row(shape)
    if out is None:
        out = _arrays.result(x, (sum(out_counts), *shape[1:]))
    return _muster.varied("all_to_allv", started, x, _in_rows(in_counts, row), out, _in_rows(out_counts, row), 0, None,
                          group)


def all_to_allv(x, in_counts, out_counts=None, *, group=None, out=None):
    """The first in_counts[0] rows of x go to rank 0, the next in_counts[1] to rank 1, and so on; the result is
    what came, in the order of ranks.

    out_counts: the rows that come from each rank. None on all: they tell each other first.

        >>> muster.all_to_allv(np.array([rank, rank, 5]), [2, 1]).tolist() == [[0, 0, 1, 1], [5, 5]][rank]
        True
    """
    size = (group or _muster.init()).size()
    if len(in_counts) != size:
        raise ValueError(f"all_to_allv(): {len(in_counts)} counts for a group of size {size}")
    if out_counts is None:
        out_counts = list(_muster.all_to_all(_array.array("Q", in_counts), group=group))
    return _all_to_allv(False, x, in_counts, out_counts, group, out)


def all_to_allv_start(x, in_counts, out_counts, *, group=None, out=None):
    """Starts all_to_allv."""
    _need(out_counts, "out_counts", "all_to_allv_start")
    return _all_to_allv(True, x, in_counts, out_counts, group, out)


def _reduce_scatterv(started, x, counts, op, group, out):
    x, shape = _shape(x)
    if out is None:
        out = _arrays.result(x, (counts[_rank(group)], *shape[1:]))
    return _muster.varied("reduce_scatterv", started, x, _in_rows(counts, _row(shape)), out, None, 0, op, group)


def reduce_scatterv(x, counts, *, op="sum", group=None, out=None):
    """This rank's counts[rank] rows of the reduction of every rank's x, of which rank 0 has the first
    counts[0], and so on.

        >>> muster.reduce_scatterv(np.array([1, 2, 3]), [1, 2]).tolist() == [[2], [4, 6]][rank]
        True
    """
    return _reduce_scatterv(False, x, counts, op, group, out)


def reduce_scatterv_start(x, counts, *, op="sum", group=None, out=None):
    """Starts reduce_scatterv."""
    return _reduce_scatterv(True, x, counts, op, group, out)
