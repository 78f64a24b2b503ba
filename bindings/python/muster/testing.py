"""Tests of many ranks: the body runs in forked processes, and every rank's failure is the test's.

    from muster.testing import ranks

    @ranks(4)
    def test_sum():
        world = muster.init()
        assert muster.all_max(world.rank()) == 3

For pytest, unittest and plain calls alike; `async def` bodies are run to their end. The process that runs the
tests may have a world of its own: the ranks do not have that one. pytest.skip() and pytest.xfail() in a rank are the
test's, if no rank fails; sys.exit() and sys.exit(0) end a rank's body as its end does.

How it works: each rank is a fork, which says at the end of the body, through a pipe, what came of it. A rank
that ends without a word, by os._exit or a signal, has failed, whatever its status.
"""

import asyncio
import contextlib
import faulthandler
import functools
import inspect
import itertools
import operator
import os
import select
import signal
import stat
import sys
import time
import traceback
import unittest

from . import _muster, _names

_serial = itertools.count()


def ranks(count, *, timeout=60):
    """Runs the function in `count` ranks. Fails with every traceback, and never takes longer than `timeout`
    seconds: then it shows where each rank was, and kills them all."""
    count = _check_count(count)
    _check_timeout(timeout)

    def decorate(function):
        _check_function(function)

        @functools.wraps(function)
        def run(*args, **keywords):
            __tracebackhide__ = True  # pytest shows the ranks' tracebacks, not this file
            _run(count, timeout, lambda: _call(function, args, keywords))

        return run

    return decorate


# What would otherwise pass without having run is refused where it is written.


def _check_count(count):
    try:
        number = operator.index(count)
    except TypeError:
        raise TypeError(f"ranks() takes the number of ranks, not {count!r}; write @ranks(4) above the test") from None
    if number < 1:
        raise ValueError(f"a test in {number} ranks would run nothing; expected 1 or more")
    if number > 1024:  # muster_init would refuse it in each of them
        raise ValueError(f"a test in {number} ranks; a group has 1024 at most")
    return number


def _check_timeout(timeout):
    if timeout is None:
        raise TypeError("ranks() takes the seconds that a test may take as timeout, not None: a test that hangs must end")
    _muster.timeout_ns(timeout)


def _check_function(function):
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"@ranks is for functions, and {function!r} is none; write it above each test of a class")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__qualname__} is a generator, which runs only when somebody iterates over it; "
                        "@ranks runs functions without yield")


async def _finish(awaitable):
    return await awaitable


def _call(function, args, keywords):
    """Runs the body to its end, with everything that fails in it raised here."""
    for arg in (*args, *keywords.values()):
        if isinstance(arg, unittest.TestCase):
            arg._outcome = None  # where subTest would note a failure: in this process, and nobody would look
        elif type(arg).__name__ in ("SubTests", "Subtests"):
            raise TypeError("pytest's subtests notes failures in the process of the rank, where nobody sees them; "
                            "assert without it")
    result = function(*args, **keywords)
    if inspect.isawaitable(result):
        asyncio.run(_finish(result))
    elif inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError("the test has returned a generator, of which nothing has run")


class _Rank:
    """One forked rank: its process, and what it says, which ends with NUL and a verdict."""

    def __init__(self, number, count, name, body):
        self.number = number
        self.said = b""
        self.ended = False
        self.status = 0
        self.pipe, self.write = os.pipe()
        self.inode = os.fstat(self.pipe).st_ino
        self.parent = os.getpid()
        self.hung = self.lost = False
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            _be_rank(self, count, name, body)
        os.close(self.write)
        os.set_blocking(self.pipe, False)

    def look(self):
        """Takes what it has said, and whether it has ended: the process, not the pipe, which processes that it has
        forked hold open, too. It stays a zombie for now, so that the other ranks can see how it ended."""
        if not self.ended:
            try:
                self.ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            except ChildProcessError:  # somebody else has waited for it; its verdict is left
                self.ended = True
        self.check_pipe()
        while self.pipe is not None:
            try:
                data = os.read(self.pipe, 65536)
            except BlockingIOError:
                break
            self.said += data
            if not data:  # nobody has it open; but who has closed all descriptors opens it again, to speak
                self.hung = True
                break
        if self.ended:
            self.close()

    def check_pipe(self):
        """The test's process may close descriptors that it does not know, too, in another thread. What takes the number is
        not ours: neither to be read nor to be closed."""
        if self.pipe is not None and not _is_pipe(self.pipe, self.inode):
            self.pipe = None
            self.lost = True

    def close(self):
        self.check_pipe()
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None

    def can_show(self):
        """Whether the number that its traceback would go to is still of the pipe: a body may close descriptors that
        it does not know, and open files of its own."""
        return _is_pipe(f"/proc/{self.pid}/fd/{self.write}", self.inode)

    def speak(self, text):
        """In the rank."""
        number, path = self.write, f"/proc/{self.parent}/fd/{self.pipe}"
        if not _is_pipe(number, self.inode):
            if not _is_pipe(path, self.inode):
                return
            number = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        data = text.encode(errors="replace")
        while data:
            data = data[os.write(number, data):]

    def reap(self):
        """Ends it, if it has not ended, and leaves nothing of it."""
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            _wait([self], None)
        self.close()
        with contextlib.suppress(ChildProcessError):
            self.status = os.waitpid(self.pid, 0)[1]

    def outcome(self):
        """What came of it: passed, skipped or failed; and in words."""
        text, *verdicts = self.said.decode(errors="replace").split("\0")
        text = text.rstrip()
        if self.status == 0 and len(set(verdicts)) == 1:
            return verdicts[0], text
        if os.WIFSIGNALED(self.status):
            text += f"\nkilled by signal {os.WTERMSIG(self.status)}"
        elif not verdicts and self.lost:
            text += ("\nthis process has closed the number by which the rank speaks, and what came of it is not known; close no "
                     "descriptors that you do not know while ranks run")
        elif not verdicts:
            text += f"\nexited with status {os.WEXITSTATUS(self.status)} before the test was over"
        return "failed", text.strip("\n")


def _is_pipe(which, inode):
    try:
        found = os.stat(which)
    except OSError:
        return False
    return stat.S_ISFIFO(found.st_mode) and found.st_ino == inode


_VERDICTS = {"SkipTest": "skipped", "Skipped": "skipped", "XFailed": "xfailed"}  # unittest's and pytest's exceptions
_OURS = (__file__, os.path.dirname(asyncio.__file__) + os.sep)  # whose frames are not the test's


def _shown(error):
    """The traceback, from the test's first frame on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _be_rank(rank, count, name, body):
    own, verdict, text = os.getpid(), "failed", ""
    try:
        os.environ.update(MUSTER_ARENA=name, MUSTER_RANK=str(rank.number), MUSTER_SIZE=str(count), MUSTER_RESTARTS="0")
        _muster.begin_rank()
        faulthandler.register(signal.SIGUSR2, file=rank.write, all_threads=True)
        try:
            body()
        except SystemExit as end:
            if end.code not in (None, 0):
                raise
        verdict = "passed"
        if "muster.torch" in sys.modules:
            sys.modules["muster.torch"].leave_all()
        _muster.end_rank()
    except BaseException as error:  # whatever it is, the test must hear of it
        verdict = _VERDICTS.get(type(error).__name__, "failed")
        text = _shown(error) if verdict == "failed" else f"{error}"
    finally:  # this process must not go on as a copy of the one that runs the tests
        with contextlib.suppress(BaseException):
            _muster.end_log()
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(BaseException):
            if os.getpid() == own or verdict == "failed":  # a process that the body has forked speaks of failures only
                rank.speak(text.replace("\0", "\\0") + "\0" + verdict)
        os._exit(verdict == "failed")


def _wait(group, until):
    """Looks until all have ended, or the time is up; returns those that have not."""
    while True:
        running = [rank for rank in group if not rank.ended]
        left = 1 if until is None else until - time.monotonic()
        if not running or left <= 0:
            return running
        said = select.poll()
        for rank in running:
            rank.check_pipe()
            if rank.pipe is not None and not rank.hung:
                said.register(rank.pipe, select.POLLIN)
        ending = any(rank.pipe is None or rank.hung for rank in running)
        said.poll(1 if ending else min(20, left * 1000))
        for rank in running:
            rank.look()


def _run(count, timeout, body):
    __tracebackhide__ = True
    _names.sweep("muster-python-")  # of processes that were killed
    name = f"/muster-python-{os.getpid()}-{next(_serial)}"
    sys.stdout.flush()
    sys.stderr.flush()
    group = []
    try:
        for number in range(count):
            group.append(_Rank(number, count, name, body))
        late = _wait(group, time.monotonic() + timeout)
        for rank in late:
            if rank.can_show():
                os.kill(rank.pid, signal.SIGUSR2)  # shows where it is
        if late:
            _wait(group, time.monotonic() + 1)
    finally:
        for rank in group:
            rank.reap()
        _names.remove(name)  # of ranks that were killed before all had come
    outcomes = [rank.outcome() for rank in group]
    failures = _told(outcomes, "failed", "{} of {}:\n{}")
    others = _told(outcomes, "skipped", "{0} skipped: {2}") + _told(outcomes, "xfailed", "{0} failed as expected: {2}")
    if late:
        failures.insert(0, f"{len(late)} of {count} ranks were not done after {timeout} s")
    if failures:
        raise AssertionError("\n".join(failures + others)) from None
    if any(came == "xfailed" for came, _ in outcomes):
        import pytest  # which has raised it in a rank
        raise pytest.xfail.Exception("; ".join(others))
    if others:
        raise unittest.SkipTest("; ".join(others))


def _told(outcomes, which, words):
    """What came of the ranks, each text once, with the ranks that say so."""
    said = {}
    for rank, (came, text) in enumerate(outcomes):
        if came == which:
            said.setdefault(text, []).append(rank)
    return [words.format(_in_words(ranks), len(outcomes), text) for text, ranks in said.items()]


def _in_words(ranks):
    """Ascending numbers as "rank 2" or "ranks 0-3, 5"."""
    runs = []
    for rank in ranks:
        if runs and runs[-1][1] == rank - 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    parts = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs]
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(parts)}"
