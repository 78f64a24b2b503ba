"""The backend in C++ (native/) as PyTorch's: compiles it, makes it of groups of muster's, and ends it with the process."""

import importlib.machinery
import importlib.util
import math
import os
import pathlib
import sysconfig
from multiprocessing import util

import torch
import torch.distributed as dist

from .. import _muster, _native
from . import _order, _patches
from ._errors import make

_FLAGS = ["-std=c++20", "-DUSE_DISTRIBUTED", "-DUSE_C10D", "-DMUSTER_TORCH_MODULE=_backend",
          f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}"]


def _compile():
    """The path of the module of native/module.cpp. One file is compiled: PyTorch's headers take longer than all of it."""
    root, python = pathlib.Path(torch.__file__).resolve().parent, pathlib.Path(sysconfig.get_path("include"))
    if not (python / "Python.h").exists():
        raise ImportError(f"muster.torch is compiled against Python, whose headers are not in {python}; on Debian and "
                          "Ubuntu: apt-get install python3-dev")
    if not (root / "include" / "torch" / "csrc" / "distributed" / "c10d" / "Backend.hpp").exists():
        raise ImportError(f"muster.torch is compiled against PyTorch, whose headers are not in {root / 'include'}")
    headers = [root / "include", root / "include" / "torch" / "csrc" / "api" / "include", python]
    return _native.library(
        "muster.torch", [pathlib.Path(__file__).resolve().parent / "native" / "unity.cpp"],
        f"PyTorch {torch.__version__}", [*_FLAGS, *(word for path in headers for word in ("-isystem", str(path)))],
        ["-Wl,--as-needed", f"-L{root / 'lib'}", "-ltorch_python", "-ltorch_cpu", "-ltorch", "-lc10"])


def _load():
    loader = importlib.machinery.ExtensionFileLoader("muster.torch._backend", _compile())
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def _backend_of(group):
    group = dist.group.WORLD if group is None else group
    if not isinstance(group, dist.ProcessGroup):
        raise TypeError(f"group: expected a muster.Group or a torch.distributed.ProcessGroup, not {group!r}")
    return group._get_backend(torch.device("cpu"))


class Compiled:
    """ImportError: it cannot be compiled; why, as a sentence."""

    def __init__(self):
        self._backend = _load()
        self._backend.translate(make)
        self._backend.when_traced(_order.order_in_inductor)
        _order.keep_all()
        self._process = 0  # whose end has been seen to
        _patches.apply()

    def create(self, group, timeout):
        """Of a group whose messages go on beside the program. Messages have a group of their own."""
        if self._process != os.getpid():
            self._process = os.getpid()
            # Also where multiprocessing ends a process, which runs no atexit functions.
            util.Finalize(None, self._backend.leave_all, exitpriority=100)
        messages = group.dup()
        limits = [timeout.total_seconds() if timeout else 0, float(os.environ.get("MUSTER_TIMEOUT") or 0)]
        most_ms = math.ceil(limits[1] * 1000)  # 0 is none
        timeout_ms = math.ceil(min((limit for limit in limits if limit > 0), default=0) * 1000)
        return self._backend.create(group._release(), messages._release(), timeout_ms, most_ms)

    def handle(self, group):
        if isinstance(group, _muster.Group):
            return self._backend.handle_of_group(group._lend(self._backend.group_ends))
        return self._backend.handle_of_backend(_backend_of(group))

    def arena(self, group):
        if isinstance(group, _muster.Group):
            memory = _muster.allocate(0, group)
            return self._backend.arena_of_group(memory._group, memory)
        return self._backend.arena_of_backend(_backend_of(group))

    def leave_all(self):
        self._backend.leave_all()

    def watched(self):
        """The group of the world, whose end ends whatever this process waits for; or None."""
        backend = self._of_world()
        return None if backend is None else self._backend.address(backend)

    def check(self):
        """Raises what the world is broken by."""
        backend = self._of_world()
        if backend is not None:
            self._backend.check(backend)

    def _of_world(self):
        if not dist.is_initialized() or dist.get_backend(dist.group.WORLD) != "muster":
            return None
        return dist.group.WORLD._get_backend(dist.group.WORLD._device_types[0])
