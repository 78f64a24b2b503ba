"""Phases: what a rank says that it does, for muster trace, muster report and Perfetto."""

import threading

from . import _muster

_current = threading.local()


class phase:
    """Names what this rank does from now on, until the next phase; phase("") names nothing.

    As a context manager it ends with the block, and the phase before it goes on:

        with muster.phase("forward"):
            ...
    """

    def __init__(self, name, *, group=None):
        self._before = getattr(_current, "name", "")
        self._group = group
        self._mark(name)

    def _mark(self, name):
        _muster.mark_phase(name, self._group)
        _current.name = name

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._mark(self._before)
        return False
