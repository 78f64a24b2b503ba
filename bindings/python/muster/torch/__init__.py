"""PyTorch's distributed package on muster, for tensors in this machine's memory.

    import torch.distributed as dist, muster.torch
    dist.init_process_group("muster")

under `muster run -n 4 -- python program.py`, or torchrun, on one machine, or `mpirun -n 4 python program.py` on one or
several. What DDP, FSDP, DTensor and pipelines call is here, right or refused in words; what an operation fails with is
raised where it is called or waited for.
"""

import os
import secrets
import warnings

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

from .. import _launched, _muster, _names
from .. import _world as _worlds
from ._compiled import Compiled
from ._errors import (AbortedError, ArgumentError, DeadlockError, Error, MismatchError, PeerDiedError, TimedOutError,
                      as_torch_has_it)
from . import _meeting
from ._group import ProcessGroupMuster
from ._group import leave_all as _leave_all_in_python

__all__ = ["AbortedError", "ArgumentError", "DeadlockError", "Error", "MismatchError", "PeerDiedError",
           "ProcessGroupMuster", "TimedOutError", "handle", "use_arena"]


def _choose_backend():
    """The one in C++, or None: the one in Python serves."""
    wanted = os.environ.get("MUSTER_TORCH_BACKEND", "")
    if wanted not in ("", "c++", "python"):
        raise ImportError(f"MUSTER_TORCH_BACKEND is {wanted!r}; expected c++ or python, or nothing: the first that can "
                          "be had")
    if wanted == "python":
        return None
    try:
        return Compiled()
    except ImportError as why:
        if wanted:
            raise
        warnings.warn(f"{why}. The backend in Python serves, which is slower", RuntimeWarning, stacklevel=3)
        return None


_backend = _choose_backend()
is_compiled = _backend is not None  # the backend in C++ serves
_LANGUAGE = "c++" if is_compiled else "python"
_launcher = "any"  # as muster.init() has it
_address = None  # where the ranks of mpirun or muster run meet
_goes_on_beside = False  # the world has been attached so that its messages go on beside the program


def _compiled(what):
    if _backend is None:
        raise RuntimeError(f"muster.torch.{what} needs the backend in C++, and the one in Python is used here; "
                           "MUSTER_TORCH_BACKEND=c++ says why")
    return _backend


def handle(group=None):
    """The number by which torch.ops.muster takes a group: a muster.Group, as muster.attach makes it, or a process group
    of PyTorch's on muster; None is that of all ranks.

    The number stands for the group until that is left or destroyed, and does not keep it. It is never used again.
    Asked twice, a group has one number. Operators are in their order with the group's other collectives.
    """
    return _compiled("handle()").handle(group)


class use_arena:
    """Within it, tensors that this thread makes are in the arena of a group, where the other ranks read them without a
    copy: what is reduced is then as fast as can be. The group is what handle() takes.

        with muster.torch.use_arena(group):
            hidden = torch.empty(tokens, width, dtype=torch.bfloat16)

    A tensor of less than 1 KiB, and one for which the arena has no room, is in usual memory, and works as ever. Memory
    of tensors that are gone serves the next ones of their size. While there are tensors in it, the group stays, for the
    other ranks, too, when it is left or destroyed. A forked child must not touch them.
    """

    def __init__(self, group=None):
        self._arena = _compiled("use_arena()").arena(group)

    def __enter__(self):
        self._arena.enter()
        return self

    def __exit__(self, *_):
        self._arena.leave()


def leave_all():
    """At the end of a process that ends without Python's own end, as a rank of muster.testing does."""
    _leave_all_in_python()
    if _backend:
        _backend.leave_all()


def _world():
    """That which muster run or mpirun has started; unless the program has attached to it before, as the backend needs
    it."""
    global _goes_on_beside
    needed = {"MUSTER_THREADS_MULTIPLE": "1", "MUSTER_PROGRESS_THREAD": "1", "MUSTER_ONE_THREAD": None}
    with _worlds._lock:
        if not _muster.has_world():
            with _worlds._environment(needed if _backend else {}):
                _muster.init(False, _launcher)
            _goes_on_beside = _backend is not None
        return _muster.init(False, _launcher)


def _describe_world():
    """What init_process_group reads from the environment, where muster run or mpirun has started the ranks."""
    global _launcher, _address
    by_mpi = _launched.is_by_mpi()
    if "MASTER_PORT" in os.environ or not (by_mpi or "MUSTER_RANK" in os.environ):
        return
    _launcher = "mpi" if by_mpi else "any"
    world = _world()
    _address, port = (_meeting.choose if by_mpi else _meeting.choose_here)(world)
    os.environ.update(MASTER_ADDR=_address, MASTER_PORT=str(port), RANK=str(world.rank()), WORLD_SIZE=str(world.size()))


def _watched():
    """What tells of ends while a group is made: the world's group, and what raises its reason."""
    if _backend:
        return _backend.watched(), _backend.check
    world = dist.group.WORLD if dist.is_initialized() else None
    group = world._group if isinstance(world, ProcessGroupMuster) else None
    return group, group.check if group else None


def _members(store, rank, size):
    """The ranks of a group, by their numbers in the world."""
    store.set(f"muster-{rank}", str(_world().rank()))
    return [int(store.get(f"muster-{other}")) for other in range(size)]


def _join(store, name, rank, size, timeout_ns):
    """The group of these ranks: of those that muster run has started, if it is all of them, or of mpirun's, or by the
    name."""
    if ("MUSTER_SIZE" in os.environ or _launcher == "mpi") and not dist.is_initialized():
        world = _world()
        if (world.rank(), world.size()) == (rank, size) and (_goes_on_beside or not _backend):
            return world.split(0)  # one of torch's own, with its own timeout
    if _launcher == "mpi" and _goes_on_beside:
        return _world().subset(_members(store, rank, size))
    if _address not in (None, _meeting.HERE):
        raise RuntimeError("over several hosts muster.torch needs its backend in C++, and a world that it has made: "
                           "import it before muster.init(); MUSTER_TORCH_BACKEND=c++ says why there is no such backend")
    watched, check = _watched()
    try:
        return _muster.attach(name, rank, size, timeout_ns, timeout_ns or -1, watched, 0, _backend is not None)
    except _muster.AbortedError:
        if watched is not None:
            check()  # the reason
        raise


def _create(store, rank, size, timeout):
    if rank == 0:
        _names.sweep("muster-torch-")
        store.set("muster", f"/muster-torch-{secrets.token_hex(8)} {_LANGUAGE}")
    name, language = store.get("muster").decode().split()
    if language != _LANGUAGE:  # they make different groups
        raise RuntimeError(f"rank {rank} has muster.torch's backend in {_LANGUAGE}, and rank 0 the one in {language}; set "
                           "MUSTER_TORCH_BACKEND to c++ or python on all ranks")
    try:
        group = _join(store, name, rank, size, max(0, round(timeout.total_seconds() * 1e9)))
        return _backend.create(group, timeout) if _backend else ProcessGroupMuster(group, name, store, timeout)
    except _muster.Error as error:
        raise as_torch_has_it(error) from None


dist.Backend.register_backend("muster", _create, devices=["cpu"])
_describe_world()
