"""PyTorch's test_c10d_common.py and test_c10d_gloo.py, which its package does not have, with this backend in place of
gloo: for suite.py, which is given the folder that they lie in."""

import datetime
import os
import pathlib
import re
import sys
import types
import unittest

FILES = ["test_c10d_common", "test_c10d_gloo"]  # the second one imports the first


class Group:
    """What the tests make of a store where they make gloo's group: this backend's, of a group of its own."""

    class _Options:
        _timeout = 300.0

    def __new__(cls, store, rank, size, options):
        from muster import torch

        return torch._create(store, rank, size, datetime.timedelta(seconds=options._timeout))


def folder_of(given):
    """The tests' folder: the one that is given, or that of a checkout."""
    for folder in pathlib.Path(given), pathlib.Path(given, "test", "distributed"):
        if all((folder / f"{name}.py").exists() for name in FILES):
            return folder
    sys.exit(f"{given} has no {FILES[0]}.py and {FILES[1]}.py; expected a checkout of PyTorch, or its test/distributed")


def adapted(path, backend):
    text = path.read_text(encoding="utf-8").replace('"gloo"', f'"{backend}"')
    if backend != "gloo":
        text = text.replace("c10d.ProcessGroupGloo", "suite_c10d.Group")
        text = re.sub(r"backend\.create_device\([^)]*\)", "None", text)  # gloo's socket
    return text


def load(backend, folder):
    """The classes of tests. Their ranks are forked: so PyTorch is imported once."""
    os.environ["BACKEND"] = backend
    import torch
    import torch._dynamo  # noqa: F401
    from torch.testing._internal import common_distributed
    import muster.torch  # noqa: F401

    def fork(self):
        self._start_processes(torch.multiprocessing.get_context("fork").Process)

    common_distributed.MultiProcessTestCase._spawn_processes = fork
    classes = []
    for name in FILES:
        path = folder_of(folder) / f"{name}.py"
        module = types.ModuleType(name)
        module.__file__, module.suite_c10d = str(path), sys.modules[__name__]
        sys.modules[name] = module
        exec(compile(adapted(path, backend), f"adapted {path.name}", "exec"), module.__dict__)
        classes += [found for found in vars(module).values()
                    if isinstance(found, type) and issubclass(found, unittest.TestCase) and found.__module__ == name]
    return classes
