"""torch's process group on a group of muster's: collectives in their order (_sequence.py), messages (_messages.py)."""

import os
import weakref
from multiprocessing import util

import torch
import torch.distributed as dist

from ._collectives import Collectives
from ._errors import ArgumentError
from ._messages import Messages, connect
from ._sequence import Sequence


_groups = weakref.WeakSet()


class ProcessGroupMuster(Collectives, dist.ProcessGroup):
    """`name`: under which its ranks' links meet; `timeout`: of one operation, a timedelta."""

    def __init__(self, group, name, store, timeout):
        dist.ProcessGroup.__init__(self, group.rank(), group.size())
        self._group = group
        self._store = store
        self._group_name, self._group_desc = "", ""
        self._sequence = Sequence("muster-collectives")
        world = dist.group.WORLD if dist.is_initialized() else None
        ours = isinstance(world, ProcessGroupMuster)
        self._connection = world._connection if ours else connect(store, group)
        self._messages = Messages(group, name, self._connection)
        self.set_timeout(timeout)
        self._closed = False
        # Also where multiprocessing ends a process, which runs no atexit functions.
        self._at_exit = util.Finalize(None, _close, (weakref.ref(self),), exitpriority=100)
        _groups.add(self)

    # ---- who it is ----

    def getBackendName(self):
        return "muster"

    def name(self):
        return "muster"

    def getGroupName(self):
        return self._group_name

    def setGroupName(self, name):
        self._group_name = name
        self._show_name()

    def getGroupDesc(self):
        return self._group_desc

    def setGroupDesc(self, desc):
        self._group_desc = desc
        self._show_name()

    def _show_name(self):
        """muster's errors, inspect, ps and traces show the description, such as mesh_tp, or else torch's number. The
        group of all ranks, which is default_pg and number 0, needs no name."""
        desc = self._group_desc if self._group_desc not in ("", "undefined") else self._group_name
        shown = "".join(c if c.isprintable() else "?" for c in desc)
        if not self._closed and desc not in ("default_pg", "0"):
            self._group.name = shown.encode()[:31].decode(errors="ignore")

    group_name = property(getGroupName)
    group_desc = property(getGroupDesc)

    def get_group_store(self):
        return self._store

    # ---- what torch asks a backend; this is its own ----

    _device_types = property(lambda self: [torch.device("cpu")])
    supports_splitting = supports_coalescing = supports_time_estimate = False

    def _get_backend(self, device):
        if torch.device(device).type != "cpu":
            raise RuntimeError(f"muster moves tensors in this machine's memory, and has nothing for {device}")
        return self

    def supports_tensor_alloc(self, device):
        return False

    def _set_default_timeout(self, timeout):
        self.set_timeout(timeout)

    # ---- messages ----

    @staticmethod
    def _only_one(tensors):
        if len(tensors) != 1:
            raise ArgumentError(f"a message is one tensor, and these are {len(tensors)}")
        return tensors[0]

    def send(self, tensors, dst, tag=0):
        return self._messages.send(self._only_one(tensors), dst, tag)

    def recv(self, tensors, src, tag=0):
        return self._messages.receive(self._only_one(tensors), src, tag)

    def recv_anysource(self, tensors, tag=0):
        raise NotImplementedError("the backend muster receives from one rank at a time: give recv() its src")

    # ---- its end ----

    def set_timeout(self, timeout):
        """Of one operation; the lower of it and MUSTER_TIMEOUT, which `muster run --op-timeout` sets."""
        limits = [timeout.total_seconds() if timeout else 0, float(os.environ.get("MUSTER_TIMEOUT") or 0)]
        self._timeout_ns = round(min((limit for limit in limits if limit > 0), default=0) * 1e9)
        self._messages.timeout_s = self._timeout_ns / 1e9 or None

    def shutdown(self):
        """Once what was asked for is done, or has failed, this rank leaves."""
        if self._closed:
            return
        self._closed = True
        self._at_exit.cancel()
        self._messages.close()
        self._sequence.close()
        self._group._leave()

    def abort(self):
        self._group.abort("abort() of the process group")
        self.shutdown()


def leave_all():
    """At the end of a process that ends without Python's own end, as a rank of muster.testing does."""
    for group in list(_groups):
        _close(lambda: group)


def _close(group):
    """At the end of the process. A collective that is still under way then would not end: the others are told."""
    group = group()
    if group is None or group._closed:
        return
    if not group._sequence.is_idle():
        group._group.abort("the rank ended with collectives under way")
    group.shutdown()
