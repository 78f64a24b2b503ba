"""Tests of many ranks: the body runs in forked processes, and every rank's failure is the test's.

    from muster.testing import ranks

    @ranks(4)
    def test_sum():
        world = muster.init()
        assert muster.all_max(world.rank()) == 3

For pytest, unittest and plain calls alike. The process that runs the tests must not be a rank itself, that is,
not have called muster.init.
"""

import faulthandler
import functools
import itertools
import os
import select
import signal
import sys
import time
import traceback
import unittest

_serial = itertools.count()


def ranks(count, *, timeout=60):
    """Runs the function in `count` ranks. Fails with every traceback, and never takes longer than `timeout`
    seconds: then it shows where each rank was, and kills them all."""

    def decorate(function):
        @functools.wraps(function)
        def run(*args, **keywords):
            _run(count, timeout, lambda: function(*args, **keywords))

        return run

    return decorate


class _Rank:
    """One forked rank: its process, and what it says."""

    def __init__(self, number, count, name, body):
        self.number = number
        self.said = b""
        self.status = None
        self.pipe, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            _be_rank(number, count, name, body, write)
        os.close(write)

    def read(self):
        """Takes what has come; False at the end."""
        data = os.read(self.pipe, 65536)
        self.said += data
        if not data:
            os.close(self.pipe)
            self.status = os.waitpid(self.pid, 0)[1]
        return bool(data)

    def failure(self, count):
        if self.status in (None, 0):
            return ""
        text = self.said.decode(errors="replace").rstrip()
        if os.WIFSIGNALED(self.status):
            text += f"\nkilled by signal {os.WTERMSIG(self.status)}"
        return f"rank {self.number} of {count}:\n{text or 'exited with ' + str(os.WEXITSTATUS(self.status))}"


def _be_rank(number, count, name, body, write):
    code = 1
    try:
        os.environ.update(MUSTER_ARENA=name, MUSTER_RANK=str(number), MUSTER_SIZE=str(count), MUSTER_RESTARTS="0")
        faulthandler.register(signal.SIGUSR2, file=write, all_threads=True)
        body()
        code = 0
    except BaseException as error:  # whatever it is, the test must hear of it
        skipped = type(error).__name__ in ("SkipTest", "Skipped")
        text = f"skipped: {error}" if skipped else traceback.format_exc()
        os.write(write, text.encode())
        code = 77 if skipped else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(group, until):
    """Reads until all have ended, or the time is up."""
    open_ranks = {rank.pipe: rank for rank in group if rank.status is None}
    while open_ranks and time.monotonic() < until:
        ready, _, _ = select.select(list(open_ranks), [], [], max(0, until - time.monotonic()))
        for pipe in ready:
            if not open_ranks[pipe].read():
                del open_ranks[pipe]
    return list(open_ranks.values())


def _run(count, timeout, body):
    name = f"/muster-python-{os.getpid()}-{next(_serial)}"
    sys.stdout.flush()
    sys.stderr.flush()
    group = []
    try:
        for number in range(count):
            group.append(_Rank(number, count, name, body))
        late = _wait(group, time.monotonic() + timeout)
        for rank in late:
            os.kill(rank.pid, signal.SIGUSR2)  # shows where it is
        if late:
            _wait(group, time.monotonic() + 1)
    finally:
        for rank in group:
            if rank.status is None:
                os.kill(rank.pid, signal.SIGKILL)
                while rank.read():
                    pass
        try:
            os.unlink("/dev/shm" + name)  # of ranks that were killed before all had come
        except FileNotFoundError:
            pass
    if any(rank.status is not None and os.WIFEXITED(rank.status) and os.WEXITSTATUS(rank.status) == 77
           for rank in group):
        raise unittest.SkipTest("; ".join(rank.said.decode() for rank in group if rank.said))
    failures = [text for text in (rank.failure(count) for rank in group) if text]
    if late:
        failures.insert(0, f"{len(late)} of {count} ranks were not done after {timeout} s")
    if failures:
        raise AssertionError("\n".join(failures))
