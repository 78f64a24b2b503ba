"""What muster logs goes to Python's logger "muster", unless MUSTER_LOG sends it to stderr.

The logger's level counts when a world is made or attached to: at DEBUG each call is a line, at INFO each group that is made
and freed, at WARNING what has gone wrong. Records have an attribute rank.
"""

import atexit
import logging
import os

from . import _muster

_LOGGER = logging.getLogger("muster")
_LOGGER.addHandler(logging.NullHandler())  # silent in a program that has no handlers
_LEVELS = (logging.CRITICAL + 1, logging.WARNING, logging.INFO, logging.DEBUG)  # by muster_log_level


def _level():
    """muster_log_level's number, or -1 to leave it."""
    if os.environ.get("MUSTER_LOG"):
        return -1
    wanted = _LOGGER.getEffectiveLevel()
    return sum(wanted <= level for level in _LEVELS[1:])


def _emit(level, rank, line):
    if rank < 0:
        _LOGGER.log(_LEVELS[level], "%s", line, extra={"rank": None})
    else:
        _LOGGER.log(_LEVELS[level], "rank %d: %s", rank, line, extra={"rank": rank})


_muster.use_log(_level, _emit)
atexit.register(_muster.end_log)
