"""What PyTorch's Python does only for backends whose names it knows, done for muster's groups, too."""

import contextlib
import datetime
import functools

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

_barrier_of_torch = dist.monitored_barrier
_block_of_torch = dist._coalescing_manager
_log_of_torch = DistributedDataParallel._get_ddp_logging_data


def _is_muster(group):
    return (dist.is_initialized() and not dist.distributed_c10d._rank_not_in_group(group)
            and dist.get_backend(group) == "muster")


@functools.wraps(_barrier_of_torch)
def _monitored_barrier(group=None, timeout=None, wait_all_ranks=False):
    """PyTorch's refuses all groups that are not gloo's, by name."""
    if not _is_muster(group):
        return _barrier_of_torch(group, timeout, wait_all_ranks)
    group = dist.group.WORLD if group is None else group
    if isinstance(timeout, (int, float)):
        timeout = datetime.timedelta(seconds=timeout)
    return group.monitored_barrier(timeout or datetime.timedelta(milliseconds=-1), wait_all_ranks)


@contextlib.contextmanager
@functools.wraps(_block_of_torch)
def _coalescing_manager(group=None, device=None, async_ops=False):
    """PyTorch's does not end the block that an exception leaves: later calls would be taken down for it, and never done.
    One in another is refused before it begins, and leaves that one as it is."""
    begun = False
    try:
        with _block_of_torch(group, device, async_ops) as manager:
            begun = True
            yield manager
    except BaseException:
        if begun and _is_muster(group):
            group = dist.group.WORLD if group is None else group
            dist.distributed_c10d._world.pg_coalesce_state.pop(group, None)
            if device is not None:
                group._end_coalescing(torch.device(device))
        raise


@functools.wraps(_log_of_torch)
def _get_ddp_logging_data(model):
    """PyTorch's calls every backend that it does not know "custom"."""
    data = _log_of_torch(model)
    return {**data, "backend_name": "muster"} if _is_muster(model.process_group) else data


def apply():
    dist.monitored_barrier = dist.distributed_c10d.monitored_barrier = _monitored_barrier
    dist._coalescing_manager = dist.distributed_c10d._coalescing_manager = _coalescing_manager
    DistributedDataParallel._get_ddp_logging_data = _get_ddp_logging_data
