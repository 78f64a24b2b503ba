"""PyTorch's distributed package on muster, for tensors in this machine's memory.

    import torch.distributed as dist, muster.torch
    dist.init_process_group("muster")

under `muster run -n 4 -- python program.py`, or torchrun on one machine. What DDP, FSDP, DTensor and pipelines call is
here, right or refused in words; what an operation fails with is raised where it is called or waited for.
"""

import os
import secrets
import socket

try:
    import torch
    import torch.distributed as dist
except ImportError as error:
    raise ImportError(f"muster.torch needs PyTorch ({error}); pip install torch") from error

_OLDEST = (2, 13)  # what tests run; before 2.7 torch's C++ waits for ever for a Work whose Python part is gone

if tuple(map(int, torch.__version__.split(".")[:2])) < _OLDEST:
    raise ImportError(f"muster.torch needs PyTorch {_OLDEST[0]}.{_OLDEST[1]} or later, and this is "
                      f"{torch.__version__}, on which collectives may hang; pip install --upgrade torch")
if not dist.is_available():
    raise ImportError("muster.torch needs a PyTorch that was built with torch.distributed, and this one was not")

from .. import _muster, _names
from ._errors import AbortedError, DeadlockError, Error, MismatchError, PeerDiedError, TimedOutError, as_torch_has_it
from ._group import ProcessGroupMuster, leave_all  # noqa: F401: the latter for muster.testing

__all__ = ["AbortedError", "DeadlockError", "Error", "MismatchError", "PeerDiedError", "ProcessGroupMuster",
           "TimedOutError"]


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


def _join(name, rank, size, timeout_ns):
    """The group of these ranks: of those that muster run has started, if it is all of them, or by the name."""
    if "MUSTER_SIZE" in os.environ and not dist.is_initialized():
        world = _muster.init()
        if (world.rank(), world.size()) == (rank, size):
            return world.split(0)  # one of torch's own, with its own timeout
    watched = dist.group.WORLD if dist.is_initialized() else None
    watched = watched._group if isinstance(watched, ProcessGroupMuster) else None
    try:
        return _muster.attach(name, rank, size, timeout_ns, timeout_ns or -1, watched)
    except _muster.AbortedError:
        if watched is not None:
            watched._check()  # the reason
        raise


def _create(store, rank, size, timeout):
    if rank == 0:
        _names.sweep("muster-torch-")
        store.set("muster", f"/muster-torch-{secrets.token_hex(8)}")
    name = store.get("muster").decode()
    try:
        group = _join(name, rank, size, max(0, round(timeout.total_seconds() * 1e9)))
        return ProcessGroupMuster(group, name, store, timeout)
    except _muster.Error as error:
        raise as_torch_has_it(error) from None


dist.Backend.register_backend("muster", _create, devices=["cpu"])
_describe_world()
