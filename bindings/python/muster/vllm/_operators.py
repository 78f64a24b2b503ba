"""Collectives as operators of PyTorch's, each of which is one opaque step in a compiled graph: torch.ops.muster, which
muster.torch has in C++; or, where that could not be compiled, those of this file, which call the same operations from
Python. Ranks of one group may have either.
"""

import torch

import muster

_groups = {}  # by number: a graph has the number as a constant
_library = torch.library.Library("muster_vllm", "DEF")


def _into(x, operate):
    """operate(place) with x, or, if it is not in C order, with a copy that is copied back."""
    place = x.contiguous()
    operate(place)
    if place is not x:
        x.copy_(place)


def _all_reduce_(x, group):
    _into(x, lambda place: muster.all_sum(place, group=_groups[group], out=place))


def _all_gather(x, group, size):
    gathered = x.new_empty((x.shape[0] * size, *x.shape[1:]))
    muster.all_gather(x.contiguous(), group=_groups[group], out=gathered)
    return gathered


def _reduce_scatter(x, group, size):
    part = x.new_empty((x.shape[0] // size, *x.shape[1:]))
    muster.sum_scatter(x.contiguous(), group=_groups[group], out=part)
    return part


def _broadcast_(x, group, root):
    _into(x, lambda place: muster.broadcast(place, root, group=_groups[group], out=place))


_IN_PYTHON = {  # schema: what it does, and what its result looks like
    "all_reduce_(Tensor(a!) x, int group) -> ()": (_all_reduce_, lambda x, group: None),
    "all_gather(Tensor x, int group, int size) -> Tensor": (
        _all_gather, lambda x, group, size: x.new_empty((x.shape[0] * size, *x.shape[1:]))),
    "reduce_scatter(Tensor x, int group, int size) -> Tensor": (
        _reduce_scatter, lambda x, group, size: x.new_empty((x.shape[0] // size, *x.shape[1:]))),
    "broadcast_(Tensor(a!) x, int group, int root) -> ()": (_broadcast_, lambda x, group, root: None),
}


def _define():
    for schema, (operate, shape) in _IN_PYTHON.items():
        name = schema.partition("(")[0]
        _library.define(schema, tags=[torch.Tag.pt2_compliant_tag])
        _library.impl(name, operate, "CPU")
        torch.library.register_fake(f"muster_vllm::{name}", shape, lib=_library)


_define()


def operators_of(group):
    """A namespace of operators, and the number that stands for the group there until forget()."""
    import muster.torch

    if muster.torch.is_compiled:
        return torch.ops.muster, muster.torch.handle(group)
    number = len(_groups)  # the same whenever a program is run again
    _groups[number] = group
    return torch.ops.muster_vllm, number


def forget(group):
    for number, known in _groups.items():
        if known is group:
            _groups[number] = None
