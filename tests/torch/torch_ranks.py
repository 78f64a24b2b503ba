"""Runs the body of a test in forked ranks of a torch process group, for the tests of this folder.

Torch is imported once, by the parent; the ranks meet as programs do that are started by hand. How each ended is the
result: what the body returned, the exception it raised, or the signal that killed it.
"""

import datetime
import os
import pickle
import secrets
import select
import signal
import socket
import sys
import time
import traceback

import torch
import torch._dynamo  # noqa: F401: else each rank would load it when it needs it, which takes seconds
import torch.distributed as dist

import muster
import muster.torch  # the backend

LIMIT_S = 120  # a rank that is not done by then hangs


class Ended:
    """How a rank ended: value, or error, or signal."""

    def __init__(self, value=None, error=None, signal=None, status=0):
        self.value, self.error, self.signal, self.status = value, error, signal, status

    def __repr__(self):
        return f"Ended({self.value!r}, error={self.error!r}, signal={self.signal}, status={self.status})"


def _port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _be_rank(body, rank, size, port, backend, timeout_s, args, pipe):
    for name in [name for name in os.environ if name.startswith(("MUSTER_", "TORCHELASTIC_"))]:
        del os.environ[name]
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(size))
    try:
        dist.init_process_group(backend, timeout=datetime.timedelta(seconds=timeout_s))
        outcome = ("value", body(*args))
        if dist.is_initialized():
            dist.barrier()  # who leaves early would break what others still do
            dist.destroy_process_group()
    except BaseException as error:
        text = "".join(traceback.format_exception(error))
        outcome = ("error", [type(error).__name__, [kind.__name__ for kind in type(error).__mro__], str(error), text])
    with os.fdopen(pipe, "wb") as file:
        pickle.dump(outcome, file)


class Error:
    """An exception of a rank's: its name, those of its bases, its message and where it was."""

    def __init__(self, name, bases, message, text):
        self.name, self.bases, self.message, self.text = name, bases, message, text

    def __repr__(self):
        return self.text


def _end_of(pid, data):
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return Ended(signal=os.WTERMSIG(status))
    if not data:
        return Ended(status=os.WEXITSTATUS(status))
    kind, what = pickle.loads(data)
    return Ended(value=what) if kind == "value" else Ended(error=Error(*what))


def _read_all(pipes):
    """What each has written when all have closed their ends; None for those that have not by the limit."""
    data, until = {pipe: b"" for pipe in pipes}, time.monotonic() + LIMIT_S
    left = set(pipes)
    while left and time.monotonic() < until:
        for pipe in select.select(list(left), [], [], 1)[0]:
            got = os.read(pipe, 1 << 20)
            data[pipe] += got
            if not got:
                left.discard(pipe)
    return data, left


def run(size, body, *args, backend="muster", timeout_s=60):
    """The ends of all ranks, by rank."""
    port, pids, pipes = _port(), [], []
    sys.stdout.flush()
    for rank in range(size):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            for pipe in [reader, *pipes]:
                os.close(pipe)
            try:
                _be_rank(body, rank, size, port, backend, timeout_s, args, writer)
            finally:
                os._exit(0)
        os.close(writer)
        pids.append(pid)
        pipes.append(reader)
    data, hanging = _read_all(pipes)
    for pid, pipe in zip(pids, pipes):
        if pipe in hanging:
            os.kill(pid, signal.SIGKILL)
        os.close(pipe)
    ends = [_end_of(pid, data[pipe]) for pid, pipe in zip(pids, pipes)]
    assert not hanging, f"{body.__name__}: ranks that hang: {[pipes.index(pipe) for pipe in hanging]}; {ends}"
    return ends


def values(size, body, *args, **keywords):
    """What the body returned in each rank; all must have reached the end."""
    ends = run(size, body, *args, **keywords)
    for rank, end in enumerate(ends):
        assert end.error is None and end.signal is None and end.status == 0, f"{body.__name__}, rank {rank}: {end!r}"
    return [end.value for end in ends]


def attached():
    """A muster.Group of all ranks, apart from PyTorch."""
    names = [f"/muster-test-{secrets.token_hex(8)}"]
    dist.broadcast_object_list(names, 0)
    return muster.attach(names[0], dist.get_rank(), dist.get_world_size(), timeout=30)


def expect(kind, text, call):
    """The call raises that, with the text in its message, and says which message."""
    try:
        call()
    except kind as error:
        assert text in str(error), f"{error!s} has no {text!r}"
        return str(error)
    raise AssertionError(f"no {kind.__name__}")
