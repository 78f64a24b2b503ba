"""What mx.distributed.init does with muster.mlx while there is no world yet, and in a world of one.

    muster run -n 2 -- python init.py interrupted FILE
    muster run -n 1 -- python init.py alone
    muster run --mlx -n 2 -- python init.py too_late
"""

import os
import pathlib
import signal
import sys
import tempfile
import time
import types

import mlx.core as mx

early = mx.distributed.init() if sys.argv[1] == "too_late" else None
import muster.mlx  # noqa: E402: after that

dist = mx.distributed


class Interrupted(BaseException):
    pass


def interrupted(path):
    """A signal handler that raises ends the wait for the other rank, which does not come before that, with what it has
    raised. The other sees by the file that it has been."""
    if os.environ["MUSTER_RANK"] == "1":
        while not os.path.exists(path):
            time.sleep(0.01)
        return
    begun, become = [], muster.mlx._library.muster_mlx_become_world

    def begin(*arguments):
        begun.append(True)
        return become(*arguments)

    def handler(number, frame):
        if begun:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Interrupted from ValueError("its own cause")

    muster.mlx._library = types.SimpleNamespace(muster_mlx_become_world=begin)
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        dist.init()
    except Interrupted as error:
        assert isinstance(error.__cause__, ValueError)
        print("interrupted: done", flush=True)
    finally:
        open(path, "w").close()


def other_headers(path):
    """Another MLX of the same version is another to compile for."""
    known = pathlib.Path(mx.__file__).parent / "include" / "mlx"
    for name in muster.mlx._HEADERS:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes((known / name).read_bytes())
    assert muster.mlx._digest(path) == muster.mlx._digest(known)
    for name in muster.mlx._HEADERS:
        before = muster.mlx._digest(path)
        (path / name).write_text("// another")
        assert muster.mlx._digest(path) != before


def alone():
    """One group, however often and strictly one asks; and MLX's own init may be one without all_gather_factory=."""
    world = dist.init(backend="muster")
    assert world.size() == 1
    for _ in range(3):
        assert dist.init(strict=True, backend="muster") is world and muster.mlx.world() is world
        for backend in ("any", "mpi", "ring"):
            assert dist.init(strict=True, backend=backend) is world and dist.is_available(backend)
    muster.mlx._original["init"] = lambda strict, backend: (strict, backend)
    assert dist.init(backend="none") == (False, "none")
    with tempfile.TemporaryDirectory() as path:
        other_headers(pathlib.Path(path))
    print("alone: done", flush=True)


def too_late():
    """By muster run --mlx the process is a rank before muster.mlx is there, which cannot be one again."""
    assert early.size() == 2
    try:
        dist.init()
    except RuntimeError as error:
        assert "is a rank already, by muster run --mlx; import muster.mlx before" in str(error), error
        print("too_late: done", flush=True)


if __name__ == "__main__":
    {"interrupted": interrupted, "alone": alone, "too_late": too_late}[sys.argv[1]](*sys.argv[2:])
