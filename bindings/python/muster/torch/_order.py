"""Operators in compiled graphs: each is called, also if nothing uses what it gives, and they are called in the order in
which the program calls them. Other ranks wait for each of them, and their graphs are not this one's.

Of itself PyTorch leaves out what has no result that is used, as send has none, and inductor moves steps that share no
tensor past each other, to save memory or to fuse others.
"""

import functools
import sys

import torch


def _operators():
    for name in torch._C._dispatch_get_registrations_for_dispatch_key("CPU"):
        if name.startswith("muster::"):
            yield getattr(torch.ops.muster, name.partition("::")[2]).default


def keep_all():
    """None is left out."""
    for operator in _operators():
        torch.fx.node.has_side_effect(operator)


def _after_the_one_before(lower):
    """What makes steps of inductor's of one call, so that the first of them, the call, comes after that of the one
    before, and is needed by none for that."""
    @functools.wraps(lower)
    def lower_in_order(*args, **kwargs):
        from torch._inductor.virtualized import V

        graph = V.graph
        known = len(graph.operations)
        result = lower(*args, **kwargs)
        call = next(step for step in graph.operations[known:] if getattr(step, "op_overload", None) is not None)
        before, graph.muster_call = getattr(graph, "muster_call", None), call
        if before is not None:
            graph.additional_buffer_deps[call.get_operation_name()].add(before.get_name())
        return result

    return lower_in_order


def order_in_inductor():
    """Called whenever an operator is traced, until it has been done: as soon as there is an inductor in this process, which
    takes seconds to import."""
    if "torch._inductor.compile_fx" not in sys.modules:
        return False
    from torch._inductor import lowering
    from torch._library.utils import get_layout_constraint_tag

    for operator in _operators():
        constraint = lowering.tag_to_layout_constraint(get_layout_constraint_tag(operator, with_default=True))
        lowering.make_fallback(operator, layout_constraint=constraint, warn=False)
        lowering.lowerings[operator] = _after_the_one_before(lowering.lowerings[operator])
    return True
