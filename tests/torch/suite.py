"""PyTorch's own tests of torch.distributed (distributed_test.py of the installed package, or the two files of a folder),
with this backend's name in place of gloo's, for scripts/torch-suite. What fails here is run on gloo as well: a test that
passes there must pass here.

    suite.py [-n RANKS] [-k PATTERN] [-b BACKEND] [FOLDER]
"""

import argparse
import os
import pathlib
import re
import sys
import tempfile
import traceback
import unittest

import suite_c10d

SOURCE = "torch/testing/_internal/distributed/distributed_test.py"
EXCEPTED = re.compile("monitored_barrier")  # gloo's sentences of it, where muster's name the missing ranks in others


def adapted(backend):
    """The source with the name changed, and without asking whether PyTorch was built with gloo."""
    found = next(path for path in map(pathlib.Path, sys.path) if (path / SOURCE).exists()) / SOURCE
    lines = []
    for line in found.read_text(encoding="utf-8").splitlines():
        if '@require_backend_is_available({"gloo"})' in line:
            line = ""
        elif 'ddp_logging_data.get("backend_name") == "gloo"' in line:  # what the log says of gloo's sockets
            line = line.replace('"gloo"', "'gloo'")
        lines.append(line.replace('"gloo"', f'"{backend}"').replace("dist.Backend.GLOO", f'"{backend}"'))
    return "\n".join(lines)


def load(backend, ranks):
    """The class of all tests. Ranks are forked: so PyTorch is imported once."""
    os.environ.update(BACKEND=backend, WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", TEMP_DIR=tempfile.mkdtemp())
    import torch
    import torch._dynamo  # noqa: F401
    from torch.testing._internal import common_distributed
    import muster.torch  # noqa: F401

    for feature in ("ddp", "gpu", "subgroup"):
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
    """Writes to a pipe how each test ends, at once: the process may not live to do it later. The last word counts."""

    pipe, names = None, []  # of all tests

    def write(self, outcome, test):
        """What is no test, as setUpClass is, is written for all of them."""
        for name in [test._testMethodName] if isinstance(test, unittest.TestCase) else self.names:
            print(outcome, name, file=self.pipe, flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.write("failed", test)  # unless it is said to end in another way

    def addSuccess(self, test):
        super().addSuccess(test)
        self.write("passed", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.write("skipped", test)

    def addError(self, test, error):
        super().addError(test, error)
        self.write("failed", test)


def run(tests, names):
    """How each of the class's tests ended, in a process of its own: what they leave behind is not another class's. One
    that nothing is known of has failed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as Result.pipe:
            Result.names = names
            unittest.TextTestRunner(sys.stderr, resultclass=Result, verbosity=2).run(unittest.TestSuite(map(tests, names)))
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = {name: outcome for outcome, name in map(str.split, pipe)}
    status = os.waitpid(pid, 0)[1]
    ends = {name: said.get(name, "failed") for name in names}
    if status:
        print(f"{tests.__name__}: its process ended with {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
        if "failed" not in ends.values():
            ends[names[-1]] = "failed"
    return ends


def run_all(backend, ranks, wanted, folder, writer):
    classes = suite_c10d.load(backend, folder) if folder else [load(backend, ranks)]
    with os.fdopen(writer, "w") as pipe:
        for tests in classes:
            prefix = f"{tests.__module__}.{tests.__name__}."
            names = [name for name in unittest.defaultTestLoader.getTestCaseNames(tests) if wanted(prefix + name)]
            for name, outcome in (run(tests, names) if names else {}).items():
                print(outcome, prefix + name, file=pipe, flush=True)


def run_apart(backend, ranks, wanted, folder):
    """How each test ended, by name; in a process of its own, as the sources read the backend's name once."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            run_all(backend, ranks, wanted, folder, writer)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        ends = {name: outcome for outcome, name in map(str.split, pipe)}
    if os.waitpid(pid, 0)[1]:
        sys.exit(f"{backend}: the tests could not be loaded")
    return ends


def those(ends, outcome):
    return sorted(name for name in ends if ends[name] == outcome)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("-n", type=int, default=3, help="ranks of distributed_test.py (3)")
    options.add_argument("-k", default="", help="only tests whose file.class.name this regular expression is in")
    options.add_argument("-b", default="muster", help="the backend (muster)")
    options.add_argument("folder", nargs="?", help="a checkout of PyTorch, or its test/distributed: its "
                         "test_c10d_common.py and test_c10d_gloo.py in place of the installed distributed_test.py")
    given = options.parse_args()
    ends = run_apart(given.b, given.n, lambda name: bool(re.search(given.k, name)), given.folder)
    if not ends:
        sys.exit(f"no test has {given.k!r} in its name; expected some")
    failed = those(ends, "failed")
    print(f"{given.b}: {len(those(ends, 'passed'))} passed, {len(failed)} failed, {len(those(ends, 'skipped'))} skipped")
    if not failed or given.b == "gloo":
        return
    better = those(run_apart("gloo", given.n, failed.__contains__, given.folder), "passed")
    print(f"of these pass on gloo: {' '.join(better) or 'none'}")
    print(f"pass on neither: {' '.join(sorted(set(failed) - set(better))) or 'none'}")
    if any(not EXCEPTED.search(name) for name in better):
        sys.exit(1)


if __name__ == "__main__":
    main()
