"""Started operations of the Python module: Requests, in any order, from threads, dropped, and of ranks that die."""

import array
import gc
import os
import signal
import sys
import threading
import unittest
import warnings
import weakref

import muster
from helpers import expect, ints, np
from muster.testing import ranks


SIZES = (1, 2, 3)


def in_sizes(body):
    """A test that runs in each of the sizes, with the world."""

    def run(self):
        for size in SIZES:
            ranks(size)(lambda: body(muster.init()))()

    run.__doc__ = body.__doc__
    return run


def both(name, *args, **keywords):
    """The results of the blocking and of the started form, as lists."""
    results = []
    for call in getattr(muster, name), lambda *args, **keywords: getattr(muster, name + "_start")(*args, **keywords).wait():
        result = call(*args, **keywords)
        results.append(None if result is None else list(result))
    return results


def interrupt(wait, request):
    """Interrupts this process until the wait has ended by it."""
    waits, done = False, threading.Event()

    def handle(*_):
        nonlocal waits
        if waits:
            waits = False
            raise KeyboardInterrupt

    def strike():
        while not done.wait(0.02):
            os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, handle)
    thread = threading.Thread(target=strike)
    thread.start()
    while not request.done:
        waits = True
        expect(KeyboardInterrupt, "", lambda: wait(request))
    done.set()
    thread.join()


class Forms(unittest.TestCase):
    @in_sizes
    def test_every_collective(world):
        """A started form gives what the blocking form gives."""
        rank, size = world.rank(), world.size()
        x, blocks = ints(rank, 7), ints(*range(10 * rank, 10 * rank + size))
        counts = [r + 1 for r in range(size)]
        for name, args, keywords in (
                ("all_sum", (x,), {}), ("all_max", (x,), {}), ("all_min", (x,), {}),
                ("all_reduce", (x,), {"op": "bxor"}), ("all_gather", (x,), {}), ("sum_scatter", (blocks,), {}),
                ("reduce_scatter", (blocks,), {"op": "max"}), ("all_to_all", (blocks,), {}), ("scan", (x,), {"op": "prod"}),
                ("exscan", (x,), {}), ("broadcast", (x, size - 1), {}), ("reduce", (x,), {"root": size - 1, "op": "max"}),
                ("gather", (x, size - 1), {}), ("scatter", (blocks if rank == 0 else None, 0), {"out": ints(0)}),
                ("all_gatherv", (ints(*[rank] * (rank + 1)), counts), {}),
                ("gatherv", (ints(*[rank] * (rank + 1)), counts, size - 1), {}),
                ("scatterv", (ints(*range(sum(counts))) if rank == 0 else None, counts), {"out": ints(*[0] * (rank + 1))}),
                ("all_to_allv", (ints(*range(sum(counts))), counts, [rank + 1] * size), {}),
                ("reduce_scatterv", (ints(*range(sum(counts))), counts), {"op": "max"})):
            blocking, started = both(name, *args, **keywords)
            assert blocking == started, (name, blocking, started)
        assert muster.barrier() is muster.barrier_start().wait() is None

    @in_sizes
    def test_what_a_request_is(world):
        x = ints(1)
        request = muster.all_sum_start(x, out=x)
        assert request.wait() is x and request.wait() is x and x[0] == world.size()
        assert request.done and request.test() and not request.cancel() and request.message is None
        assert repr(request) == "<muster.Request of all_sum_start: over>"
        expect(TypeError, "", muster.Request)
        for wrong in (0, -1, float("nan"), "1"):
            expect((ValueError, TypeError), "", lambda: request.wait(wrong))
        expect(ValueError, "expected more than 0, or None", lambda: muster.wait_any([request], 0))
        expect(TypeError, "item 1: expected a muster.Request, not 3", lambda: muster.wait_all([request, 3]))
        expect(TypeError, "", lambda: muster.wait_all(3))
        assert muster.wait_all([]) == [] and muster.wait_any([]) is None

    @ranks(3)
    def test_errors_are_those_of_the_blocking_forms(self):
        muster.init()
        x = ints(1, 2, 3, 4)
        for name, args, keywords, error, text in (
                ("all_sum", ([1],), {}, ValueError, "Invalid type list"),
                ("all_sum", (x,), {"axis": 0}, TypeError, "unexpected keyword argument 'axis'"),
                ("all_sum", (x,), {"group": 3}, TypeError, "muster.Group"),
                ("all_sum", (x,), {"out": ints(1)}, ValueError, "out has 1 elements of int32; expected 4 of int32"),
                ("all_reduce", (x,), {"op": "xor"}, ValueError, "'xor' is none"),
                ("all_reduce", (array.array("f", [1]),), {"op": "band"}, ValueError, "band does not work with float32"),
                ("all_to_all", (x,), {}, ValueError, "4 elements cannot be split evenly among 3 ranks"),
                ("broadcast", (x, 3), {}, ValueError, "Invalid root=3 for a group of size 3"),
                ("send", (x, 3), {}, ValueError, "Invalid destination=3 for a group of size 3"),
                ("recv_into", (x, -1), {}, ValueError, "Invalid source=-1 for a group of size 3"),
                ("recv_into", (bytes(3), 0), {}, (BufferError, TypeError), "")):
            for form in getattr(muster, name), getattr(muster, name + "_start"):
                expect(error, text, lambda: form(*args, **keywords))
        expect(ValueError, "a started form needs counts", lambda: muster.all_gatherv_start(x, None))
        expect(ValueError, "a started form needs out_counts", lambda: muster.all_to_allv_start(x, [4, 0, 0], None))
        muster.barrier()


class Several(unittest.TestCase):
    @in_sizes
    def test_a_thousand_in_any_order(world):
        """Started in one order, waited for in others, one by one and together, with messages among them."""
        rank, size = world.rank(), world.size()
        requests = [muster.all_sum_start(ints(i)) for i in range(1000)]
        for i in range(999, -1, -3):
            assert requests[i].wait()[0] == size * i
        assert [x[0] for x in muster.wait_all(requests)] == [size * i for i in range(1000)]
        if size == 1:
            return
        right, left = (rank + 1) % size, (rank - 1) % size
        sends = [muster.send_start(ints(i), right, i) for i in range(1000)]
        receives = [muster.recv_into_start(ints(0), left, i) for i in range(999, -1, -1)]
        taken = set()
        while (i := muster.wait_any(receives)) is not None:
            assert receives[i].wait()[0] == 999 - i and i not in taken
            taken.add(i)
        assert len(taken) == 1000
        muster.wait_all(sends)

    @in_sizes
    def test_wait_any_tells_each_once(world):
        requests = [muster.all_sum_start(ints(i)) for i in range(5)]
        while not requests[3].test():
            pass
        assert requests[1].wait()[0] == world.size()
        seen = []
        while (i := muster.wait_any(requests, 60)) is not None:
            seen.append(i)
        assert sorted(seen) == [0, 2, 4]

    @ranks(2)
    def test_of_several_groups_and_twice(self):
        world = muster.init()
        copy = world.dup()
        a, b = muster.all_sum_start(ints(1)), muster.all_sum_start(ints(2), group=copy)
        assert [list(x) for x in muster.wait_all((b, a, b))] == [[4], [2], [4]]
        request = muster.barrier_start()
        assert muster.wait_any([request, request]) == 0

    @ranks(2)
    def test_arrays_are_kept(self):
        """What was given is there until the operation is over, in or out of the arena."""
        if np is None:
            return
        rank = muster.init().rank()
        for make in np.empty, muster.empty:
            x = make((1 << 18,), "float32")
            x[:] = rank + 1
            gone = weakref.ref(x)
            request = muster.all_sum_start(x)
            del x
            assert gone() is not None or make is muster.empty  # there it is a view of what is kept
            assert (request.wait() == 3).all()
            gc.collect()
            assert gone() is None

    @ranks(2)
    def test_an_array_that_is_in_use_cannot_grow(self):
        rank = muster.init().rank()
        data = bytearray(4)
        request = muster.recv_into_start(data, 1 - rank)
        expect(BufferError, "", lambda: data.append(1))
        muster.send(b"1234", 1 - rank)
        assert request.wait() is data
        data.append(1)


class Dropped(unittest.TestCase):
    @ranks(2)
    def test_a_dropped_request_warns_and_keeps_its_arrays(self):
        rank = muster.init().rank()
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            for i in range(100):
                muster.all_gather_start(bytes([rank + 1]) * (1 << 15), out=bytearray(1 << 16))
        assert len(seen) == 100 and issubclass(seen[0].category, RuntimeWarning)
        assert "a pending Request of all_gather_start was dropped: its arrays stay" in str(seen[0].message), seen[0]
        others = [bytearray(1 << 16) for _ in range(100)]  # where theirs would be, had it been freed
        muster.barrier()
        muster.barrier()
        assert not any(map(any, others))

    @ranks(2)
    def test_a_dropped_receive_is_taken_back(self):
        """Nobody holds its group then, and the message is the next receive's."""
        rank = muster.init().rank()
        copy = muster.init().dup()
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            data = bytearray(4)
            muster.recv_into_start(data, 1 - rank, 3, group=copy)
        assert "recv_into_start was dropped: it is taken back" in str(seen[0].message), seen[0].message
        data.append(1)  # nothing writes there any more
        muster.barrier(group=copy)
        muster.send(b"1234", 1 - rank, 3, group=copy)
        assert bytes(muster.recv_into(bytearray(4), 1 - rank, 3, group=copy)) == b"1234" and data == bytes(4) + b"\1"
        copy._leave()

    @ranks(2)
    def test_a_dropped_receive_that_has_its_message_is_over(self):
        rank = muster.init().rank()
        copy = muster.init().dup()
        data = bytearray(4)
        request = muster.recv_into_start(data, 1 - rank, 3, group=copy)
        muster.send(b"1234", 1 - rank, 3, group=copy)
        while not data[0]:
            muster.iprobe(1 - rank, 4, group=copy)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            del request
        muster.barrier(group=copy)
        assert data == b"1234"
        data.append(1)
        copy._leave()

    @ranks(2)
    def test_a_group_with_dropped_operations_says_what_ends_them(self):
        copy = muster.init().dup()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if muster.init().rank() == 0:
                muster.all_sum_start(ints(2), group=copy)
                expect(muster.Error, "the Request of 1 was dropped", copy._leave)
        muster.barrier()
        if muster.init().rank() == 1:
            muster.all_sum_start(ints(2), group=copy).wait()
        muster.barrier(group=copy)
        muster.barrier(group=copy)
        copy._leave()

    @ranks(2)
    def test_those_that_are_over_or_canceled_do_not_warn(self):
        rank = muster.init().rank()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            muster.all_sum_start(ints(1)).wait()
            request = muster.recv_into_start(ints(5), 1 - rank, 7)
            assert not request.test() and not request.done and request.cancel() and request.wait() is None
            assert request.done and not request.cancel()
            del request
            request = muster.barrier_start()
            assert not request.cancel() or request.done
            request.wait()

    @ranks(2)
    def test_a_group_lives_as_long_as_its_operations(self):
        copy = muster.init().dup()
        x = ints(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            muster.all_sum_start(x, out=x, group=copy)
            del copy
            for _ in range(10):  # all have started it after the first, and go on with it in the second
                muster.barrier()
        assert x[0] == 4

    @ranks(2)
    def test_a_warning_that_is_an_error(self):
        rank = muster.init().rank()
        said = []
        sys.unraisablehook = said.append
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            muster.recv_into_start(ints(0), 1 - rank)
        assert len(said) == 1 and said[0].exc_type is RuntimeWarning
        muster.barrier()

    @ranks(2)
    def test_a_forked_child_lets_go(self):
        """It has neither the operations of its parent nor a word to say about them."""
        rank = muster.init().rank()
        request = muster.recv_into_start(ints(0), 1 - rank)
        pid = os.fork()
        if pid == 0:
            said = []
            sys.unraisablehook = said.append
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    request.wait()
                except muster.Error as error:
                    said += [] if "forked" in str(error) else [error]
                else:
                    said.append("it waited")
                del request
                gc.collect()
            os._exit(bool(said))
        assert os.waitpid(pid, 0)[1] == 0
        muster.send(ints(rank), 1 - rank)
        assert request.wait()[0] == 1 - rank

    @ranks(2)
    def test_requests_in_cycles_are_collected(self):
        muster.init()
        gone = []
        for _ in range(3):
            kept = [muster.all_sum_start(ints(1))]
            kept.append(kept)
            kept[0].wait()
            gone.append(weakref.ref(kept[0].wait()))
        del kept
        gc.collect()
        assert all(ref() is None for ref in gone)


class Faults(unittest.TestCase):
    def test_a_rank_dies_while_requests_are_pending(self):
        @ranks(3)
        def body():
            rank = muster.init().rank()
            copy = muster.init().dup()
            first = muster.all_sum_start(ints(1))
            first.wait()
            if rank != 1:
                requests = [muster.all_sum_start(ints(i)) for i in range(5)]
                requests += [muster.recv_into_start(ints(0), 1), muster.send_start(ints(0), 1 if rank else 2)]
            muster.barrier(group=copy)
            if rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            for call in (requests[2].wait, requests[2].wait, requests[2].test, lambda: muster.wait_any(requests),
                         lambda: muster.wait_all(requests), lambda: muster.all_sum_start(ints(1))):
                error = expect(muster.PeerDiedError, "rank 1 was killed by signal 9", call)
                assert (error.rank, error.signal, error.status) == (1, signal.SIGKILL, "peer died")
            assert first.wait()[0] == 3
            assert all(request.done for request in requests[:6]) and repr(requests[2]).endswith("failed>")
            rest = muster.init().shrink()
            assert muster.all_sum_start(ints(1), group=rest).wait()[0] == 2

        with self.assertRaisesRegex(AssertionError, "(?s)^rank 1 of 3:\n.*killed by signal 9$"):
            body()

    @ranks(2)
    def test_one_of_two_groups_breaks(self):
        """What has failed has its error, and what has not has its result."""
        world = muster.init()
        copy = world.dup()
        well = [muster.all_sum_start(ints(i)) for i in range(3)]
        bad = [muster.recv_into_start(ints(0), 1 - world.rank(), group=copy),
               muster.all_sum_start(ints(*[0] * (1 + world.rank())), group=copy)]
        error = expect(muster.MismatchError, "rank 0 called all_sum", lambda: muster.wait_all(bad + well))
        assert (error.rank, error.status) == (1 - world.rank(), "ranks disagree")
        for request in bad:
            expect(muster.MismatchError, "rank 0 called all_sum", request.wait)
        assert [x[0] for x in muster.wait_all(well)] == [0, 2, 4]

    @ranks(2)
    def test_a_deadline_of_one_wait(self):
        rank = muster.init().rank()
        copy = muster.init().dup()
        request = muster.recv_into_start(ints(0), 1 - rank, group=copy)
        muster.barrier()  # a limit that is over breaks the group: nobody starts after it
        error = expect(muster.TimedOutError, "", lambda: request.wait(0.01))
        assert (error.deadline, error.status) == (0.01, "timed out")
        expect(muster.TimedOutError, "", lambda: request.wait())
        muster.barrier()

    @ranks(2)
    def test_canceled_in_a_broken_group(self):
        """It is over then, with what has broken the group."""
        rank = muster.init().rank()
        copy = muster.init().dup()
        request = muster.recv_into_start(ints(0), 1 - rank, group=copy)
        muster.barrier()
        if rank == 0:
            copy.abort("enough")
        muster.barrier()
        for call in request.cancel, request.wait, request.test:
            error = expect(muster.AbortedError, "enough", call)
            assert (error.rank, error.status) == (0, "aborted")
        assert request.done and not request.cancel()

    @ranks(2)
    def test_interrupted_while_waiting(self):
        rank = muster.init().rank()
        for wait in (lambda request: request.wait(), lambda request: muster.wait_all([request]),
                     lambda request: muster.wait_any([request])):
            copy = muster.init().dup()
            request = muster.recv_into_start(ints(0), 1 - rank, group=copy)
            muster.barrier()  # the interrupted rank breaks the copy: nobody begins anything in it after that
            if rank == 0:
                interrupt(wait, request)
            error = expect(muster.AbortedError, "rank 0 was interrupted", request.wait)
            assert error.rank == 0
            muster.barrier()

    @in_sizes
    def test_threads_with_groups_of_their_own(world):
        failures = []

        def work(group, number):
            try:
                for i in range(50):
                    requests = [muster.all_sum_start(ints(i + j, number), group=group) for j in range(5)]
                    assert [x[0] for x in muster.wait_all(requests)] == [world.size() * (i + j) for j in range(5)]
                    assert requests[0].wait()[1] == world.size() * number
            except BaseException as error:
                failures.append(error)

        groups = [world.dup() for _ in range(4)]
        threads = [threading.Thread(target=work, args=(group, number)) for number, group in enumerate(groups)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures

    @ranks(2)
    def test_threads_in_messages_of_one_group(self):
        os.environ["MUSTER_THREADS_MULTIPLE"] = "1"
        rank, failures = muster.init().rank(), []

        def work(tag):
            try:
                for i in range(50):
                    receives = [muster.recv_into_start(ints(0), 1 - rank, tag) for _ in range(3)]
                    sends = [muster.send_start(ints(100 * i + j), 1 - rank, tag) for j in range(3)]
                    assert [x[0] for x in muster.wait_all(receives)] == [100 * i + j for j in range(3)]
                    muster.wait_all(sends)
                    assert muster.sendrecv(ints(i), 1 - rank, 1 - rank, tag, tag)[0] == i
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(tag,)) for tag in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures

    @ranks(2)
    def test_two_threads_at_one_request(self):
        """One waits, the other is told so, and the lock is not held while waiting."""
        rank = muster.init().rank()
        request = muster.recv_into_start(ints(0), 1 - rank)
        done = threading.Event()

        def wait():
            while not done.is_set():
                try:
                    request.wait()
                    done.set()
                except muster.Error as error:  # the other one tests it just now
                    assert "waits for this Request" in str(error), error

        thread = threading.Thread(target=wait)
        thread.start()
        while not done.is_set():
            try:
                assert not request.test()
            except muster.Error as error:
                assert "waits for this Request" in str(error), error
                break
        muster.barrier()
        muster.send(ints(4 + rank), 1 - rank)
        thread.join()
        assert request.wait()[0] == 5 - rank and done.is_set()


if __name__ == "__main__":
    unittest.main()
