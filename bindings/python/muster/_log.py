"""What muster logs goes to Python's logger "muster", unless MUSTER_LOG sends it to stderr.

The logger's level counts when a world is made or attached to: at DEBUG each call is a line, at INFO each group that is made
and freed, at WARNING what has gone wrong. Records have an attribute rank.
"""

import atexit
import functools
import os
import sys

from . import _muster

_WARN = 1  # of muster_log_level, which goes to INFO, 2, and DEBUG, 3
_NAMES = ("NOTSET", "WARNING", "INFO", "DEBUG")


@functools.cache
def _logger():
    import logging  # which takes as long as all of muster to import, and mostly there is nothing to say

    logger = logging.getLogger("muster")
    logger.addHandler(logging.NullHandler())  # silent in a program that has no handlers
    return logger, [getattr(logging, name) for name in _NAMES]


def _level():
    """muster_log_level's number, or -1 to leave it."""
    if os.environ.get("MUSTER_LOG"):
        return -1
    if "logging" not in sys.modules:  # so nobody has chosen a level
        return _WARN
    logger, levels = _logger()
    wanted = logger.getEffectiveLevel()
    return sum(wanted <= level for level in levels[_WARN:])


def _emit(level, rank, line):
    logger, levels = _logger()
    if rank < 0:
        logger.log(levels[level], "%s", line, extra={"rank": None})
    else:
        logger.log(levels[level], "rank %d: %s", rank, line, extra={"rank": rank})


_muster.use_log(_level, _emit)
atexit.register(_muster.end_log)
