"""PyTorch's distributed package on muster, for tensors in this machine's memory.

    import torch.distributed as dist, muster.torch
    dist.init_process_group("muster")

under `muster run -n 4 -- python program.py`, or torchrun on one machine. What DDP and FSDP call is here; the
operations are done when they return, but for send and recv, which run beside the program.
"""

import array
import concurrent.futures
import os
import secrets
import socket

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import _create_work_from_future

from . import _muster


def _choose_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _describe_world():
    """What init_process_group reads from the environment, where muster run has started the ranks."""
    if "MUSTER_RANK" not in os.environ or "MASTER_PORT" in os.environ:
        return
    world = _muster.init()
    port = memoryview(bytearray(8)).cast("q")
    if world.rank() == 0:
        port[0] = _choose_port()
    _muster.broadcast(port, 0, group=world, out=port)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port[0]), RANK=str(world.rank()),
                      WORLD_SIZE=str(world.size()))


def _op_name(op):
    names = {dist.ReduceOp.SUM: "sum", dist.ReduceOp.PRODUCT: "prod", dist.ReduceOp.MIN: "min",
             dist.ReduceOp.MAX: "max", dist.ReduceOp.AVG: "sum"}
    for known, name in names.items():
        if op == known:
            return name
    raise ValueError(f"muster has no reduction {op}; expected SUM, AVG, PRODUCT, MIN or MAX")


def _finished(result):
    future = torch.futures.Future()
    future.set_result(result)
    return _create_work_from_future(future)


def _dtype_of(tensor):
    return "bool" if tensor.dtype == torch.bool else None


def _elements(tensor):
    """A tensor as something that can be read: in C order, and booleans, which DLPack does not know, as bytes."""
    tensor = tensor.detach().contiguous()
    return tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor


class _Into:
    """A tensor as a place for results: itself, or, if it is not in C order, a copy that is copied back."""

    def __init__(self, tensor):
        self.tensor = tensor.detach()
        self.place = self.tensor.contiguous()

    def __enter__(self):
        return _elements(self.place)

    def __exit__(self, *error):
        if self.place.data_ptr() != self.tensor.data_ptr():
            self.tensor.copy_(self.place)


class ProcessGroupMuster(dist.ProcessGroup):
    """A process group of torch's on a group of ours."""

    def __init__(self, group):
        super().__init__(group.rank(), group.size())
        self._group = group
        # Messages wait beside the program: one sends and one receives at a time, in the order of the calls.
        self._sender = concurrent.futures.ThreadPoolExecutor(1, "muster-send")
        self._receiver = concurrent.futures.ThreadPoolExecutor(1, "muster-recv")

    def getBackendName(self):
        return "muster"

    def _reduce(self, call, tensor, op, *args):
        with _Into(tensor) as place:
            result = call(place, *args, op=_op_name(op), group=self._group, out=place, dtype=_dtype_of(tensor))
            if op == dist.ReduceOp.AVG and result is not None:
                place.div_(self.size()) if place.is_floating_point() else place.floor_divide_(self.size())

    def allreduce(self, tensors, opts=None):
        op = dist.ReduceOp.SUM if opts is None else opts.reduceOp
        for tensor in tensors:
            self._reduce(_muster.all_reduce, tensor, op)
        return _finished(tensors)

    allreduce_coalesced = allreduce

    def reduce(self, tensors, opts):
        for tensor in tensors:
            self._reduce(_muster.reduce, tensor, opts.reduceOp, opts.rootRank)
        return _finished(tensors)

    def broadcast(self, tensors, opts):
        for tensor in tensors:
            with _Into(tensor) as place:
                _muster.broadcast(place, opts.rootRank, group=self._group, out=place, dtype=_dtype_of(tensor))
        return _finished(tensors)

    def barrier(self, opts=None):
        _muster.barrier(group=self._group)
        return _finished([])

    def _gather_base(self, out, tensor):
        with _Into(out) as place:
            _muster.all_gather(_elements(tensor), group=self._group, out=place, dtype=_dtype_of(tensor))

    def _allgather_base(self, out, tensor, opts=None):
        self._gather_base(out, tensor)
        return _finished([out])

    def allgather(self, outs, tensors, opts=None):
        for parts, tensor in zip(outs, tensors):
            whole = tensor.new_empty((self.size(), *tensor.shape))
            self._gather_base(whole, tensor)
            for part, got in zip(parts, whole):
                part.copy_(got)
        return _finished(outs)

    def gather(self, outs, tensors, opts):
        for i, tensor in enumerate(tensors):
            whole = None
            if self.rank() == opts.rootRank:
                whole = tensor.new_empty((self.size(), *tensor.shape))
            _muster.gather(_elements(tensor), opts.rootRank, group=self._group,
                           out=None if whole is None else _elements(whole), dtype=_dtype_of(tensor))
            if whole is not None:
                for part, got in zip(outs[i], whole):
                    part.copy_(got)
        return _finished(outs)

    def scatter(self, outs, tensors, opts):
        for i, out in enumerate(outs):
            whole = _elements(torch.stack(tensors[i])) if self.rank() == opts.rootRank else None
            with _Into(out) as place:
                _muster.scatter(whole, opts.rootRank, group=self._group, out=place, dtype=_dtype_of(out))
        return _finished(outs)

    def _scatter_base(self, out, tensor, op):
        with _Into(out) as place:
            _muster.reduce_scatter(_elements(tensor), op=_op_name(op), group=self._group, out=place,
                                   dtype=_dtype_of(out))
            if op == dist.ReduceOp.AVG:
                place.div_(self.size())

    def _reduce_scatter_base(self, out, tensor, opts):
        self._scatter_base(out, tensor, opts.reduceOp)
        return _finished([out])

    def reduce_scatter(self, outs, tensors, opts):
        for out, parts in zip(outs, tensors):
            self._scatter_base(out, torch.stack(list(parts)), opts.reduceOp)
        return _finished(outs)

    def _exchange(self, parts, rows, shape):
        """Parts of any length, to each rank its own: dealt in equal ones, as long as the longest of all."""
        longest = array.array("q", [max(len(part) for part in parts)])
        longest = _muster.all_max(longest, group=self._group)[0]
        own = parts[0].new_zeros((self.size(), longest, *shape))
        for place, part in zip(own, parts):
            place[: len(part)] = part
        dealt = torch.empty_like(own)
        if longest:
            _muster.all_to_all(_elements(own), group=self._group, out=_elements(dealt), dtype=_dtype_of(own))
        return [got[:count] for got, count in zip(dealt, rows)]

    def alltoall_base(self, out, tensor, out_splits, in_splits, opts=None):
        if out_splits or in_splits:  # for one rank that may be to say nothing, so all take the same way
            shape, size = tensor.shape[1:], self.size()
            parts = torch.split(tensor, list(in_splits) or [len(tensor) // size] * size)
            got = self._exchange(parts, list(out_splits) or [len(out) // size] * size, shape)
            out.copy_(torch.cat(got))
            return _finished([out])
        with _Into(out) as place:
            _muster.all_to_all(_elements(tensor), group=self._group, out=place, dtype=_dtype_of(out))
        return _finished([out])

    def alltoall(self, outs, tensors, opts=None):
        flat = [tensor.reshape(-1) for tensor in tensors]
        for out, got in zip(outs, self._exchange(flat, [out.numel() for out in outs], ())):
            out.copy_(got.view(out.shape))
        return _finished(outs)

    def _in_background(self, executor, call, tensors):
        future = torch.futures.Future()

        def run():
            try:
                call()
                future.set_result(tensors)
            except BaseException as error:  # the program's wait() raises it
                future.set_exception(error)

        executor.submit(run)
        return _create_work_from_future(future)

    def send(self, tensors, dst, tag=0):
        def call():
            for tensor in tensors:
                _muster.send(_elements(tensor), dst, group=self._group, dtype=_dtype_of(tensor))

        return self._in_background(self._sender, call, tensors)

    def recv(self, tensors, src, tag=0):
        def call():
            for tensor in tensors:
                with _Into(tensor) as place:
                    _muster.recv_into(place, src, group=self._group, dtype=_dtype_of(tensor))

        return self._in_background(self._receiver, call, tensors)


def _create(store, rank, size, timeout):
    """The group of these ranks: all that muster run has started, or those who meet by a name in the store."""
    if "MUSTER_SIZE" in os.environ and not dist.is_initialized():
        world = _muster.init()
        if (world.rank(), world.size()) == (rank, size):
            return ProcessGroupMuster(world)
    if rank == 0:
        store.set("muster", f"/muster-torch-{secrets.token_hex(8)}")
    return ProcessGroupMuster(_muster.attach(store.get("muster").decode(), rank, size))


dist.Backend.register_backend("muster", _create)
_describe_world()
