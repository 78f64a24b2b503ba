"""Names in /dev/shm under which ranks meet that have no launcher, made for one job: nobody comes to them again.

muster removes a name when all have attached. One whose ranks were all killed before that stays, until the next job of
this user sweeps: a rank that attaches has a lock on what it has opened, so a name without one is nobody's. Whoever has
just made a name, and has no lock on it yet, notices that it has gone, and makes it again.
"""

import contextlib
import fcntl
import os
import stat

FOLDER = "/dev/shm"


def remove(name):
    with contextlib.suppress(OSError):
        os.unlink(FOLDER + name)


def sweep(prefix):
    """Removes this user's names that begin so, and that nobody attaches by."""
    with contextlib.suppress(OSError):
        for name in os.listdir(FOLDER):
            if name.startswith(prefix):
                with contextlib.suppress(OSError):
                    _remove_unused(os.path.join(FOLDER, name))


def _remove_unused(path):
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(found, os.lstat(path)):
                os.unlink(path)
    finally:
        os.close(file)
