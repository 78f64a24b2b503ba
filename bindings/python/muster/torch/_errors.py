"""What muster's operations fail with, as PyTorch's programs expect it: a DistBackendError that is muster's, too."""

import torch.distributed as dist

from .. import _muster

_Base = getattr(dist, "DistBackendError", RuntimeError)
DESTROYED = "the process group has been destroyed"


class Error(_muster.Error, _Base):
    """What muster's operations fail with."""


class PeerDiedError(_muster.PeerDiedError, _Base):
    """A rank died or left while others needed it; the message says how."""


class TimedOutError(_muster.TimedOutError, _Base):
    """The timeout of the group, or of the call, has passed."""


class MismatchError(_muster.MismatchError, _Base):
    """Ranks asked for different things; the message shows both sides."""


class DeadlockError(_muster.DeadlockError, _Base):
    """Ranks wait for each other in a cycle, which the message spells out."""


class AbortedError(_muster.AbortedError, _Base):
    """A rank aborted the group, or was interrupted."""


class ArgumentError(ValueError, RuntimeError):
    """An argument that does not fit; Python's programs expect a ValueError, and PyTorch's a RuntimeError."""


_KINDS = {getattr(_muster, kind.__name__): kind
          for kind in (Error, PeerDiedError, TimedOutError, MismatchError, DeadlockError, AbortedError)}

for _kind in (*_KINDS.values(), ArgumentError):
    _kind.__module__ = "muster.torch"


def as_torch_has_it(error):
    """The error, or, where it is muster's, the same as torch's programs catch it."""
    kind = _KINDS.get(type(error))
    if not kind:
        return error
    made = kind(str(error))
    made.__dict__.update(error.__dict__)  # rank, termination and the like
    return made


_BY_STATUS = {"peer died": PeerDiedError, "timed out": TimedOutError, "ranks disagree": MismatchError,
              "deadlock": DeadlockError, "aborted": AbortedError}


def make(status, sentence, parts):
    """The exception of a failure in C++: `status` in words, `parts`: rank, signal and the like, as far as known."""
    if status == "invalid argument":
        return ArgumentError(sentence)
    if status in ("no space in the arena", "out of memory"):
        return MemoryError(sentence)
    made = _BY_STATUS.get(status, Error)(sentence)
    made.__dict__.update(parts, status=status)
    return made
