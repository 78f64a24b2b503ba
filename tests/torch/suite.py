"""PyTorch's own tests of torch.distributed (distributed_test.py of the installed package), with this backend's name in
place of gloo's, for scripts/torch-suite. What fails here is run on gloo as well: a test that passes there must pass here.

    suite.py [-n RANKS] [-k PATTERN] [-b BACKEND]
"""

import argparse
import os
import pathlib
import re
import sys
import tempfile
import unittest

SOURCE = "torch/testing/_internal/distributed/distributed_test.py"
# Gloo's sentences of monitored_barrier, and its name in the log of DDP, which calls what it does not know "custom".
EXCEPTED = re.compile(r"monitored_barrier|ddp_logging_data_cpu")


def adapted(backend):
    """The source with the name changed, and without asking whether PyTorch was built with gloo."""
    found = next(path for path in map(pathlib.Path, sys.path) if (path / SOURCE).exists()) / SOURCE
    lines = []
    for line in found.read_text(encoding="utf-8").splitlines():
        if '@require_backend_is_available({"gloo"})' in line:
            line = ""
        lines.append(line.replace('"gloo"', f'"{backend}"').replace("dist.Backend.GLOO", f'"{backend}"'))
    return "\n".join(lines)


def load(backend, ranks):
    """The class of all tests. Ranks are forked: so PyTorch is imported once."""
    os.environ.update(BACKEND=backend, WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", TEMP_DIR=tempfile.mkdtemp())
    import torch
    import torch._dynamo  # noqa: F401
    from torch.testing._internal import common_distributed
    import muster.torch  # noqa: F401

    for feature in ("ddp", "subgroup"):
        common_distributed.DistTestCases.backend_feature[feature].add(backend)
    module = type(sys)("adapted")
    sys.modules["adapted"] = module
    exec(compile(adapted(backend), f"adapted {SOURCE}", "exec"), module.__dict__)

    class Adapted(module.TestDistBackend, module.DistributedTest._DistTestBase):
        def setUp(self):
            super().setUp()
            self._start_processes(torch.multiprocessing.get_context("fork").Process)

    return Adapted


class Result(unittest.TextTestResult):
    def __init__(self, *args, **keywords):
        super().__init__(*args, **keywords)
        self.passed = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.append(test._testMethodName)


def run(backend, ranks, wanted):
    """Names: passed, failed, skipped."""
    tests = load(backend, ranks)
    names = [name for name in unittest.defaultTestLoader.getTestCaseNames(tests) if wanted(name)]
    suite = unittest.TestSuite(map(tests, names))
    result = unittest.TextTestRunner(sys.stderr, resultclass=Result, verbosity=2).run(suite)
    failed = {test._testMethodName for test, _ in [*result.failures, *result.errors]}
    skipped = {test._testMethodName for test, _ in result.skipped}
    return set(result.passed), failed, skipped


def run_apart(backend, ranks, wanted):
    """In a process of its own, as the source reads the backend's name once."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        passed, failed, skipped = run(backend, ranks, wanted)
        with os.fdopen(writer, "w") as pipe:
            pipe.write("\n".join(" ".join(sorted(names)) for names in (passed, failed, skipped)))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().split("\n")
    os.waitpid(pid, 0)
    return [set(line.split()) for line in lines]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("-n", type=int, default=3)
    options.add_argument("-k", default="")
    options.add_argument("-b", default="muster")
    given = options.parse_args()
    passed, failed, skipped = run_apart(given.b, given.n, lambda name: bool(re.search(given.k, name)))
    print(f"{given.b}: {len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped")
    if not failed or given.b == "gloo":
        return
    better = run_apart("gloo", given.n, failed.__contains__)[0]
    print(f"of these pass on gloo: {' '.join(sorted(better)) or 'none'}")
    print(f"pass on neither: {' '.join(sorted(failed - better)) or 'none'}")
    if any(not EXCEPTED.search(name) for name in better):
        sys.exit(1)


if __name__ == "__main__":
    main()
