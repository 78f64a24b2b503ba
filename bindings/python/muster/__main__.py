"""`python -m muster ...` is the command `muster`; of a virtual environment, with its Python as the `python` of the ranks."""

import os
import pathlib
import shutil
import sys
import sysconfig


def _find():
    """The command of this installation, or of a build tree; else what PATH has."""
    package = pathlib.Path(__file__).absolute().parent  # the file may be a link to where an installer keeps packages
    # lib/python3.12/site-packages lies beside bin, and so does what `pip install --target` makes.
    # An editable package lies in its checkout, and its command in the environment.
    folders = [folder / "bin" for folder in list(package.parents)[:4]]
    for folder in [*folders, pathlib.Path(sysconfig.get_path("scripts"))]:
        command = folder / "muster"
        if os.access(command, os.X_OK):
            return str(command)
    return shutil.which("muster")


def _main():
    command = _find()
    if command is None:
        sys.exit(f"the command muster is neither beside {os.path.dirname(__file__)} nor in PATH; build it (MUSTER_BUILD_COMMAND) "
                 "or install muster's wheel")
    # It may not be activated, or be behind another Python in PATH; sys.executable may be its link to another Python.
    here = os.path.dirname(sys.executable)
    if sys.prefix != sys.base_prefix and os.path.dirname(shutil.which("python") or "") != here:
        os.environ["PATH"] = here + os.pathsep + os.environ.get("PATH", os.defpath)
    sys.stdout.flush()
    os.execv(command, [command, *sys.argv[1:]])


_main()
