"""Looks, beside the worker, whether one of its groups has broken, and says why in the log, once and in one line.

vLLM's executor learns of a worker that ends, and of an exception in the rank whose output it waits for. Of one in
another rank it learns nothing, and waits on for minutes. A worker with a broken group can do nothing any more, so it
ends, if it has not been ended by then.
"""

import multiprocessing
import os
import signal
import threading

import muster

_LOOK_S = 0.2
_END_S = 1  # vLLM ends the worker meanwhile, if it knows

_lock = threading.Lock()  # of the list; while it is held, no group of it is left
_watched = []  # (group, what is told why it has broken)
_waking = threading.Event()  # never set: a wait for it is a sleep that ends with the process
_thread = None


def watch(group, tell):
    """Once the group has broken, tell(error) is called, on another thread."""
    global _thread
    with _lock:
        _watched.append((group, tell))
        if _thread is None:
            _thread = threading.Thread(target=_run, name="muster-vllm-watch", daemon=True)
            _thread.start()


def forget(group):
    with _lock:
        _watched[:] = [entry for entry in _watched if entry[0] is not group]


def _find_broken():
    with _lock:
        for group, tell in _watched:
            try:
                group.check()
            except muster.Error as error:
                return tell, error
    return None


def _run():
    while not (found := _find_broken()):
        _waking.wait(_LOOK_S)
    tell, error = found
    tell(error)
    _waking.wait(_END_S)
    if multiprocessing.parent_process() is not None:  # else it is the program's own process, which has the exception
        os.kill(os.getpid(), signal.SIGTERM)  # vLLM's handler ends the worker in order
