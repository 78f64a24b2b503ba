"""What vLLM calls for a group of ranks: muster's communicator, or, where muster cannot serve a group, vLLM's own.

What compiled graphs contain are operators, of which each is one opaque step there (_operators.py); what is called between
graphs are muster's calls on tensors. Results of reductions have the same bits on all ranks: in rank order, rounded once.
"""

import contextlib

import torch
from vllm.distributed.device_communicators.base_device_communicator import DeviceCommunicatorBase
from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator
from vllm.logger import init_logger

import muster

from . import _operators, _watch
from ._meet import meet

_logger = init_logger("vllm.muster")


def make_communicator(cpu_group, device=None, device_group=None, unique_name="", **others):
    """As a class of communicators, whose constructor vLLM calls in all ranks of the group."""
    group = meet(cpu_group, unique_name)
    if group is not None:
        return MusterCommunicator(group, cpu_group, device, device_group, unique_name, **others)
    from vllm.platforms import current_platform
    from vllm.utils.import_utils import resolve_obj_by_qualname

    _logger.warning("muster does not serve %s, whose ranks are on several machines, or in containers that share neither "
                    "memory nor process numbers: vLLM's own communicator does", unique_name)
    own = resolve_obj_by_qualname(current_platform.get_own_communicator_cls())
    return own(cpu_group=cpu_group, device=device, device_group=device_group, unique_name=unique_name, **others)


class MusterCommunicator(CpuCommunicator):
    """`group`: a muster.Group of the ranks, in their order. vLLM's constructor, which makes its shared memory, is passed
    over."""

    def __init__(self, group, cpu_group, device=None, device_group=None, unique_name="", use_all2all=False):
        DeviceCommunicatorBase.__init__(self, cpu_group, device, device_group, unique_name, use_all2all=use_all2all)
        self._group = group
        self._operators, self._handle = _operators.operators_of(group)
        self._arena = None
        self.dist_module = torch.distributed
        self.supports_tensor_dict = True
        if self.use_all2all:
            from vllm.distributed.device_communicators.all2all import AgRsAll2AllManager

            self.all2all_manager = AgRsAll2AllManager(self.cpu_group)
        _watch.watch(group, lambda error: _logger.error("muster: %s", error))
        _logger.info("muster serves %s: rank %d of %d", group.name, group.rank(), group.size())

    def destroy(self):
        if self._group is not None:
            self._arena = None  # the group would stay for it
            _watch.forget(self._group)
            _operators.forget(self._group)
            self._group._leave()
            self._group = None

    def arena(self):
        """Within it, tensors are made where the other ranks read them, if muster.torch has that."""
        import muster.torch

        if not muster.torch.is_compiled:
            return contextlib.nullcontext()
        if self._arena is None:
            self._arena = muster.torch.use_arena(self._group)
        return self._arena

    # ---- in compiled graphs ----

    def all_reduce(self, input_):
        self._operators.all_reduce_(input_, self._handle)
        return input_

    def all_gather(self, input_, dim=-1):
        if dim < 0:
            dim += input_.dim()
        shape = input_.size()
        gathered = self._operators.all_gather(input_, self._handle, self.world_size)
        if dim == 0:
            return gathered
        gathered = gathered.reshape((self.world_size,) + shape).movedim(0, dim)
        return gathered.reshape(shape[:dim] + (self.world_size * shape[dim],) + shape[dim + 1:])

    def reduce_scatter(self, input_, dim=-1):
        rows = input_.movedim(dim, 0).contiguous()
        part = self._operators.reduce_scatter(rows, self._handle, self.world_size)
        return part.movedim(0, dim).contiguous()

    def broadcast(self, tensor, src=0):
        self._operators.broadcast_(tensor, self._handle, src)
        return tensor

    # ---- between them ----

    def all_gather_into_tensor(self, output, input_):
        muster.all_gather(input_.contiguous(), group=self._group, out=output)
        return output

    def gather(self, input_, dst=0, dim=-1):
        gathered = muster.gather(input_.contiguous().unsqueeze(0), dst, group=self._group)
        return None if gathered is None else torch.cat(gathered.unbind(0), dim)

    def all_gatherv(self, input_, dim=0, sizes=None):
        if dim != 0:
            raise NotImplementedError(f"all_gatherv along dimension {dim}; expected 0")
        if not isinstance(input_, torch.Tensor):
            return [self.all_gatherv(one, 0, sizes) for one in input_]
        if sizes is None or len(set(sizes)) == 1:
            return self.all_gather(input_, 0)
        all_rows = input_.new_empty((sum(sizes), *input_.shape[1:]))
        return muster.all_gatherv(input_.contiguous(), sizes, group=self._group, out=all_rows)

    def reduce_scatterv(self, input_, dim=-1, sizes=None):
        if sizes is None or len(set(sizes)) == 1:
            return self.reduce_scatter(input_, dim)
        rows = input_.movedim(dim, 0).contiguous()
        part = rows.new_empty((sizes[self.rank_in_group], *rows.shape[1:]))
        return muster.reduce_scatterv(rows, sizes, group=self._group, out=part).movedim(0, dim).contiguous()

    # ---- messages ----

    def send(self, tensor, dst=None):
        if tensor.numel():
            muster.send(tensor.contiguous(), self._next() if dst is None else dst, group=self._group)

    def recv(self, size, dtype, src=None):
        tensor = torch.empty(size, dtype=dtype, device=self.device)
        if tensor.numel():
            muster.recv_into(tensor, self._previous() if src is None else src, group=self._group)
        return tensor

    def send_tensor_dict(self, tensor_dict, dst):
        """What is no tensor goes by pickle, as it does by vLLM's own."""
        tensors = {key: value for key, value in tensor_dict.items() if isinstance(value, torch.Tensor)}
        shown = {key: (value.shape, value.dtype) if key in tensors else value for key, value in tensor_dict.items()}
        muster.send_object((shown, list(tensors)), dst, group=self._group)
        for tensor in tensors.values():
            self.send(tensor, dst)

    def recv_tensor_dict(self, src):
        shown, tensors = muster.recv_object(src, group=self._group)
        for key in tensors:
            shown[key] = self.recv(*shown[key], src)
        return shown

    def _next(self):
        return (self.rank_in_group + 1) % self.world_size

    def _previous(self):
        return (self.rank_in_group - 1) % self.world_size
