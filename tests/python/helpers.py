"""What several tests of the Python module need."""

import array
import unittest

try:
    import numpy as np
except ImportError:
    np = None

needs_numpy = unittest.skipIf(np is None, "there is no numpy")


def expect(error, text, call):
    """The call raises that, with the text in its message. Returns what it raised."""
    try:
        call()
    except error as raised:
        assert text in str(raised), f"{raised!s} has no {text!r}"
        return raised
    raise AssertionError(f"no {error.__name__}")


def ints(*values):
    return array.array("i", values)
