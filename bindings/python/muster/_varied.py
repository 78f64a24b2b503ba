"""Collectives with a count for each rank: counts are rows, on axis 0, and results one array after the other."""

import array as _array
import operator as _operator

from . import _arrays, _muster


def _shape(x):
    """x as an array, and its shape; a number is one row."""
    like = x if hasattr(x, "shape") else _arrays.as_array(x)
    if not hasattr(like, "shape"):
        return like, memoryview(like).shape
    if hasattr(like, "flags") and not like.flags.c_contiguous:
        like = _arrays.as_array(like)
    return like, tuple(like.shape) or (1,)


def _in_rows(counts, row):
    """Counts of rows as counts of elements."""
    return [_operator.index(count) * row for count in counts]


def _row(shape):
    elements = 1
    for length in shape[1:]:
        elements *= length
    return elements


def _run(name, x, in_counts, out, out_counts, group, root=0, op=None):
    return _muster.varied(name, x, in_counts, out, out_counts, root, op, group, None)


def all_gatherv(x, counts=None, *, group=None, out=None):
    """Every rank's x, one after the other on axis 0; they may have different numbers of rows.

    counts: the rows of each rank, the same on all ranks. None on all: they tell each other first.
    """
    x, shape = _shape(x)
    if counts is None:
        counts = list(_muster.all_gather(_array.array("Q", [shape[0]]), group=group))
    if out is None:
        out = _arrays.result(x, (sum(counts), *shape[1:]))
    return _run("all_gatherv", x, None, out, _in_rows(counts, _row(shape)), group)


def gatherv(x, counts=None, root=0, *, group=None, out=None):
    """all_gatherv at the root; None elsewhere. counts matters at the root; None on all: they tell it first."""
    x, shape = _shape(x)
    is_root = (group or _muster.init()).rank() == root
    if counts is None:
        told = _muster.gather(_array.array("Q", [shape[0]]), root, group=group)
        counts = list(told) if is_root else None
    if not is_root:
        _run("gatherv", x, None, None, None, group, root)
        return None
    if out is None:
        out = _arrays.result(x, (sum(counts), *shape[1:]))
    return _run("gatherv", x, None, out, _in_rows(counts, _row(shape)), group, root)


def scatterv(x, counts=None, root=0, *, group=None, out=None):
    """The root's rows of x, counts[0] for rank 0, the next counts[1] for rank 1, and so on. Other ranks give
    None and out."""
    if (group or _muster.init()).rank() != root:
        if out is None:
            raise ValueError("scatterv(): ranks that are not the root give out=")
        return _run("scatterv", None, None, out, None, group, root)
    x, shape = _shape(x)
    if counts is None:
        raise ValueError("scatterv(): the root gives counts")
    if out is None:
        out = _arrays.result(x, (counts[root], *shape[1:]))
    return _run("scatterv", x, _in_rows(counts, _row(shape)), out, None, group, root)


def all_to_allv(x, in_counts, out_counts=None, *, group=None, out=None):
    """The first in_counts[0] rows of x go to rank 0, the next in_counts[1] to rank 1, and so on; the result is
    what came, in the order of ranks.

    out_counts: the rows that come from each rank. None on all: they tell each other first.
    """
    x, shape = _shape(x)
    if out_counts is None:
        out_counts = list(_muster.all_to_all(_array.array("Q", in_counts), group=group))
    if out is None:
        out = _arrays.result(x, (sum(out_counts), *shape[1:]))
    row = _row(shape)
    return _run("all_to_allv", x, _in_rows(in_counts, row), out, _in_rows(out_counts, row), group)


def reduce_scatterv(x, counts, *, op="sum", group=None, out=None):
    """This rank's counts[rank] rows of the reduction of every rank's x, of which rank 0 has the first
    counts[0], and so on."""
    x, shape = _shape(x)
    if out is None:
        out = _arrays.result(x, (counts[(group or _muster.init()).rank()], *shape[1:]))
    return _run("reduce_scatterv", x, _in_rows(counts, _row(shape)), out, None, group, op=op)
