"""Python's objects between ranks, by pickle: collectives of them, and messages.

Bytes are told before they are sent. In a collective, what a rank cannot pickle it tells the others, so that all of a call
raise, and nobody waits; the group stays as it was. Of a message that its sender cannot pickle the receiver hears nothing.
Objects are unpickled as they come: ranks trust each other as one program.
"""

import array
import pickle

from . import _muster
from ._messages import ANY_SOURCE, ANY_TAG, RANK_NONE

_PICKLED, _FAILED, _NOTHING = range(3)


def _words(error):
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # of its __str__; others wait to be told
        return type(error).__name__


def _failed(error):
    """As _packed."""
    return _FAILED, _words(error).encode(errors="replace"), error


def _packed(obj):
    """What the ranks are told: a kind, and its bytes; and this rank's own exception, or None."""
    try:
        return _PICKLED, pickle.dumps(obj), None
    except Exception as error:
        return _failed(error)


def _error(words, name, rank, group):
    """muster.Error, with the parts that are known."""
    error = _muster.Error(words)
    error.status, error.operation, error.rank = "object not moved", name, rank
    error.group = group.name or None
    return error


def _raise_failed(name, rank, data, group, own=None):
    """What a rank could not pickle: its own exception there, and elsewhere whose it is."""
    if own is not None:
        raise own
    raise _error(f"{name}(): rank {rank} could not pickle its object: {bytes(data).decode(errors='replace')}", name, rank,
                 group)


def _unpacked(name, rank, data, group):
    try:
        return pickle.loads(data)
    except Exception as error:
        raise _error(f"{name}(): the object of rank {rank}, {len(data)} bytes, could not be unpickled here: "
                     f"{_words(error)}", name, rank, group) from error


def _check_root(root, group):
    if not 0 <= root < group.size():
        raise ValueError(f"Invalid root={root} for a group of size {group.size()}")


def broadcast_object(obj=None, root=0, *, group=None):
    """The root's object; other ranks need not give one.

    Errors: what pickle raises at the root, and muster.Error, which says that, elsewhere; and those of broadcast.

        >>> muster.broadcast_object({"step": 3} if rank == 0 else None)
        {'step': 3}
    """
    group = group or _muster.init()
    _check_root(root, group)
    is_root = group.rank() == root
    kind, data, own = _packed(obj) if is_root else (_NOTHING, b"", None)
    kind, nbytes = _muster.broadcast(array.array("Q", [kind, len(data)]), root, group=group)
    if is_root:
        _muster.broadcast(data, root, group=group)
    else:
        data = bytearray(nbytes)
        _muster.broadcast(data, root, group=group, out=data)
    if kind == _FAILED:
        _raise_failed("broadcast_object", root, data, group, own)
    return obj if is_root else _unpacked("broadcast_object", root, data, group)


def _in_parts(data, sizes):
    """The blocks of all ranks, one after the other, as they are given."""
    view, parts, at = memoryview(data).cast("B"), [], 0
    for nbytes in sizes:
        parts.append(view[at:at + nbytes])
        at += nbytes
    return parts


def _told(data, kind, group):
    """The kinds and the sizes of all ranks."""
    heads = _muster.all_gather(array.array("Q", [kind, len(data)]), group=group)
    return list(heads[::2]), list(heads[1::2])


def _collect(name, kinds, data, sizes, mine, own, group):
    """The objects of all ranks, of their blocks one after the other; or what the first could not pickle."""
    parts = _in_parts(data, sizes)
    for rank, kind in enumerate(kinds):
        if kind == _FAILED:
            _raise_failed(name, rank, parts[rank], group, own)
    here = group.rank()
    return [mine if rank == here else _unpacked(name, rank, part, group) for rank, part in enumerate(parts)]


def all_gather_object(obj, *, group=None):
    """A list of the objects of all ranks, in the order of ranks; they may be of any sizes.

    Errors: what pickle raises, on the rank that cannot pickle its object, and muster.Error, which says that, on the
    others; and those of all_gatherv.

        >>> muster.all_gather_object("x" * rank)
        ['', 'x']
    """
    group = group or _muster.init()
    kind, data, own = _packed(obj)
    kinds, sizes = _told(data, kind, group)
    everyone = _muster.varied("all_gatherv", False, data, None, None, bytearray(sum(sizes)), sizes, None, 0, None, group)
    return _collect("all_gather_object", kinds, everyone, sizes, obj, own, group)


def gather_object(obj, root=0, *, group=None):
    """all_gather_object at the root; None elsewhere.

        >>> muster.gather_object(rank + 5) == [[5, 6], None][rank]
        True
    """
    group = group or _muster.init()
    _check_root(root, group)
    kind, data, own = _packed(obj)
    kinds, sizes = _told(data, kind, group)
    if _FAILED in kinds:  # then every rank hears of it
        return _collect("gather_object", kinds, _muster.varied(
            "all_gatherv", False, data, None, None, bytearray(sum(sizes)), sizes, None, 0, None, group), sizes, obj, own, group)
    is_root = group.rank() == root
    everyone = _muster.varied("gatherv", False, data, None, None, bytearray(sum(sizes)) if is_root else None,
                              sizes if is_root else None, None, root, None, group)
    return _collect("gather_object", kinds, everyone, sizes, obj, own, group) if is_root else None


def scatter_object(objs=None, root=0, *, group=None):
    """This rank's object of the root's list, or other iterable, which has one for each rank; other ranks need not give one.

        >>> muster.scatter_object(["a", "b"] if rank == 0 else None) == "ab"[rank]
        True
    """
    group = group or _muster.init()
    _check_root(root, group)
    objs, packed = _packed_parts(objs, group) if group.rank() == root else (None, None)
    heads = _muster.broadcast(array.array("Q", [number for kind, data, _ in packed for number in (kind, len(data))])
                              if packed else array.array("Q", bytes(16 * group.size())), root, group=group)
    kinds, sizes = list(heads[::2]), list(heads[1::2])
    if _FAILED in kinds:
        _, data, own = packed[kinds.index(_FAILED)] if packed else (None, None, None)
        data = _muster.broadcast(data or bytearray(sizes[kinds.index(_FAILED)]), root, group=group)
        _raise_failed("scatter_object", root, data, group, own)
    here = group.rank()
    all_data = b"".join(data for _, data, _ in packed) if packed else None
    mine = _muster.varied("scatterv", False, all_data, sizes if packed else None, None, bytearray(sizes[here]), None, None,
                          root, None, group)
    return objs[here] if packed else _unpacked("scatter_object", root, mine, group)


def _packed_parts(objs, group):
    """The objects as a list, and each as _packed; one of another length is an error that all ranks hear of."""
    size = group.size()
    try:
        objs = list(objs)
        if len(objs) != size:
            raise ValueError(f"scatter_object(): {len(objs)} objects for a group of size {size}")
    except Exception as error:
        return None, [_failed(error)] * size
    return objs, [_packed(obj) for obj in objs]


def send_object(obj, dst, tag=0, *, group=None):
    """Sends an object to rank dst, whose recv_object with this tag gets it.

    Errors: what pickle raises, and then nothing is sent; those of send.

        >>> if rank == 0:
        ...     muster.send_object([1, "two"], 1, tag=4)
        ... else:
        ...     assert muster.recv_object(0, tag=4) == [1, "two"]
    """
    _muster.send(pickle.dumps(obj), dst, tag, group=group)


def recv_object(src=ANY_SOURCE, tag=ANY_TAG, *, group=None, message=None):
    """Receives an object that a rank sends by send_object. From RANK_NONE: None.

    With message, a muster.Message(), that says whose it is: source, tag, and as count the bytes it had. A message that is
    none of send_object's is an error, and stays where it is, if it is not of bytes. One thread of a rank at a time.

        >>> muster.send_object({"rank": rank}, 1 - rank)
        >>> muster.recv_object(1 - rank)["rank"] == 1 - rank
        True
    """
    group = group or _muster.init()
    if group.size() == 1 and src is not RANK_NONE:  # as recv says: a probe would wait
        raise ValueError("Cannot recv from a singleton group")
    there = _muster.probe(src, tag, group=group)
    if there.count and there.dtype != "uint8":
        raise _error(f"recv_object(): rank {there.source} has sent {there.dtype} x {there.count} with tag {there.tag}, which "
                     "is no object; recv gets it", "recv_object", there.source, group)
    data = bytearray(there.count)
    _muster.recv_into(data, there.source, there.tag, group=group, message=message)
    return None if there.source is RANK_NONE else _unpacked("recv_object", there.source, data, group)
