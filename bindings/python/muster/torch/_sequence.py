"""The collectives of a group, one after the other, in the order in which the program asked for them.

One that the program waits for at once runs where it is called. One that it does not wait for (async_op) runs on a
thread of the group's, so that the program can go on to what other ranks wait for; those that come after it then run
there, too.
"""

import collections
import threading

from ._errors import DESTROYED, as_torch_has_it
from ._work import Work, finished


class Sequence:
    def __init__(self, name):
        self._name = name
        self._changed = threading.Condition()
        self._queue = collections.deque()
        self._busy = False  # an operation runs, here or there
        self._thread = None
        self._closing = False

    def run(self, call, result, what, waits):
        """Does the call, at its turn, and returns its Work; `waits`: once it is done. Raises what it fails with."""
        with self._changed:
            if self._closing:
                raise RuntimeError(DESTROYED)
            inline = waits and not self._busy and not self._queue
            if inline:
                self._busy = True
            else:
                work = self._submit(call, result, what)
        if inline:
            return self._run_here(call, result, what)
        if waits:
            work.wait()
        return work

    def _run_here(self, call, result, what):
        try:
            call()
        except Exception as error:
            raise as_torch_has_it(error) from None
        finally:
            self._step_done()
        return finished(result, what)

    def _step_done(self):
        with self._changed:
            self._busy = False
            if self._queue or self._closing:
                self._changed.notify_all()

    def _submit(self, call, result, what):
        work = Work(result, what)
        self._queue.append((call, work))
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        self._changed.notify_all()
        return work

    def _serve(self):
        while True:
            with self._changed:
                while self._busy or not self._queue:
                    if self._closing and not self._queue:
                        return
                    self._changed.wait()
                call, work = self._queue.popleft()
                self._busy = True
            try:
                call()
                work.finish()
            except BaseException as error:  # the program's wait() raises it
                work.finish(error)
            del call, work
            self._step_done()

    def is_idle(self):
        with self._changed:
            return not self._busy and not self._queue

    def close(self):
        """What was asked for is done, or has failed, when this returns."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
