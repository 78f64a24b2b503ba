"""What is C++ against another package (MLX, PyTorch) is compiled on this machine, with the package that is installed
here, when it is first imported; afterwards the result is found.

It lies in $XDG_CACHE_HOME/muster (~/.cache/muster), in a folder named by all that it is made from, or in a folder of that
kind beside the module, where a wheel has put it (scripts/wheel --torch). One process compiles and the others of the machine wait for it: the lock is the folder's, and
the kernel frees it. The result is put in its place by a rename, so whoever is killed leaves nothing half done.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time

from . import _muster

_MODULE = pathlib.Path(_muster.__file__).resolve()
_INCLUDE = _MODULE.parent / "include"  # and not beside this file, which lies in the checkout if it is installed as editable


def library(name, sources, against, compiling=(), linking=()):
    """The path of the shared library that these C++ files make: `name` is the module that wants it ("muster.mlx"),
    `against` what it is compiled with, in words that name its version ("MLX 0.32.4"), and the options are the
    compiler's. It finds muster/muster.h, and is linked to the library that muster's Python module has. Other libraries
    that it is linked to must be loaded when it is. ImportError: a sentence."""
    sources = [pathlib.Path(source) for source in sources]
    options = ["-O2", "-fPIC", "-fvisibility=hidden", "-Wall", f"-I{_INCLUDE}", *compiling]
    link = ["-shared", f"-L{_MODULE.parent}", f"-l:{_MODULE.name}", *linking]
    file = f"{name.rpartition('.')[2]}.so"
    built = _MODULE.parent / f"{name}-{_digest(sources, against, options, None)}" / file
    if built.exists():  # whatever compiler there is here
        return str(built)
    try:
        made = _cache() / f"{name}-{_digest(sources, against, options, os.environ.get('CXX'))}" / file
        if not made.exists():
            made.parent.mkdir(mode=0o700, exist_ok=True)
            with _locked(made.parent) as since:
                if not made.exists():
                    _compile(name, against, sources, options, link, made, since)
        elif _left_in(made.parent):
            _tidy(made.parent)
    except OSError as error:  # a full disk, a quota, a file system without locks
        raise ImportError(f"{name} could not be compiled for {against}: {error}") from error
    return str(made)


# ---- folders and names of what is compiled ----


def _is_private(folder):
    """What is in this folder is executed, so that nobody else may write to it."""
    found = folder.lstat()
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022 and folder.is_dir() and not folder.is_symlink()


def _cache():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    tried = [pathlib.Path(home, "muster"), pathlib.Path(tempfile.gettempdir(), f"muster-{os.geteuid()}")]
    for folder in tried:
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_private(folder) and os.access(folder, os.W_OK | os.X_OK):
                return folder
    raise ImportError(f"muster has no folder for what it compiles: {tried[0]} and {tried[1]} cannot be written, or are "
                      "not this user's alone; set XDG_CACHE_HOME to one that is")


def _digest(sources, against, options, compiler):
    """The hash of the sources, the header, the compiler and its options, and what they are compiled against."""
    digest = hashlib.sha256()
    beside = {path for source in sources for path in source.parent.iterdir() if path.suffix in (".h", ".cpp")}
    files = [*beside, _INCLUDE / "muster" / "muster.h"]
    for path in sorted(files):
        digest.update(str(path.name).encode() + b"\0" + path.read_bytes() + b"\0")
    flags = [option for option in options if os.sep not in option]
    digest.update(repr((against, flags, sysconfig.get_config_var("SOABI"), compiler)).encode())
    return digest.hexdigest()[:20]


@contextlib.contextmanager
def _locked(folder, how=0):
    """Gives the time since which this process has waited."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    since = time.time()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | how)  # signal handlers run while it waits
        yield since
    finally:
        os.close(lock)


# Others' may be in use: locks are one machine's, a home many machines'.
_WORK = f"work-{socket.gethostname()}-"


def _left_in(folder):
    """Those of processes that were killed, or of one that has the lock."""
    return list(folder.glob(f"{glob.escape(_WORK)}*"))


def _tidy(folder):
    """After one that was killed when what it made was in its place; whoever compiles does it, too."""
    with contextlib.suppress(OSError), _locked(folder, fcntl.LOCK_NB):
        for left in _left_in(folder):
            shutil.rmtree(left)


# ---- compiling; the lock is held ----


def _compiler(name, against):
    wanted = shlex.split(os.environ.get("CXX", "")) or ["c++"]
    for command in (wanted, ["g++"], ["clang++"]):
        if shutil.which(command[0]):
            return command
    raise ImportError(f"{name} is C++ that is compiled on this machine, for {against}, and there is no compiler (c++, "
                      "g++, clang++ or $CXX); on Debian and Ubuntu: apt-get install g++")


def _compile(name, against, sources, options, link, made, since):
    failure = made.parent / "failure"
    if failure.exists() and failure.stat().st_mtime >= since:  # of the process for which this one has waited
        raise ImportError(failure.read_text(encoding="utf-8"))
    for left in _left_in(made.parent):
        shutil.rmtree(left)
    failure.unlink(missing_ok=True)
    try:
        compiler = _compiler(name, against)
        print(f"muster: compiling {name} for {against}; this is done once", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=_WORK, dir=made.parent) as work:
            objects = [os.path.join(work, f"{source.stem}.o") for source in sources]
            _run(name, against, [[*compiler, *options, "-c", str(source), "-o", to]
                                 for source, to in zip(sources, objects)])
            linked = os.path.join(work, made.name)
            _run(name, against, [[*compiler, *objects, *link, "-o", linked]])
            os.rename(linked, made)
    except ImportError as error:
        with contextlib.suppress(OSError):
            failure.write_text(str(error), encoding="utf-8")
        raise


def _run(name, against, commands):
    """All of them, as many at a time as there are CPUs."""
    left, running = list(commands), []
    try:
        while left or running:
            while left and len(running) < max(1, len(os.sched_getaffinity(0))):
                command = left.pop(0)
                said = tempfile.TemporaryFile()  # noqa: SIM115
                running.append((command, said, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said,
                                                                stderr=said)))
            command, said, process = running.pop(0)
            try:
                failed = process.wait() != 0
            except BaseException:
                running.append((command, said, process))
                raise
            said.seek(0)
            words = said.read().decode(errors="replace")
            said.close()
            if failed:
                first = next((line for line in words.splitlines() if "error" in line), words.strip()[-300:])
                raise ImportError(f"{name} could not be compiled for {against}: {first.strip()} (all of it: "
                                  f"{shlex.join(command)})")
    finally:
        for _, said, process in running:
            process.kill()
            process.wait()
            said.close()
