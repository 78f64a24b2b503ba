"""The build backend of pyproject.toml: compiles the module with CMake, in the repository that this folder is part
of, and packs the wheel. Needs no package of anybody's, and writes to temporary folders only.

What the machine lacks is one sentence, before anything is compiled.
"""

import base64
import contextlib
import csv
import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile

if sys.version_info < (3, 11):
    raise SystemExit(f"muster is for Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}")
import tomllib  # of 3.11

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
project = tomllib.loads((here / "pyproject.toml").read_text(encoding="utf-8"))["project"]
name = f"{project['name']}-{project['version']}"
SDIST = ("CMakeLists.txt", "LICENSE", "README.md", "cmake", "include", "shm", "src", "bindings")

with contextlib.suppress(OSError, NameError):  # Python has compiled this file into the checkout
    pathlib.Path(__cached__).unlink()
    pathlib.Path(__cached__).parent.rmdir()

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
    return (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists()


def _check():
    rows = [
        (_has_cmake(), "CMake 3.25 or newer", "cmake"),
        (shutil.which("make") or shutil.which("ninja"), "make or ninja", "make"),
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
        raise SystemExit(f"muster compiles its Python module on this machine, which lacks {', '.join(missing)}; "
                         f"on Debian and Ubuntu: apt-get install {' '.join(packages)}")
    if not (root / "CMakeLists.txt").exists():
        raise SystemExit(f"muster compiles its Python module from its repository, and {here} is not in it; expected "
                         f"CMakeLists.txt in {root}: install bindings/python of a whole checkout")


# ---- compiling ----


def _run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}\nmuster could not be compiled: {command[0]} {command[1]} ended with status "
                         f"{done.returncode}, and its words are above")


def _compile(build):
    """Returns the package, whole, in the build folder."""
    _check()
    generator = [] if shutil.which("make") or "CMAKE_GENERATOR" in os.environ else ["-G", "Ninja"]
    parts = ("BUILD_TESTS", "BUILD_EXAMPLES", "BUILD_COMMAND", "BUILD_MLX", "INSTALL")
    off = [f"-DMUSTER_{part}=OFF" for part in parts]
    _run("cmake", "-S", str(root), "-B", build, "-DCMAKE_BUILD_TYPE=Release", *off, *generator,
         f"-DPython3_EXECUTABLE={sys.executable}")
    _run("cmake", "--build", build, "--target", "muster_python", "-j", str(os.cpu_count() or 1))
    return pathlib.Path(build, "bindings", "python", "muster")


# ---- packing ----


def _metadata():
    return (f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
            f"Summary: {project['description']}\nLicense: {project['license']['text']}\n"
            f"Requires-Python: {project['requires-python']}\n")


def _tag():
    return "cp311-abi3-" + re.sub(r"\W", "_", sysconfig.get_platform())


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory, f"{name}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(_metadata(), encoding="utf-8")
    return folder.name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    wheel = f"{name}-{_tag()}.whl"
    rows = []
    with tempfile.TemporaryDirectory() as build, \
            zipfile.ZipFile(pathlib.Path(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as packed:

        def pack(path, data):
            info = zipfile.ZipInfo(path)
            info.external_attr = (0o100755 if path.endswith(".so") else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append((path, f"sha256={digest}", len(data)))

        package = _compile(build)
        for file in sorted(package.rglob("*")):
            if file.is_file():
                pack(f"muster/{file.relative_to(package)}", file.read_bytes())
        pack(f"{name}.dist-info/METADATA", _metadata().encode())
        pack(f"{name}.dist-info/WHEEL", ("Wheel-Version: 1.0\nGenerator: muster\nRoot-Is-Purelib: false\n"
                                         f"Tag: {_tag()}\n").encode())
        record = io.StringIO()
        csv.writer(record, lineterminator="\n").writerows([*rows, (f"{name}.dist-info/RECORD", "", "")])
        pack(f"{name}.dist-info/RECORD", record.getvalue().encode())
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    """What compiling takes, with this folder's pyproject.toml at the top."""
    def take(entry):
        return None if re.search(r"/__pycache__|\.pyc$", entry.name) else entry

    with tarfile.open(pathlib.Path(sdist_directory, f"{name}.tar.gz"), "w:gz", format=tarfile.PAX_FORMAT) as packed:
        for path in SDIST:
            packed.add(root / path, f"{name}/{path}", filter=take)
        pyproject = (here / "pyproject.toml").read_text(encoding="utf-8")
        for path, text in (("PKG-INFO", _metadata()), ("pyproject.toml", pyproject.replace(
                'backend-path = ["."]', 'backend-path = ["bindings/python"]'))):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            packed.addfile(entry, io.BytesIO(text.encode()))
    return f"{name}.tar.gz"
