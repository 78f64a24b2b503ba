"""MLX's distributed package on muster, natively: every operation, sum_scatter and with it nn.fully_shard included.

    import mlx.core as mx, muster.mlx
    group = mx.distributed.init()

under `muster run -n 4 -- python program.py`, or `mpirun -n 4 python program.py` on one machine or several. Under these
launchers the backends "any", "mpi" and "ring" mean muster, as does "muster" everywhere, and operations without a group are the world's. Import it before the names of
mx.distributed are taken from there one by one. A program that can import nothing is served by `muster run --mlx`.
"""

import ctypes
import functools
import hashlib
import importlib.metadata
import os
import pathlib

try:
    import mlx.core as mx
except ImportError as error:
    raise ImportError(f"muster.mlx needs MLX ({error}); pip install 'mlx[cpu]'") from error

from .. import _launched, _native

__all__ = ["world"]


# What of MLX's C++ interface group.cpp uses: a build of MLX may have it otherwise under the same version.
_HEADERS = ("distributed/distributed_impl.h", "distributed/distributed.h", "backend/cpu/encoder.h", "scheduler.h",
            "array.h")


def _digest(headers):
    digest = hashlib.sha256()
    for name in _HEADERS:
        if (headers / name).exists():
            digest.update(name.encode() + b"\0" + (headers / name).read_bytes() + b"\0")
    return digest.hexdigest()


def _open():
    home = pathlib.Path(mx.__file__).parent
    here = pathlib.Path(__file__).resolve().parent
    if not (home / "include" / "mlx" / "distributed" / "distributed_impl.h").exists():
        raise ImportError(f"muster.mlx is compiled against MLX, whose headers are not in {home / 'include'}; install "
                          "MLX's wheel: pip install 'mlx[cpu]'")
    path = _native.library(
        "muster.mlx", [here / "native" / "group.cpp"], f"MLX {importlib.metadata.version('mlx')}",
        ["-std=c++20", f"-DMUSTER_MLX_HEADERS={_digest(home / 'include' / 'mlx')}", "-isystem", str(home / "include")],
        [f"-L{home / 'lib'}", "-l:libmlx.so"])
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"muster.mlx: {error}") from error


_library = _open()
_original = {name: getattr(mx.distributed, name) for name in (
    "init", "is_available", "all_sum", "all_max", "all_min", "all_gather", "sum_scatter", "send", "recv", "recv_like")}
_world = None
_by_mpi = _launched.is_by_mpi()  # asked once, as it looks for a file


def _is_launched():
    """Whether muster, or an MPI whose plug-in is there, has started this process as a rank."""
    return "MUSTER_ARENA" in os.environ or _by_mpi


def _is_ours(backend):
    return backend == "muster" or (backend in ("any", "mpi", "ring") and _is_launched())


def world(strict=False):
    """The group of all ranks that muster or mpirun has started; of this process alone without a launcher, or, when strict,
    RuntimeError. What mx.distributed.init(backend="muster") returns."""
    global _world
    if _world is None or (strict and _world.size() == 1):
        group = _original["init"](backend="jaccl")  # an object of MLX's type, to be made the world
        sentence = ctypes.create_string_buffer(1000)
        try:
            failed = _library.muster_mlx_become_world(
                ctypes.c_void_p(id(group)), ctypes.c_size_t(type(group).__basicsize__), ctypes.c_bool(strict), sentence,
                ctypes.c_size_t(len(sentence)))
        except SystemError as error:  # ctypes: a signal handler has raised while it waited
            raised = error.__cause__ or error
            raise raised from raised.__cause__
        if failed:
            text = sentence.value.decode(errors="replace")
            if f"taken by process {os.getpid()};" in text and "MLX_MPI_LIBNAME" in os.environ:
                raise RuntimeError("[muster] init: this process is a rank already, by muster run --mlx; import muster.mlx "
                                   "before mx.distributed.init, or do without it")
            raise (ValueError if failed == 2 else RuntimeError)(text)
        _world = _world or group
    return _world


@functools.wraps(_original["init"])
def _init(strict=False, backend="any", *, all_gather_factory=None):
    if all_gather_factory is None and _is_ours(backend):
        return world(strict)
    more = {} if all_gather_factory is None else {"all_gather_factory": all_gather_factory}
    return _original["init"](strict, backend, **more)  # versions of MLX are without it


@functools.wraps(_original["is_available"])
def _is_available(backend="any"):
    return _is_ours(backend) or _original["is_available"](backend)


# MLX looks for the group of an operation without one among its own backends.


def _of(group):
    return world() if group is None and _is_launched() else group


def _with_world(original):
    @functools.wraps(original)
    def call(x, *, group=None, stream=None):
        return original(x, group=_of(group), stream=stream)

    return call


@functools.wraps(_original["send"])
def _send(x, dst, *, group=None, stream=None):
    return _original["send"](x, dst, group=_of(group), stream=stream)


@functools.wraps(_original["recv"])
def _recv(shape, dtype, src, *, group=None, stream=None):
    return _original["recv"](shape, dtype, src, group=_of(group), stream=stream)


@functools.wraps(_original["recv_like"])
def _recv_like(x, src, *, group=None, stream=None):
    return _original["recv_like"](x, src, group=_of(group), stream=stream)


mx.distributed.init, mx.distributed.is_available = _init, _is_available
mx.distributed.send, mx.distributed.recv, mx.distributed.recv_like = _send, _recv, _recv_like
for _name in ("all_sum", "all_max", "all_min", "all_gather", "sum_scatter"):
    setattr(mx.distributed, _name, _with_world(_original[_name]))
