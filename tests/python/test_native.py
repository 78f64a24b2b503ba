"""What is compiled on the user's machine (muster._native): where that fails, it is an ImportError, and what other machines
compile in the same folder stays."""

import errno
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from muster import _native


class Native(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = pathlib.Path(folder.name, "source.cpp")
        self.source.write_text("int nothing;\n", encoding="utf-8")
        changed = mock.patch.dict(os.environ, {"XDG_CACHE_HOME": folder.name, "CXX": "false"})
        changed.start()
        self.addCleanup(changed.stop)
        self.cache = pathlib.Path(folder.name, "muster")

    def fails(self, text):
        with self.assertRaisesRegex(ImportError, text):
            _native.library("muster.test", [self.source], "Nothing 1.0")

    def test_no_locks(self):
        with mock.patch("fcntl.flock", side_effect=OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))):
            self.fails("muster.test could not be compiled for Nothing 1.0: .*No locks available")

    def test_an_editable_package(self):
        """Its files lie in a checkout, and what was compiled lies elsewhere, with the header."""
        checkout = pathlib.Path(self.source.parent, "checkout", "muster")
        shutil.copytree(pathlib.Path(_native.__file__).parent, checkout, ignore=shutil.ignore_patterns("*.so", "include"))
        program = f"""
import sys
from importlib import util
class Finder:
    def find_spec(name, path=None, target=None):
        return util.spec_from_file_location(name, {str(_native._MODULE)!r}) if name == "muster._muster" else None
sys.meta_path.insert(0, Finder)
from muster import _native
print(_native.__file__)
_native.library("muster.test", [{str(self.source)!r}], "Nothing 1.0")"""
        ended = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(checkout.parent)}, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(ended.stdout, f"{checkout / '_native.py'}\n", ended.stderr)
        self.assertIn("ImportError: muster.test could not be compiled for Nothing 1.0: ", ended.stderr)

    def test_what_a_wheel_has_put_beside_the_module(self):
        """Is taken as it is, where nothing can be compiled; but not when it is of other sources, or for another version."""
        site = pathlib.Path(self.source.parent, "site")
        module = site / _native._MODULE.name
        with mock.patch.object(_native, "_MODULE", module):
            with mock.patch("muster._native._digest", side_effect=_native._digest) as digests:
                self.fails("could not be compiled")
            parts = [call.args for call in digests.call_args_list]
            self.assertEqual([compiler for *_, compiler in parts], [None, "false"])
            made = site / f"muster.test-{_native._digest(*parts[0])}" / "test.so"
            made.parent.mkdir(parents=True)
            made.touch()
            with mock.patch.dict(os.environ, {"PATH": "/none", "CXX": "/none/c++"}):
                self.assertEqual(_native.library("muster.test", [self.source], "Nothing 1.0"), str(made))
                with self.assertRaisesRegex(ImportError, "for Nothing 1.1, and there is no compiler"):
                    _native.library("muster.test", [self.source], "Nothing 1.1")
                self.source.write_text("int something;\n", encoding="utf-8")
                with self.assertRaisesRegex(ImportError, "there is no compiler"):
                    _native.library("muster.test", [self.source], "Nothing 1.0")

    def test_full_disk(self):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with mock.patch("tempfile.TemporaryDirectory", side_effect=full):
            self.fails("No space left on device")
        with mock.patch("pathlib.Path.write_text", side_effect=full):
            self.fails("muster.test could not be compiled for Nothing 1.0")

    def test_other_machines(self):
        self.fails("could not be compiled")
        folder = next(self.cache.iterdir())
        others, left = folder / "work-elsewhere-a", folder / f"work-{socket.gethostname()}-a"
        for work in others, left:
            work.mkdir()
            (work / "half.o").touch()
        self.fails("could not be compiled")
        self.assertEqual({path.name for path in folder.iterdir()}, {"failure", others.name})
        self.assertTrue((others / "half.o").exists())

    def test_left_beside_what_was_made(self):
        """By one that was killed at its end; but not while somebody compiles."""
        self.fails("could not be compiled")
        folder = next(self.cache.iterdir())
        others, left = folder / "work-elsewhere-a", folder / f"work-{socket.gethostname()}-a"
        for path in others, left:
            path.mkdir()
        made = folder / "test.so"
        made.touch()
        with _native._locked(folder):
            self.assertEqual(_native.library("muster.test", [self.source], "Nothing 1.0"), str(made))
            self.assertTrue(left.exists())
        self.assertEqual(_native.library("muster.test", [self.source], "Nothing 1.0"), str(made))
        self.assertEqual((left.exists(), others.exists()), (False, True))


if __name__ == "__main__":
    unittest.main()
