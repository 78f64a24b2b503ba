"""Builds the module with CMake, in the repository that this folder is part of; the rest is in pyproject.toml."""

import os
import pathlib
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

here = pathlib.Path(__file__).resolve().parent


class CMakeBuild(build_ext):
    def build_extension(self, extension):
        build = pathlib.Path(self.build_temp).resolve() / "cmake"
        target = pathlib.Path(self.get_ext_fullpath(extension.name))
        subprocess.check_call([
            "cmake", "-S", str(here.parent.parent), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release",
            "-DMUSTER_BUILD_TESTS=OFF", "-DMUSTER_BUILD_EXAMPLES=OFF", "-DMUSTER_BUILD_COMMAND=OFF",
            "-DMUSTER_BUILD_MLX=OFF", f"-DPython3_EXECUTABLE={sys.executable}",
        ])
        subprocess.check_call(["cmake", "--build", str(build), "--target", "muster_python", "-j", str(os.cpu_count() or 1)])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build / "bindings" / "python" / "muster" / "_muster.abi3.so", target)


setup(
    ext_modules=[Extension("muster._muster", sources=[], py_limited_api=True)],
    cmdclass={"build_ext": CMakeBuild},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
