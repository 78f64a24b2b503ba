"""An operation under way, as torch has it: a Work, whose wait() raises what the operation failed with.

A Future that holds an exception would not do: for what is C++ in torch that is a value, and its waits succeed.
"""

import threading

import torch
from torch._C import fork as _future_of_call
from torch._C._distributed_c10d import Work as _Work

from ._errors import TimedOutError, as_torch_has_it

_DONE = threading.Event()
_DONE.set()


def _in_backward():
    """Whether autograd is at work on this thread: DDP's C++ asks for futures there."""
    return torch._C._current_graph_task_id() != -1


class Work(_Work):
    """What the program waits for. `result`: the tensors; `what`: for sentences."""

    def __init__(self, result, what, done=False):
        super().__init__()
        self._result, self._what = result, what
        self._error = None
        self._event = _DONE if done else threading.Event()
        self._lock = threading.Lock()
        self._futures = []  # to be completed when the operation is done

    def finish(self, error=None):
        """The operation is done; the first word counts."""
        with self._lock:
            if self._event.is_set():
                return
            self._error = None if error is None else as_torch_has_it(error)
            self._event.set()
            futures, self._futures = self._futures, []
        for future in futures:  # on a thread of its own: what hangs on it may wait for other operations
            threading.Thread(target=future.set_result, args=(None,), daemon=True).start()

    def _wait(self, seconds):
        """Whether it is done, after that time at most; None: no limit."""
        return self._event.wait(seconds)

    def wait(self, timeout=None):
        seconds = timeout.total_seconds() if timeout else 0
        if not self._wait(seconds if seconds > 0 else None):
            raise TimedOutError(f"waited {seconds:.3g} s for {self._what}, which goes on")
        if self._error is not None:
            raise self._error
        return True

    def synchronize(self):
        self.wait()

    def is_completed(self):
        return self._event.is_set()

    def is_success(self):
        return self._event.is_set() and self._error is None

    def exception(self):
        return self._error

    def result(self):
        return self._outcome()

    def _outcome(self):
        self.wait()
        return self._result

    def get_future(self):
        """Of the tensors. DDP's C++ wants one that holds a list of tensors, which none that is made in Python does
        before it is done; so it is waited for there."""
        if _in_backward():
            self.wait()
        with self._lock:
            if not self._event.is_set() or self._error is not None:
                done = torch.futures.Future()
                future = done.then(lambda _: self._outcome())  # fails in C++, too, by an error that names ours
                if self._event.is_set():
                    done.set_result(None)
                else:
                    self._futures.append(done)
                return future
        return _future_of_call(lambda: self._result)


def finished(result, what):
    return Work(result, what, done=True)
