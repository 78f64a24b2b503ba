"""Looks, beside the worker, whether one of its groups has broken, and says why in the log, once and in one line.

vLLM's executor learns of a worker that ends, and of an exception in the rank whose output it waits for. Of one in
another rank it learns nothing, and waits on for minutes. A worker with a broken group can do nothing any more, so it
ends, if neither it nor the group has ended by then: at once, as an orderly end of a process with so many modules takes
seconds, for which everybody would wait. Other processes of vLLM's, as where a program is a rank itself, have the exception.
"""

import contextlib
import multiprocessing
import os
import sys
import threading

import muster

_LOOK_S = 0.2
_END_S = 0.5  # the worker shows its exception meanwhile, and leaves the group, if vLLM ends it
_WORKERS = "VllmWorker"  # as vLLM's executor names their processes, with their number

_waking = threading.Event()  # never set: a wait for it is a sleep that ends with the process


def _begin():
    global _lock, _watched, _told, _thread
    _lock = threading.Lock()  # of what follows; while it is held, no group of it is left
    _watched = []  # (group, what is told why it has broken)
    _told = []  # groups of which it has been
    _thread = None  # while there is any


_begin()
os.register_at_fork(after_in_child=_begin)  # groups are the parent's, and so is the thread


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
        _told[:] = [known for known in _told if known is not group]


def _find_broken():
    """The next one, with the lock, which is then no longer watched."""
    for entry in _watched:
        try:
            entry[0].check()
        except muster.Error as error:
            _watched.remove(entry)
            _told.append(entry[0])
            return entry[0], entry[1], error
    return None


def _end_worker(group):
    with _lock:
        is_needed = any(known is group for known in _told)
    if is_needed and multiprocessing.current_process().name.startswith(_WORKERS):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(os.EX_SOFTWARE)


def _run():
    global _thread
    while True:
        with _lock:
            if not _watched:
                _thread = None
                return
            found = _find_broken()
        if found is None:
            _waking.wait(_LOOK_S)
            continue
        group, tell, error = found
        tell(error)
        _waking.wait(_END_S)
        _end_worker(group)
