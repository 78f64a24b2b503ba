"""Collectives with a count for each rank: counts and displacements are rows, on axis 0.

Results are one array after the other, unless displacements say where in out each rank's rows begin.

A blocking form may be without counts: the ranks tell each other first, all of them or none. A started form has them,
since telling would wait.
"""

import array as _array
import operator as _operator

from . import _arrays, _muster


def _shape(x):
    """x as an array, and its shape; a number is one row."""
    like, shape = _arrays.elements_and_shape(x)
    return like, shape or (1,)


class _Rows:
    """The rows of x: what counts of them are in elements, and arrays of such rows."""

    def __init__(self, name, x):
        self.name = name
        self.x, self.shape = _shape(x)
        self.row = 1
        for length in self.shape[1:]:
            self.row *= length

    def in_elements(self, numbers):
        return None if numbers is None else [_operator.index(number) * self.row for number in numbers]

    def output(self, out, rows, displacements=None):
        """out, whose rows are as long as x's; or a new array of so many rows."""
        if out is None:
            if displacements is not None:
                raise ValueError(f"{self.name}(): displacements are places in an array that is given: out=")
            return _arrays.result(self.x, (rows, *self.shape[1:]))
        shape = tuple(getattr(out, "shape", ()))
        if len(shape) == len(self.shape) > 1 and shape[1:] != self.shape[1:]:
            raise ValueError(f"{self.name}(): out has rows of shape {shape[1:]}; expected {self.shape[1:]}")
        return out


def _call(started):
    return "_start" if started else ""


def _rank(group):
    return (group or _muster.init()).rank()


def _need(counts, what, name):
    if counts is None:
        raise ValueError(f"{name}(): a started form needs {what}: for the ranks to tell each other would wait")


def _all_gatherv(started, x, counts, displacements, group, out):
    rows = _Rows("all_gatherv" + _call(started), x)
    out = rows.output(out, sum(counts), displacements)
    return _muster.varied("all_gatherv", started, rows.x, None, None, out, rows.in_elements(counts),
                          rows.in_elements(displacements), 0, None, group)


def all_gatherv(x, counts=None, *, displacements=None, group=None, out=None):
    """Every rank's x, one after the other on axis 0; they may have different numbers of rows.

    counts: the rows of each rank, the same on all ranks. None on all: they tell each other first.
    displacements: the row of out at which each rank's begin; what is between them stays as it is.

        >>> muster.all_gatherv(np.full(rank + 1, rank)).tolist()
        [0, 1, 1]
        >>> muster.all_gatherv(np.full(1, rank), displacements=[2, 0], out=np.full(3, 9)).tolist()
        [1, 9, 0]
    """
    if counts is None:
        counts = list(_muster.all_gather(_array.array("Q", [_shape(x)[1][0]]), group=group))
    return _all_gatherv(False, x, counts, displacements, group, out)


def all_gatherv_start(x, counts, *, displacements=None, group=None, out=None):
    """Starts all_gatherv.

        >>> muster.all_gatherv_start(np.full(rank + 1, rank), [1, 2]).wait().tolist()
        [0, 1, 1]
    """
    _need(counts, "counts", "all_gatherv_start")
    return _all_gatherv(True, x, counts, displacements, group, out)


def _gatherv(started, x, counts, root, displacements, group, out):
    rows = _Rows("gatherv" + _call(started), x)
    if _rank(group) != root:
        return _muster.varied("gatherv", started, rows.x, None, None, None, None, None, root, None, group)
    out = rows.output(out, sum(counts), displacements)
    return _muster.varied("gatherv", started, rows.x, None, None, out, rows.in_elements(counts),
                          rows.in_elements(displacements), root, None, group)


def gatherv(x, counts=None, root=0, *, displacements=None, group=None, out=None):
    """all_gatherv at the root; None elsewhere. counts and displacements matter at the root; counts None on all: they
    tell it first.

        >>> all = muster.gatherv(np.full(rank + 1, rank))
        >>> all is None if rank == 1 else all.tolist() == [0, 1, 1]
        True
    """
    if counts is None:
        told = _muster.gather(_array.array("Q", [_shape(x)[1][0]]), root, group=group)
        counts = list(told) if _rank(group) == root else None
    return _gatherv(False, x, counts, root, displacements, group, out)


def gatherv_start(x, counts=None, root=0, *, displacements=None, group=None, out=None):
    """Starts gatherv; the root gives counts."""
    if _rank(group) == root:
        _need(counts, "counts", "gatherv_start")
    return _gatherv(True, x, counts, root, displacements, group, out)


def _scatterv(started, x, counts, root, displacements, group, out):
    name = "scatterv" + _call(started)
    if _rank(group) != root:
        if out is None:
            raise ValueError(f"{name}(): ranks that are not the root give out=")
        return _muster.varied("scatterv", started, None, None, None, out, None, None, root, None, group)
    rows = _Rows(name, x)
    if counts is None:
        raise ValueError(f"{name}(): the root gives counts")
    return _muster.varied("scatterv", started, rows.x, rows.in_elements(counts), rows.in_elements(displacements),
                          rows.output(out, counts[root]), None, None, root, None, group)


def scatterv(x, counts=None, root=0, *, displacements=None, group=None, out=None):
    """The root's rows of x, counts[0] for rank 0, the next counts[1] for rank 1, and so on, or from displacements[r]
    on for rank r. Other ranks give None and out.

        >>> part = np.zeros(rank + 1, int)
        >>> muster.scatterv(np.arange(3) if rank == 0 else None, [1, 2], out=part).tolist() == [[0], [1, 2]][rank]
        True
    """
    return _scatterv(False, x, counts, root, displacements, group, out)


def scatterv_start(x, counts=None, root=0, *, displacements=None, group=None, out=None):
    """Starts scatterv."""
    return _scatterv(True, x, counts, root, displacements, group, out)


def _all_to_allv(started, x, in_counts, out_counts, in_displacements, out_displacements, group, out):
    rows = _Rows("all_to_allv" + _call(started), x)
    out = rows.output(out, sum(out_counts), out_displacements)
    return _muster.varied("all_to_allv", started, rows.x, rows.in_elements(in_counts), rows.in_elements(in_displacements),
                          out, rows.in_elements(out_counts), rows.in_elements(out_displacements), 0, None, group)


def all_to_allv(x, in_counts, out_counts=None, *, in_displacements=None, out_displacements=None, group=None, out=None):
    """The first in_counts[0] rows of x go to rank 0, the next in_counts[1] to rank 1, and so on; the result is
    what came, in the order of ranks.

    out_counts: the rows that come from each rank. None on all: they tell each other first. in_displacements and
    out_displacements: the rows of x and of out at which the blocks of each rank begin.

        >>> muster.all_to_allv(np.array([rank, rank, 5]), [2, 1]).tolist() == [[0, 0, 1, 1], [5, 5]][rank]
        True
    """
    size = (group or _muster.init()).size()
    if len(in_counts) != size:
        raise ValueError(f"all_to_allv(): {len(in_counts)} counts for a group of size {size}")
    if out_counts is None:
        out_counts = list(_muster.all_to_all(_array.array("Q", in_counts), group=group))
    return _all_to_allv(False, x, in_counts, out_counts, in_displacements, out_displacements, group, out)


def all_to_allv_start(x, in_counts, out_counts, *, in_displacements=None, out_displacements=None, group=None, out=None):
    """Starts all_to_allv."""
    _need(out_counts, "out_counts", "all_to_allv_start")
    return _all_to_allv(True, x, in_counts, out_counts, in_displacements, out_displacements, group, out)


def _reduce_scatterv(started, x, counts, op, group, out):
    rows = _Rows("reduce_scatterv" + _call(started), x)
    out = rows.output(out, counts[_rank(group)])
    return _muster.varied("reduce_scatterv", started, rows.x, rows.in_elements(counts), None, out, None, None, 0, op,
                          group)


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
