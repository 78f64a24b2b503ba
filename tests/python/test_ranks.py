"""Processes and ranks of the Python module: forks of a process that has a world, and muster.testing."""

import array
import asyncio
import importlib.util
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import muster
from helpers import LIMIT_S, expect, np as numpy
from muster.testing import ranks


class Forks(unittest.TestCase):
    """A process that has a world forks: what its children are, and are not."""

    def in_fork(self, body):
        process = multiprocessing.get_context("fork").Process(target=body)
        process.start()
        process.join(60)
        self.assertEqual(process.exitcode, 0)

    def ranks_are_their_own(self):
        parents = muster.init()

        @ranks(3)
        def body():
            world = muster.init()
            assert world is not parents and world.size() == 3
            assert muster.all_sum(array.array("i", [world.rank()]))[0] == 3
            for use in (parents.rank, parents.size, lambda: parents.split(0),
                        lambda: muster.all_sum(array.array("i", [1]), group=parents)):
                expect(muster.Error, "", use)

        @ranks(3)
        def without_init():
            assert muster.all_sum(array.array("i", [1]))[0] == 3

        body()
        without_init()
        with self.assertRaisesRegex(AssertionError, "ranks 0-2 of 3:"):
            ranks(3)(lambda: self.assertEqual(muster.init().size(), 1))()
        with self.assertRaisesRegex(AssertionError, "call muster.init\\(\\) in the function"):
            ranks(2)(parents.size)()
        assert muster.init() is parents and muster.all_gather(array.array("i", [5])).tolist() == [5]

    def test_ranks_after_init(self):
        self.in_fork(self.ranks_are_their_own)  # so that the other tests are those of a process without a world

    def test_ranks_after_init_in_a_rank(self):
        ranks(1)(self.ranks_are_their_own)()

    def test_a_helper_is_no_rank(self):
        @ranks(2)
        def body():
            world = muster.init()

            def helper():
                assert world.size() == 2  # what its parent is, it may know
                for use in (muster.init, muster.barrier, lambda: muster.barrier(group=world)):
                    expect(muster.Error, "was forked by a rank and is not a rank itself", use)

            self.in_fork(helper)
            muster.barrier()

        body()

    def test_a_helper_of_no_rank_is_alone(self):
        def parent():
            world = muster.init()

            def helper():
                assert muster.init() is not world and muster.init().size() == 1
                assert muster.all_sum(array.array("i", [3]))[0] == 3
                expect(muster.Error, "was forked", lambda: muster.barrier(group=world))

            self.in_fork(helper)
            assert muster.init() is world

        self.in_fork(parent)


class Harness(unittest.TestCase):
    """@ranks: nothing passes that has not run, or has failed."""

    def fails(self, body, words, count=2, **options):
        with self.assertRaisesRegex(AssertionError, words):
            ranks(count, **options)(body)()

    @staticmethod
    def close_all_and_open_own():
        """As a daemon does; what it opens takes the numbers."""
        os.closerange(3, 1024)
        files = [tempfile.TemporaryFile() for _ in range(40)]
        for file in files:
            file.write(b"own" * 1000)
            file.flush()
        return files

    @staticmethod
    def assert_own(files):
        for file in files:
            assert os.pread(file.fileno(), 10000, 0) == b"own" * 1000

    def parent_loses_its_descriptors(self):
        """While ranks run another thread of the test's process closes what it does not know; empty pipes take the numbers."""
        with tempfile.TemporaryDirectory() as folder:
            lost = os.path.join(folder, "lost")

            def body():
                while not os.path.exists(lost):
                    pass

            def lose():
                while not os.path.exists(f"/proc/self/task/{os.getpid()}/children") or not forked():
                    pass
                os.closerange(3, 100)
                while os.pipe()[1] < 100:
                    pass
                open(lost, "x").close()

            def forked():
                with open(f"/proc/self/task/{os.getpid()}/children") as children:
                    return len(children.read().split()) == 2

            threading.Thread(target=lose).start()
            self.fails(body, "what came of it is not known", timeout=LIMIT_S)

    def test_the_parent_loses_its_descriptors(self):
        Forks.in_fork(self, self.parent_loses_its_descriptors)

    def test_closed_descriptors(self):
        @ranks(3)
        def passes():
            world = muster.init()
            files = self.close_all_and_open_own()
            for _ in range(10):
                x = muster.empty((100000,), "int32", world)
                memoryview(x).cast("B")[:] = bytes(400000)
                muster.all_sum(x, out=x)
                del x
                half = world.split(world.rank() % 2)
                assert muster.all_sum(array.array("i", [1]), group=half)[0] == half.size()
            self.assert_own(files)

        @ranks(2)
        def fails():
            files = self.close_all_and_open_own()
            assert len(files) == 39, "these words arrive"

        @ranks(2, timeout=2)
        def hangs():
            files = self.close_all_and_open_own()
            time.sleep(60)
            self.assert_own(files)

        passes()
        with self.assertRaisesRegex(AssertionError, "(?s)ranks 0-1 of 2:.*these words arrive"):
            fails()
        with self.assertRaisesRegex(AssertionError, "2 of 2 ranks were not done after 2 s"):
            hangs()

    def test_what_it_says(self):
        def hangs():
            if muster.init().rank() == 1:
                time.sleep(100)
            muster.barrier()

        @ranks(2)
        def skips():
            raise unittest.SkipTest("no reason")

        for timeout in 1, 4, 16, 64:  # until the ranks have come so far
            with self.assertRaisesRegex(AssertionError, f"2 of 2 ranks were not done after {timeout} s") as caught:
                ranks(2, timeout=timeout)(hangs)()
            if "in hangs" in str(caught.exception):
                break
        self.assertIn("in hangs", str(caught.exception))
        with self.assertRaisesRegex(unittest.SkipTest, "no reason"):
            skips()

    def test_coroutines_are_run(self):
        async def agrees():
            await asyncio.sleep(0)
            assert muster.all_sum(array.array("i", [1]))[0] == 2

        async def fails():
            await asyncio.sleep(0)
            raise ValueError("seen")

        ranks(2)(agrees)()
        ranks(2)(lambda: agrees())()
        self.fails(fails, "seen")
        self.fails(lambda: fails(), "seen")

    def test_what_cannot_run_is_refused(self):
        def generator():
            yield

        async def async_generator():
            yield

        class Several:
            def test(self):
                raise ValueError

        for body in (generator, async_generator):
            expect(TypeError, "is a generator", lambda body=body: ranks(2)(body))
            self.fails(lambda body=body: body(), "has returned a generator")
        expect(TypeError, "is for functions", lambda: ranks(2)(Several))
        expect(TypeError, "is for functions", lambda: ranks(2)(3))
        expect(TypeError, "@ranks(4)", lambda: ranks(generator))  # without its parentheses
        expect(ValueError, "would run nothing", lambda: ranks(0))
        expect(ValueError, "1024 at most", lambda: ranks(1025))

    def test_ends_before_the_end(self):
        self.fails(lambda: os._exit(0), "(?s)ranks 0-1 of 2:\nexited with status 0 before the test was over")
        self.fails(lambda: os._exit(77), "exited with status 77 before")
        ranks(2)(lambda: sys.exit(0))()  # as at the end of a program that does well
        ranks(2)(lambda: sys.exit())()
        self.fails(lambda: sys.exit(3), "SystemExit: 3")
        self.fails(lambda: sys.exit("in words"), "SystemExit: in words")
        self.fails(lambda: os.execv("/bin/true", ["true"]), "exited with status 0 before")
        self.fails(lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by signal 9$")

    @ranks(2)
    def test_what_was_sent_before_sys_exit_arrives(self):
        if muster.init().rank() == 0:
            muster.send(array.array("i", [5]), 1)
            sys.exit(0)
        assert muster.recv_into(array.array("i", [0]), 0)[0] == 5

    def test_a_failure_is_shown_once_and_short(self):
        def body():
            assert muster.init().rank() % 2 < 2, "not so"
            raise ValueError("seen")

        async def later():
            await asyncio.sleep(0)
            raise ValueError("seen")

        for fails in body, later:
            with self.assertRaises(AssertionError) as raised:
                ranks(6)(fails)()
            lines = str(raised.exception).splitlines()
            self.assertEqual((lines[0], lines[-1]), ("ranks 0-5 of 6:", "ValueError: seen"))
            self.assertEqual([line.split(", in ")[1] for line in lines if line.startswith("  File")], [fails.__name__])

    def test_the_ranks_that_say_it(self):
        def body():
            rank = muster.init().rank()
            assert rank in (0, 4), "one" if rank % 2 else "other"

        with self.assertRaisesRegex(AssertionError, "(?s)^ranks 1, 3, 5 of 6:.*one\nrank 2 of 6:.*other$"):
            ranks(6)(body)()

    @unittest.skipUnless(importlib.util.find_spec("pytest"), "needs pytest")
    def test_outcomes_of_pytest(self):
        import pytest

        with self.assertRaisesRegex(unittest.SkipTest, "ranks 0-1 skipped: not here"):
            ranks(2)(lambda: pytest.skip("not here"))()
        with self.assertRaisesRegex(pytest.xfail.Exception, "ranks 0-1 failed as expected: known"):
            ranks(2)(lambda: pytest.xfail("known"))()
        self.fails(lambda: pytest.xfail("known") if muster.init().rank() else 1 / 0, "(?s)ZeroDivision.*rank 1 failed as expected")
        self.fails(lambda: pytest.fail("seen"), "seen")

    @unittest.skipUnless(importlib.util.find_spec("pytest"), "needs pytest")
    def test_what_pytest_shows(self):
        """The test's own lines, and none of muster's."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "test_it.py")
            with open(path, "w") as file:
                file.write("from muster.testing import ranks\n\n@ranks(3)\ndef test_it():\n    assert 1 == 2\n")
            # In CI it would repeat the whole message in its summary.
            env = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
            said = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path],
                                  stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, env=env).stdout
        self.assertIn("ranks 0-2 of 3:", said)
        self.assertEqual(said.count("Traceback"), 1, said)
        import pytest
        if tuple(map(int, pytest.__version__.split(".")[:2])) >= (7, 4):  # older ones show one frame that is to be hidden
            self.assertNotIn("testing.py", said)
            self.assertLess(len(said.splitlines()), 20, said)

    def test_a_failure_beside_a_skip(self):
        def body():
            if muster.init().rank() == 0:
                raise unittest.SkipTest("not here")
            raise ValueError("seen")

        self.fails(body, "(?s)rank 1 of 2.*seen.*rank 0 skipped: not here")

    def test_parts_that_fail(self):
        @ranks(2)
        def body(case):
            with case.subTest("a part"):
                case.assertEqual(1, 2)

        with self.assertRaisesRegex(AssertionError, "1 != 2"):
            body(self)

    def test_a_fork_of_a_rank_that_outlives_it(self):
        left, alive = os.pipe()

        def body():
            if os.fork() == 0:
                os.close(alive)
                os.read(left, 1)  # until the test is over
                os._exit(0)

        ranks(2)(body)()  # comes back, though the children hold all that the ranks had open
        os.close(alive)
        os.close(left)

    def test_a_fork_of_a_rank_that_fails(self):
        def body():
            if os.fork() == 0:
                raise ValueError("in a child")
            os.wait()

        self.fails(body, "in a child")

    @ranks(2)
    def test_what_was_sent_arrives(self):
        if muster.init().rank() == 0:
            muster.send(array.array("i", [os.getpid()]), 1)
            muster.send(array.array("i", [7]), 1)
            return
        other = muster.recv_into(array.array("i", [0]), 0)[0]
        try:
            select.select([os.pidfd_open(other)], [], [])
        except ProcessLookupError:
            pass  # it has ended before
        assert muster.recv_into(array.array("i", [0]), 0)[0] == 7


class Operations(unittest.TestCase):
    """Operations by name, and the dtypes of structures and of 8-bit floats."""

    @ranks(2)
    def test_without_numpy(self):
        rank = muster.init().rank()
        assert muster.all_reduce(array.array("d", [rank]), op="avg")[0] == 0.5
        assert muster.all_reduce(array.array("i", [4 | rank]), op="bxor")[0] == 1
        assert muster.all_reduce(array.array("B", [0x38]), dtype="float8_e4m3")[0] == 0x40  # 1 + 1
        assert muster.all_reduce(array.array("B", [0x3c]), dtype="float8_e5m2")[0] == 0x40
        expect(ValueError, "avg does not work with int32, but with floats",
               lambda: muster.all_reduce(array.array("i", [1]), op="avg"))
        expect(ValueError, "expected 'sum', 'prod'", lambda: muster.all_reduce(array.array("i", [1]), op="mean"))

    @unittest.skipUnless(numpy, "needs numpy")
    def test_with_numpy(self):
        @ranks(2)
        def body():
            rank = muster.init().rank()
            pairs = numpy.zeros(2, dtype=[("value", "f4"), ("index", "i4")])
            pairs["value"], pairs["index"] = [rank, 5], [7 + rank, 3 - rank]
            most = muster.all_reduce(pairs, op="maxloc")
            assert most.dtype == pairs.dtype and most.tolist() == [(1, 8), (5, 2)], most
            wide = numpy.array([(-rank, rank)], dtype=[("x", "i8"), ("y", "i8")])
            assert muster.all_reduce(wide, op="minloc").tolist() == [(-1, 1)]
            assert muster.all_sum(numpy.array([1 + 1j * rank])).tolist() == [2 + 1j]
            odd = numpy.zeros(1, dtype=[("x", "i4"), ("y", "i8")])
            expect(ValueError, "a structure of a value and an index", lambda: muster.all_reduce(odd, op="maxloc"))
            expect(ValueError, "sum does not work with float32_int32", lambda: muster.all_sum(pairs))

        body()


if __name__ == "__main__":
    unittest.main()
