"""Making worlds: what C reads from the environment, or takes in a muster_config, as arguments."""

import contextlib
import os
import threading

from . import _muster

_lock = threading.Lock()  # of the environment, which init() changes for a moment
_made = None  # the process whose world is there, and the settings that it was made with


def _switch(on):
    if not isinstance(on, bool):
        raise TypeError(f"expected True or False, not {on!r}")
    return "1" if on else None


def _seconds(seconds):
    return f"{_muster.timeout_ns(seconds) / 1e9:.9f}" if seconds != 0 else None  # 0: no limit


_VARIABLES = {  # the argument's name: the variable in whose place it stands, and its text; None: unset
    "arena": ("MUSTER_ARENA", str), "rank": ("MUSTER_RANK", str), "size": ("MUSTER_SIZE", str),
    "attach_timeout": ("MUSTER_ATTACH_TIMEOUT", _seconds), "timeout": ("MUSTER_TIMEOUT", _seconds),
    "arena_bytes": ("MUSTER_ARENA_BYTES", str), "staging_bytes": ("MUSTER_STAGING_BYTES", str),
    "liveness": ("MUSTER_LIVENESS", str), "report_crashes": ("MUSTER_REPORT_CRASHES", _switch),
    "one_thread": ("MUSTER_ONE_THREAD", _switch), "threads_multiple": ("MUSTER_THREADS_MULTIPLE", _switch),
    "progress_thread": ("MUSTER_PROGRESS_THREAD", _switch), "exact_times": ("MUSTER_EXACT_TIMES", _switch),
    "arena_malloc": ("MUSTER_ARENA_MALLOC", _switch), "log": ("MUSTER_LOG", str),
    "fault": ("MUSTER_FAULT", str), "chaos": ("MUSTER_CHAOS", str),
}


@contextlib.contextmanager
def _environment(settings):
    before = {name: os.environ.get(name) for name in settings}
    try:
        _set(settings)
        yield
    finally:
        _set(before)


def _set(settings):
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _text_of(name, value):
    variable, text = _VARIABLES[name]
    try:
        return variable, text(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _check_factory(factory, backend):
    """MLX's rules for an argument that nothing here needs: ranks meet in memory, so it is not called."""
    if factory is None:
        return
    if backend != "jaccl":
        raise ValueError("all_gather_factory is only supported with backend='jaccl'.")
    if not callable(factory):
        raise TypeError(f"all_gather_factory must be a callable or None, not {factory!r}")


def init(strict=False, backend="any", *, all_gather_factory=None, arena=None, rank=None, size=None, attach_timeout=None, timeout=None,
         arena_bytes=None, staging_bytes=None, liveness=None, report_crashes=None, one_thread=None, threads_multiple=None,
         progress_thread=None, exact_times=None, arena_malloc=None, log=None, fault=None, chaos=None):
    """The group of all ranks that muster run has started; waits until all have come.

    Without it a group of one, or, when strict, RuntimeError. Later calls return the same group. An argument stands in
    place of the variable of its name, MUSTER_TIMEOUT and so on, which man muster describes: timeout and
    attach_timeout are in seconds, and 0 is no limit, whatever the environment says; report_crashes, one_thread,
    threads_multiple, progress_thread, exact_times and arena_malloc are True or False; None leaves it to the
    environment. They are of the call that makes the world: ValueError when it is there already, made without them.
    backend: "any", "muster", "shm", or MLX's "mpi", "ring", "nccl", "jaccl", which all mean muster; "mpi" under mpirun makes a
    world of the ranks that this has started, and fails where the plug-in for its MPI is missing. all_gather_factory is
    MLX's, for its jaccl; muster takes it there, and has no use for it.
    """
    _check_factory(all_gather_factory, backend)
    given = {name: value for name, value in locals().items() if name in _VARIABLES and value is not None}
    if not given:
        return _muster.init(strict, backend)
    return _init_with(strict, backend, dict(_text_of(name, value) for name, value in given.items()))


def _init_with(strict, backend, settings):
    global _made
    with _lock:
        if _muster.has_world():
            if _made != (os.getpid(), settings):
                raise ValueError("the world is there already, and was made without these settings: give them to the "
                                 f"first call of muster: {', '.join(settings)}")
            return _muster.init(strict, backend)
        with _environment(settings):
            world = _muster.init(strict, backend)
        _made = os.getpid(), settings
        return world


def attach(arena, rank, size, *, timeout=None, attach_timeout=None, staging_bytes=0):
    """Attaches to an arena, "/name" or "fd:N", as one of size ranks, apart from the world of init(); a Group.

    A process may attach several times, also as several ranks. Timeouts are in seconds: of one operation, None is no
    limit; of attaching, None is 30 s for a name.

        >>> alone = muster.attach(f"/example-{rank}", 0, 1)
        >>> alone.size()
        1
    """
    limits = [0 if seconds == 0 else _muster.timeout_ns(seconds) for seconds in (timeout, attach_timeout)]
    return _muster.attach(arena, rank, size, *limits, None, staging_bytes)
