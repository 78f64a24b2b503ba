"""Averages of gradients over the ranks of a group, few calls for many arrays."""

import numpy as np

from .._arrays import refuse_masked
from .._muster import all_sum, init

_ALL_REDUCE_SIZE = 32 * 1024**2


def average_gradients(gradients, group=None, all_reduce_size=_ALL_REDUCE_SIZE, communication_stream=None):
    """The average over the ranks of each array in a tree of dicts, lists and tuples: a new tree like it.

    Arrays of one dtype are put together until they have all_reduce_size bytes, and each such bucket is one all_sum; with 0
    each array is one. Ranks give trees of the same keys, and arrays of the same shapes. The keys of a dict are in whatever
    order if they are strings, bytes and numbers, and tuples of these; other keys are in the same order on all ranks. dtypes
    are those of the gradients, which are floats or complex; None stays None. A group of one returns the tree itself.
    communication_stream is MLX's, and nothing here.

    Errors: TypeError for what is no array of floats, ValueError for masked arrays, before anything moves; those of muster.all_sum.

        >>> from muster.nn import average_gradients
        >>> average = average_gradients({"w": np.full(3, 2.0 * rank), "b": [np.array([rank], "float32")]})
        >>> average["w"].tolist(), average["b"][0].tolist()
        ([1.0, 1.0, 1.0], [0.5])
    """
    group = group or init()
    if group.size() == 1:
        return gradients
    leaves = {}
    _flatten(gradients, (), leaves)
    averages = {}
    for bucket in _buckets(leaves, all_reduce_size):
        averages.update(_average(bucket, leaves, group))
    return _rebuild(gradients, (), averages)


def _reads_the_same(key):
    """Whether str() is the same on all ranks, as that of an object with its address in it is not."""
    return all(map(_reads_the_same, key)) if isinstance(key, tuple) else isinstance(key, (str, bytes, int, float))


def _children(tree):
    """(key, subtree) of each, in an order that is the same on all ranks; None: the tree is a leaf."""
    if isinstance(tree, dict):
        if not all(map(_reads_the_same, tree)):
            return list(tree.items())
        return sorted(tree.items(), key=lambda item: (type(item[0]).__name__, str(item[0])))
    if isinstance(tree, (list, tuple)):
        return list(enumerate(tree))
    return None


def _flatten(tree, path, leaves):
    children = _children(tree)
    if children is not None:
        for key, child in children:
            _flatten(child, (*path, key), leaves)
    elif tree is not None:
        refuse_masked(tree)
        leaf = np.asarray(tree)
        if leaf.dtype.kind not in "fc":
            name = "".join(f"[{key!r}]" for key in path)
            raise TypeError(f"average_gradients(): gradients{name} is of {leaf.dtype}; gradients are arrays of floats")
        leaves[path] = leaf


def _buckets(leaves, nbytes):
    """Lists of paths whose arrays are summed together: of one dtype, and at least so many bytes, but for the last."""
    open_ones = {}
    for path, leaf in leaves.items():
        bucket, filled = open_ones.get(leaf.dtype, ([], 0))
        bucket.append(path)
        open_ones[leaf.dtype] = bucket, filled + leaf.nbytes
        if filled + leaf.nbytes >= nbytes:
            yield bucket
            del open_ones[leaf.dtype]
    for bucket, _ in open_ones.values():
        yield bucket


def _average(bucket, leaves, group):
    arrays = [leaves[path] for path in bucket]
    flat = np.concatenate([array.reshape(-1) for array in arrays])  # a copy, so the sum may be in place
    flat = all_sum(flat, out=flat, group=group)
    flat /= group.size()
    ends = np.cumsum([array.size for array in arrays])[:-1]
    return {path: part.reshape(array.shape) for path, part, array in zip(bucket, np.split(flat, ends), arrays)}


def _rebuild(tree, path, averages):
    if isinstance(tree, dict):
        return {key: _rebuild(child, (*path, key), averages) for key, child in tree.items()}
    if isinstance(tree, (list, tuple)):
        children = [_rebuild(child, (*path, i), averages) for i, child in enumerate(tree)]
        if isinstance(tree, list):
            return children
        return type(tree)(*children) if hasattr(tree, "_fields") else tuple(children)
    return averages.get(path)
