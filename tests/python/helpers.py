"""What several tests of the Python module need."""

import array
import doctest
import os
import signal
import threading
import unittest

import muster
from muster.testing import ranks

try:
    import numpy as np
except ImportError:
    np = None

# What may take long only on a busy machine.
LIMIT_S = 60 * int(os.environ.get("TEST_PATIENCE", "1"))

needs_numpy = unittest.skipIf(np is None, "there is no numpy")


def expect(error, text, call):
    """The call raises that, with the text in its message. Returns what it raised."""
    try:
        call()
    except error as raised:
        assert text in str(raised), f"{raised!s} has no {text!r}"
        return raised
    raise AssertionError(f"no {error.__name__}")


def expect_interrupt(call):
    """Ctrl-C ends the call: not before it is made, and mostly when it waits already."""
    about_to, never = threading.Event(), threading.Event()

    def interrupt():
        about_to.wait()
        never.wait(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    def made():
        about_to.set()
        call()

    threading.Thread(target=interrupt).start()
    expect(KeyboardInterrupt, "", made)


def ints(*values):
    return array.array("i", values)


def run_examples(text, name):
    """Those of a docstring or a page, in two ranks; each finds muster, np, world and rank."""
    examples = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    if not examples.examples:
        return

    @ranks(2)
    def body():
        words, world = [], muster.init()
        examples.globs.update(muster=muster, np=np, world=world, rank=world.rank(), __name__="__main__")
        doctest.DocTestRunner().run(examples, out=words.append)
        assert not words, "".join(words)

    body()
