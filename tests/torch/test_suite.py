"""What suite.py says of tests that end in other ways than by passing."""

import contextlib
import io
import os
import sys
import unittest
from unittest import mock

import suite


class Made(unittest.TestCase):
    def test_a(self):
        pass

    def test_b(self):
        self.skipTest("as it is to be")

    def test_c(self):
        self.fail("as it is to be")


class Gone(Made):
    def test_b(self):
        os._exit(3)


class GoneAfter(Made):
    def test_c(self):
        pass

    @classmethod
    def tearDownClass(cls):
        os._exit(3)


class NotSetUp(Made):
    @classmethod
    def setUpClass(cls):
        raise OSError


class NotForHere(Made):
    @classmethod
    def setUpClass(cls):
        raise unittest.SkipTest("as it is to be")


def ends_of(tests):
    names = ["test_a", "test_b", "test_c"]
    with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
        ends = suite.run(tests, names)
    return [ends[name] for name in names]


class Suite(unittest.TestCase):
    def test_ends(self):
        self.assertEqual(ends_of(Made), ["passed", "skipped", "failed"])
        self.assertEqual(ends_of(Gone), ["passed", "failed", "failed"])
        self.assertEqual(ends_of(GoneAfter), ["passed", "skipped", "failed"])
        self.assertEqual(ends_of(NotSetUp), ["failed"] * 3)
        self.assertEqual(ends_of(NotForHere), ["skipped"] * 3)

    def test_none(self):
        with mock.patch.object(suite, "load", lambda *_: Made), mock.patch.object(sys, "argv", ["suite.py", "-k", "no"]):
            with self.assertRaisesRegex(SystemExit, "no test has 'no' in its name"):
                suite.main()
        with mock.patch.object(suite, "load", lambda *_: Made), mock.patch.object(sys, "argv", ["suite.py", "-k", "_[ab]"]):
            with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()):
                suite.main()
        self.assertEqual(said.getvalue(), "muster: 1 passed, 0 failed, 1 skipped\n")


def load_tests(loader, _tests, _pattern):
    return loader.loadTestsFromTestCase(Suite)


if __name__ == "__main__":
    unittest.main()
