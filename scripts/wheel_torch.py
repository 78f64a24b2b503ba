"""A wheel of the compiled backend of muster.torch, for scripts/wheel, whose tools run it.

    wheel_torch.py PYTHON WHEELS WORK       PYTHON has PyTorch; the wheel of muster is in WHEELS, where this one goes, too

muster, of its wheel, compiles the backend at its first import; the file goes into a wheel of its own, in the folder in which
muster looks beside its module. That folder is named by all that the backend is made from. MUSTER_WHEEL_CACHE, a folder
as XDG_CACHE_HOME is, may have it already.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

ASK = """
import json, sys, torch, muster.torch
file = muster.torch.is_compiled and muster.torch._backend._backend.__file__
print(json.dumps([file, muster.__version__, torch.__version__, f"cp{sys.version_info[0]}{sys.version_info[1]}{sys.abiflags}"]))"""
METADATA = """Metadata-Version: 2.1
Name: muster-torch
Version: {version}
Summary: The backend of muster.torch, compiled for PyTorch {torch}
License: MIT
Requires-Dist: muster=={muster}
Requires-Dist: torch=={public}
"""
WHEEL = """Wheel-Version: 1.0
Generator: muster
Root-Is-Purelib: false
Tag: {python}-{python}-{platform}
"""
NOT_OURS = ["libtorch*.so*", "libc10*.so*", "_muster*.so"]  # loaded before it


def run(*command, **settings):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **settings}
    environment.pop("CXX", None)  # whose name would be in that of the folder
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        sys.exit(f"wheel_torch.py: {' '.join(str(word) for word in command[:4])} ended with {done.returncode}")
    return done.stdout


def compile_with(python, wheels, work):
    """The file that muster has compiled, and the versions of muster, PyTorch and Python."""
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", "--target",
        work / "site", "--find-links", wheels, "muster")
    cache = os.environ.get("MUSTER_WHEEL_CACHE") or str(work / "cache")
    file, *versions = json.loads(run(python, "-c", ASK, PYTHONPATH=str(work / "site"), XDG_CACHE_HOME=cache))
    if not file:
        sys.exit(f"wheel_torch.py: with {python} muster.torch has compiled no backend")
    return pathlib.Path(file), *versions


def pack(file, muster, torch, python, work):
    version = f"{muster}+torch{torch.replace('+', '.')}"
    tree = work / f"muster_torch-{version}"
    info, folder = tree / f"{tree.name}.dist-info", tree / "muster" / file.parent.name
    folder.mkdir(parents=True)
    shutil.copy(file, folder)
    info.mkdir()
    (info / "METADATA").write_text(METADATA.format(version=version, torch=torch, muster=muster,
                                                   public=torch.partition("+")[0]))
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    (info / "WHEEL").write_text(WHEEL.format(python=python, platform=platform))
    run(sys.executable, "-m", "wheel", "pack", tree, "-d", work)
    return next(work.glob("muster_torch-*.whl"))


def main():
    python, wheels, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    work.mkdir()
    made = pack(*compile_with(python, wheels, work), work)
    run("auditwheel", "repair", "-w", wheels, *(word for name in NOT_OURS for word in ("--exclude", name)), made)


main()
