"""What muster logs arrives at Python's logger "muster": from calls, threads and waits; and MUSTER_LOG sends it to stderr."""

import logging
import os
import signal
import subprocess
import sys
import threading
import unittest

import muster
from helpers import LIMIT_S, expect, ints
from muster.testing import ranks


class Kept(logging.Handler):
    """Keeps what it is given."""

    def __init__(self, level):
        super().__init__()
        self.records, self.seen = [], threading.Condition()
        logger = logging.getLogger("muster")
        logger.addHandler(self)
        logger.setLevel(level)

    def emit(self, record):
        with self.seen:
            self.records.append(record)
            self.seen.notify_all()

    def texts(self):
        return [record.getMessage() for record in self.records]


class Log(unittest.TestCase):
    @ranks(2)
    def test_levels(self):
        kept = Kept(logging.DEBUG)
        world = muster.init()
        rank = world.rank()
        half = world.dup()
        muster.all_sum(ints(1, 2, 3), group=half)
        told = "\n".join(kept.texts())
        for text in "has attached", "of a new group of 2", "all_sum":
            assert f"rank {rank}: " in told and text in told, told
        assert {record.rank for record in kept.records} == {rank}
        assert {record.levelno for record in kept.records} == {logging.DEBUG, logging.INFO}
        assert all(record.name == "muster" for record in kept.records)

    @ranks(2)
    def test_what_goes_wrong_is_a_warning(self):
        kept = Kept(logging.NOTSET)  # so the root's level, WARNING, counts
        world = muster.init()
        copy = world.dup()
        if world.rank() == 0:
            copy.abort("enough")
        expect(muster.AbortedError, "enough", lambda: muster.barrier(group=copy))
        muster.barrier()
        told = [(record.levelno, record.getMessage()) for record in kept.records]
        assert told and all(level == logging.WARNING and "a group of 2 is broken" in text for level, text in told), told

    @ranks(1)
    def test_another_threads_calls(self):
        kept = Kept(logging.DEBUG)
        muster.init()
        copies = []
        thread = threading.Thread(target=lambda: copies.append(muster.init().dup()))
        thread.start()
        thread.join()
        with kept.seen:
            assert kept.seen.wait_for(lambda: any("new group" in text for text in kept.texts()), 60)

    def test_while_a_rank_waits(self):
        """Rank 1 comes only when the handler of rank 0, which waits, has been told of the call."""
        left, right = os.pipe()

        @ranks(2)
        def body():
            if os.environ["MUSTER_RANK"] == "0":
                kept = Kept(logging.DEBUG)
                muster.init()
                kept.emit = lambda record: "barrier" in record.getMessage() and os.write(right, b"x")
                muster.barrier()
            else:
                muster.init()
                os.read(left, 1)
                muster.barrier()

        body()
        os.close(left)
        os.close(right)

    @ranks(1)
    def test_a_handler_that_fails(self):
        logger, told = logging.getLogger("muster"), []

        class Failing(logging.Handler):
            def emit(self, record):
                raise KeyError("in the handler")

        sys.unraisablehook = lambda hook: told.append(hook.exc_value)
        logger.addHandler(Failing())
        logger.setLevel(logging.INFO)
        muster.init().dup()
        assert told and all(isinstance(error, KeyError) for error in told)

    def test_ctrl_c_while_a_handler_runs(self):
        """A wait ends, as if it had come a moment later."""
        left, right = os.pipe()

        @ranks(2)
        def body():
            if os.environ["MUSTER_RANK"] == "1":
                muster.init()
                os.read(left, 1)  # until rank 0 is through
                return
            kept = Kept(logging.DEBUG)
            muster.init()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            kept.emit = lambda record: "barrier" in record.getMessage() and signal.raise_signal(signal.SIGINT)
            expect(KeyboardInterrupt, "", muster.barrier)
            os.write(right, b"x")

        body()
        os.close(left)
        os.close(right)

    @ranks(1)
    def test_a_handler_that_ends_the_program(self):
        kept = Kept(logging.DEBUG)
        muster.init()

        def emit(record):
            kept.emit = lambda record: None
            raise SystemExit("enough")

        def call():
            muster.init().dup()
            for _ in range(1000):
                pass

        kept.emit = emit
        expect(SystemExit, "enough", call)

    @ranks(1)
    def test_after_more_than_is_kept(self):
        """A main thread that is long away loses lines, and no later ones."""
        kept = Kept(logging.INFO)
        world = muster.init()

        gate = threading.Lock()
        gate.acquire()

        def say_much():
            gate.acquire()
            for _ in range(10100):
                with world.dup():  # two lines
                    pass

        thread = threading.Thread(target=say_much)
        thread.start()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(60)  # nobody takes the lock of Python from us before we sleep in join
        gate.release()
        thread.join()
        sys.setswitchinterval(interval)
        lost = 20200 - len(kept.records)
        kept.records.clear()
        world.dup()
        with kept.seen:
            assert kept.seen.wait_for(lambda: len(kept.records) == 2, 60) and lost > 0, (lost, kept.texts())

    def said(self, program, **variables):
        own = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        return subprocess.run([sys.executable, "-c", program], env=own | variables, timeout=LIMIT_S,
                              stderr=subprocess.PIPE, text=True).stderr

    def test_where_it_goes(self):
        ends = """
copy = muster.init().dup()
copy.abort('enough')
try:
    muster.barrier(group=copy)
except muster.AbortedError:
    pass"""
        debug = "import muster, logging; logging.basicConfig(level=logging.DEBUG)" + ends
        self.assertIn("DEBUG:muster:rank 0: waits for all 1 ranks to attach", self.said(debug))
        self.assertRegex(self.said(debug, MUSTER_LOG="info"), "(?s)^muster: rank 0: info: (?!.*muster:rank)")
        for begins in ("import muster, logging; logging.basicConfig()",
                       "import muster; muster.init(); import logging; logging.basicConfig()"):
            self.assertRegex(self.said(begins + ends), "^WARNING:muster:rank 0: a group of 1 is broken: .*enough\n$")
        self.assertEqual(self.said("import muster" + ends), "")  # nobody asked

    def test_what_is_attached_to_by_hand(self):
        program = f"import muster; muster.attach('/python-log-{os.getpid()}', 0, 1).dup()"
        self.assertIn("muster: rank 0: info: is rank 0 of a new group", self.said(program, MUSTER_LOG="info"))
        self.assertEqual(self.said(program), "")

    def test_the_first_init_does_not_say_where_all_logs_go(self):
        """One that has failed, here."""
        program = """
import muster
try:
    muster.init(strict=True)
except RuntimeError:
    muster.init({}).dup()"""
        for level in "info", "debug":
            self.assertIn("muster: rank 0: info: is rank 0 of a new group", self.said(program.format(f"log={level!r}")))
        self.assertEqual(self.said(program.format("")), "")
        self.assertIn("MUSTER_LOG is \"loud\"", self.said(program.format("log='loud'")))


if __name__ == "__main__":
    unittest.main()
