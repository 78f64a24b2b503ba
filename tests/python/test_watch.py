"""What muster.vllm looks for beside a worker, without vLLM: a group that has broken is told once, and ends a worker of
vLLM's, but no other process, and nobody who has left the group by then."""

import multiprocessing
import os
import secrets
import signal
import threading
import unittest

import muster
from helpers import LIMIT_S
from muster.vllm import _watch

_fork = multiprocessing.get_context("fork")


def _group():
    return muster.attach(f"/muster-test-{secrets.token_hex(8)}", 0, 1)


def _broken():
    group = _group()
    group.abort("the test breaks it")
    return group


def _watch_broken(then=lambda group: None):
    """Until the watch has no more to do; the sentences that were told."""
    group, said = _broken(), []
    _watch.watch(group, lambda error: (said.append(str(error)), then(group)))
    thread = _watch._thread
    if thread:  # else it is over
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert len(said) == 1 and "the test breaks it" in said[0], said


class Watch(unittest.TestCase):
    def end_of(self, name, body):
        process = _fork.Process(target=body, name=name)
        process.start()
        process.join(LIMIT_S)
        try:
            return process.exitcode
        finally:
            process.kill()

    def test_ends_a_worker(self):
        self.assertEqual(self.end_of("VllmWorker-1", _watch_broken), os.EX_SOFTWARE)

    def test_ends_nobody_else(self):
        """As a program that runs vLLM in a process of multiprocessing's."""
        self.assertEqual(self.end_of("Process-1", _watch_broken), 0)

    def test_forgotten(self):
        self.assertEqual(self.end_of("VllmWorker-1", lambda: _watch_broken(_watch.forget)), 0)

    def test_next_groups(self):
        """Those that break later, and those that are watched once there was none."""
        def body():
            whole, said = _group(), threading.Event()
            _watch.watch(whole, lambda error: said.set())
            broken = _broken()
            _watch.watch(broken, lambda error: whole.abort("and then this one"))
            assert said.wait(LIMIT_S)
            _watch._thread and _watch._thread.join(LIMIT_S)
            _watch_broken()

        self.assertEqual(self.end_of("Process-1", body), 0)

    def test_forked(self):
        """A child watches what is its own, and has nothing of its parent's."""
        group = _group()
        _watch.watch(group, lambda error: None)
        try:
            self.assertEqual(self.end_of("Process-1", _watch_broken), 0)
        finally:
            _watch.forget(group)

    def test_forked_by_os(self):
        group = _group()
        with _watch._lock:  # another thread of the parent may have it
            pid = os.fork()
            if pid == 0:
                signal.alarm(LIMIT_S)
                _watch.watch(_broken(), lambda error: os._exit(0))
                signal.pause()
        _, status = os.waitpid(pid, 0)
        self.assertEqual(status, 0)
        _watch.forget(group)


if __name__ == "__main__":
    unittest.main()
