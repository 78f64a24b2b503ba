"""The build backend of pyproject.toml: scikit-build-core, once it is known that this machine can compile.

What the machine lacks is one sentence, before anything is fetched or compiled. CMake itself is fetched where there is
none.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

if sys.version_info < (3, 10):
    raise SystemExit(f"muster is for Python 3.10 or newer, and {sys.executable} is {sys.version.split()[0]}")

REQUIRED = ["scikit-build-core>=1.1,<2"]

with contextlib.suppress(OSError, AttributeError, TypeError, NameError):  # Python has compiled this file into the checkout
    pathlib.Path(__spec__.cached).unlink()
    pathlib.Path(__spec__.cached).parent.rmdir()

# ---- what must be there ----


def _has_cmake():
    try:
        said = subprocess.run(["cmake", "--version"], capture_output=True, text=True).stdout
    except OSError:
        return False
    version = re.search(r"version (\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= (3, 25)


def _compiles(text, *options):
    compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), "cc")
    try:
        return subprocess.run([*compiler.split(), "-x", "c", "-fsyntax-only", *options, "-"], input=text.encode(),
                              capture_output=True).returncode == 0
    except OSError:
        return False


def _has_python_headers():
    return pathlib.Path(sysconfig.get_path("include"), "Python.h").exists()


def _check():
    rows = [
        (_compiles("int x;"), "a C compiler (cc, gcc, clang or $CC)", "gcc"),
        (not _compiles("int x;") or _compiles("#include <stdlib.h>\n"), "the C library's headers", "libc6-dev"),
        (_has_python_headers(), f"the headers of Python {sys.version_info[0]}.{sys.version_info[1]} (Python.h)",
         "python3-dev"),
    ]
    missing = [what for found, what, _ in rows if not found]
    packages = [package for found, _, package in rows if not found]
    if "gcc" in packages:
        packages.append("libc6-dev")
    if missing:
        raise SystemExit(f"muster is compiled on this machine, which lacks {', '.join(missing)}; "
                         f"on Debian and Ubuntu: apt-get install {' '.join(packages)}")


# ---- what pip asks ----


def get_requires_for_build_wheel(config_settings=None):
    _check()
    cmake = [] if _has_cmake() else ["cmake>=3.25"]
    ninja = [] if shutil.which("ninja") or shutil.which("make") else ["ninja>=1.5"]
    return [*REQUIRED, *cmake, *ninja]


get_requires_for_build_editable = get_requires_for_build_wheel


def get_requires_for_build_sdist(config_settings=None):
    return REQUIRED


# scikit-build-core has been fetched when these are called, and not when pip asks which of them there are.


def _delegate(name):
    def hook(*args, **keywords):
        from scikit_build_core import build

        return getattr(build, name)(*args, **keywords)

    return hook


build_sdist = _delegate("build_sdist")
build_wheel = _delegate("build_wheel")
build_editable = _delegate("build_editable")
prepare_metadata_for_build_wheel = _delegate("prepare_metadata_for_build_wheel")
prepare_metadata_for_build_editable = _delegate("prepare_metadata_for_build_editable")
