"""Operations of the program's own, in the Python module; and arrays that are masked or not in C order."""

import array
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import unittest
import warnings

import muster
from helpers import LIMIT_S, expect, ints, needs_numpy, np
from muster.testing import ranks


def first(a, b):
    """Not commutative: rank 0's."""


def last(a, b):
    return b


class WithoutNumpy(unittest.TestCase):
    def test_made_and_used(self):
        for size in 1, 2, 3:
            @ranks(size)
            def body():
                rank, out = muster.init().rank(), ints(0, 0)
                ops = muster.Op.create(first), muster.Op.create(last), muster.Op.create(
                    lambda a, b: [x * 10 + y for x, y in zip(a, b)], "digits")
                for start in False, True:
                    got = []
                    for op in ops:
                        call = muster.all_reduce_start if start else muster.all_reduce
                        result = call(ints(rank, 1), op=op, out=out)
                        got.append((result.wait() if start else result).tolist())
                    digits = [int("".join(map(str, range(size)))), int("1" * size)]
                    assert got == [[0, 1], [size - 1, 1], digits], got
                assert muster.scan(ints(rank), op=ops[2], out=ints(0))[0] == int("".join(map(str, range(rank + 1))))
                reduced = muster.reduce(ints(rank), size - 1, op=ops[1], out=ints(0))
                assert reduced is None if rank < size - 1 else reduced[0] == size - 1
                assert muster.reduce_scatter(ints(*range(size)), op=ops[0], out=ints(0))[0] == rank
                assert muster.reduce_scatterv(ints(*range(size)), [1] * size, op=ops[1])[0] == rank

            body()

    @ranks(2)
    def test_what_an_op_is(self):
        op = muster.Op.create(last, commutative=True)
        assert repr(op) == "<muster.Op last>" and op.commutative
        assert repr(muster.Op.create(lambda a, b: b)) == "<muster.Op <lambda>>"
        assert repr(muster.Op.create(self.test_what_an_op_is)) == "<muster.Op test_what_an_op>"
        expect(TypeError, "made by Op.create", muster.Op)
        expect(TypeError, "a function of two arrays, not 3", lambda: muster.Op.create(3))
        for name in "", "x" * 16, "a\nb":
            expect(ValueError, "of an operation has", lambda: muster.Op.create(last, name))
        expect(ValueError, "or a muster.Op", lambda: muster.all_reduce(ints(1), op=last))
        muster.init()
        names = muster.Op.create(last, ["one", "other"][muster.init().rank()])
        expect(muster.MismatchError, "one", lambda: muster.all_reduce(ints(1), op=names, group=muster.init().dup()))

    def test_what_a_function_raises(self):
        """It is the exception of the call on that rank; whoever has a result has the right one; and the group is broken."""
        for size in 1, 2, 3:
            @ranks(size)
            def body():
                world = muster.init()
                for count in 2, 50000:
                    for start in False, True:
                        for failing in range(size):
                            self.fail_in(world, count, start, {failing})
                        self.fail_in(world, count, start, set(range(size)))
                assert muster.all_reduce(ints(world.rank()), op="max")[0] == size - 1

            body()

    @staticmethod
    def fail_in(world, count, start, failing):
        rank, size, group, raised = world.rank(), world.size(), world.dup(), False

        def fail(a, b):
            nonlocal raised
            if rank in failing:
                raised = True
                raise LookupError("not there")
            return b

        def reduce():
            if start:
                return muster.all_reduce_start(x, op=op, group=group, out=out).wait()
            return muster.all_reduce(x, op=op, group=group, out=out)

        op, x, out = muster.Op.create(fail), ints(rank) * count, ints(-1) * count
        try:
            assert reduce() == ints(size - 1) * count
            assert not raised and (size == 1 or len(failing) < size)
        except LookupError as error:
            assert raised and error.args == ("not there",) and error.__traceback__.tb_next is not None
        except muster.AbortedError as error:
            assert not raised and error.rank in failing
            assert "the operation 'fail' raised LookupError('not there')" in str(error), error
        if raised:
            expect(muster.AbortedError, "the operation 'fail' raised", lambda: muster.barrier(group=group))
        muster.barrier()

    @ranks(2)
    def test_a_failed_request_fails_again(self):
        rank, group = muster.init().rank(), muster.init().dup()

        def fail(a, b):
            if rank == 1:
                raise LookupError("not there")
            return b

        requests = [muster.recv_into_start(ints(0), 1 - rank, group=group),
                    muster.all_reduce_start(ints(1), op=muster.Op.create(fail), group=group)]
        if rank == 1:
            for call in lambda: muster.wait_all(requests), requests[1].wait, requests[1].test:
                expect(LookupError, "not there", call)
            expect(muster.AbortedError, "not there", requests[0].wait)
        expect(muster.AbortedError, "not there", lambda: [muster.barrier(group=group) for _ in range(2)])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            expect((muster.AbortedError, LookupError), "not there", lambda: muster.wait_all(requests))
            del requests
        muster.barrier()

    @ranks(2)
    def test_it_must_not_call_muster(self):
        world = muster.init()
        for call in (lambda: muster.barrier(), lambda: muster.all_sum_start(ints(1)), lambda: world.dup(),
                     lambda: muster.probe(), lambda: request.wait(), lambda: request.test(),
                     lambda: muster.wait_all([request])):
            group = world.dup()
            request = muster.recv_into_start(ints(0), 1 - world.rank(), 9)
            op = muster.Op.create(lambda a, b: call())
            expect((muster.Error, muster.AbortedError), "has called muster", lambda: (
                muster.all_reduce(ints(1), op=op, group=group), muster.barrier(group=group)))
            muster.send(ints(1), 1 - world.rank(), 9)
            request.wait()

    @ranks(2)
    def test_what_it_drops_goes_later(self):
        """A function may be where the last reference to a group, or to a Request, goes."""
        world = muster.init()
        rank = world.rank()
        kept = []

        def forget(a, b):
            kept.clear()
            gc.collect()
            return b

        op = muster.Op.create(forget)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(10):
                copy = world.dup()
                kept += [muster.recv_into_start(ints(0), 1 - rank, 3), copy, muster.barrier_start(group=copy),
                         muster.Queue(4, 8), muster.Share(10), muster.empty(100)]
                del copy
                request = muster.all_reduce_start(ints(rank), op=op)
                assert request.wait()[0] == 1
                muster.send(ints(5), 1 - rank, 3)
                muster.barrier()
        muster.barrier()

    @ranks(3)
    def test_threads_that_combine_at_once(self):
        """The interpreter's lock is taken in the function while others that have it start and test operations."""
        world, failures = muster.init(), []

        def work(group):
            try:
                op = muster.Op.create(lambda a, b: [x + y for x, y in zip(a, b)], "plus")
                for i in range(20):
                    requests = [muster.all_reduce_start(ints(*[i] * 200), op=op, group=group) for _ in range(3)]
                    while not requests[1].test():
                        pass
                    assert all(list(x) == [3 * i] * 200 for x in muster.wait_all(requests))
                    assert list(muster.all_reduce(ints(i), op=op, group=group)) == [3 * i]
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(world.dup(),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures

    @ranks(2)
    def test_on_the_progress_thread(self):
        """The function is called on a thread that Python has not made."""
        os.environ["MUSTER_PROGRESS_THREAD"] = "1"
        muster.init()
        op, threads = muster.Op.create(lambda a, b: threads.add(threading.get_ident()) or b, "last"), set()
        rank = muster.init().rank()
        for i in range(100):
            requests = [muster.all_reduce_start(ints(10 * i + j + rank), op=op) for j in range(3)]
            sum(range(10000))  # it computes
            assert [x[0] for x in muster.wait_all(requests)] == [10 * i + j + 1 for j in range(3)]
        muster.barrier()

    def test_a_program_that_ends_before_its_operation(self):
        program = """if True:
            import array, muster
            op = muster.Op.create(lambda a, b: b)
            another = muster.init().dup()  # freed as the module is taken down
            kept = muster.all_reduce_start(array.array("i", [1]), op=op)
            if muster.init().rank() == 0:
                kept.wait()"""
        name = f"/muster-python-{os.getpid()}-ends"
        own = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        processes = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", program], stderr=subprocess.PIPE, env=own | {
            "MUSTER_ARENA": name, "MUSTER_SIZE": "2", "MUSTER_RANK": str(rank), "MUSTER_PROGRESS_THREAD": "1"})
            for rank in range(2)]
        for rank, process in enumerate(processes):
            said = process.communicate(timeout=LIMIT_S)[1]
            assert process.returncode == 0 or (rank == 0 and b"Error: rank 1 " in said), said

    @ranks(2)
    def test_shares_and_queues_are_not_for_functions(self):
        share, queue, group = muster.Share(8), muster.Queue(4, 8), muster.init().dup()

        def use(call):
            def function(a, b):
                call()
            other = group.dup()
            expect(muster.Error, "has called muster",
                   lambda: muster.all_reduce(ints(1), op=muster.Op.create(function), group=other))

        for call in share.free, share.sync, queue.free, group.dup:
            use(call)
        muster.barrier()
        share.free()
        queue.free()

    @ranks(2)
    def test_what_it_raises_for_nobody(self):
        """Of an operation whose Request was dropped it is said on standard error."""
        rank, group, said = muster.init().rank(), muster.init().dup(), []
        sys.unraisablehook = said.append

        def fail(a, b):
            if rank == 0:
                raise LookupError("unheard")
            return b

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            muster.all_reduce_start(ints(1), op=muster.Op.create(fail), group=group)
        expect(muster.AbortedError, "unheard", lambda: [muster.barrier(group=group) for _ in range(1000)])
        muster.iprobe()
        assert [what.exc_type for what in said] == [LookupError] * (rank == 0)
        muster.barrier()

    def test_premultiplied_sums(self):
        for size in 1, 2, 3:
            @ranks(size)
            def body():
                rank = muster.init().rank()
                for dtype, code in (("float32", "f"), ("float64", "d"), ("int32", "i"), ("uint8", "B")):
                    op = muster.Op.premul_sum(rank + 2, dtype)
                    x = array.array(code, [1, 2])
                    total = sum(r + 2 for r in range(size))
                    assert muster.all_reduce(x, op=op, out=array.array(code, [0, 0])).tolist() == [total, 2 * total]
                    assert muster.all_reduce_start(x, op=op, out=x).wait().tolist() == [total, 2 * total]
                half = muster.Op.premul_sum(0.5, "bfloat16")
                twos, out = array.array("H", [0x4000] * 2), array.array("H", [0, 0])
                got = muster.all_reduce(twos, op=half, dtype="bfloat16", out=out)
                assert got.tolist() == [{1: 0x3f80, 2: 0x4000, 3: 0x4040}[size]] * 2
                same = muster.Op.premul_sum(b"\x38", "float8_e4m3")  # 1
                assert muster.all_reduce(bytes([0x38]), op=same, dtype="float8_e4m3", out=bytearray(1))[0] == {
                    1: 0x38, 2: 0x40, 3: 0x44}[size]

            body()

    @ranks(2)
    def test_copies_and_pickles(self):
        """Each process has numbers of its own, which are freed with the operation."""
        rank = muster.init().rank()
        x, out = array.array("d", [1]), array.array("d", [0])
        mine = muster.Op.premul_sum(100.0 * (rank + 1), "float64")
        for copied in copy.copy(mine), copy.deepcopy(mine), copy.deepcopy([mine])[0]:
            assert copied is mine
        del copied
        got = muster.broadcast_object(mine)
        assert muster.all_reduce(x, op=got, out=out)[0] == 200
        again = pickle.loads(pickle.dumps(mine, 2))
        del got
        assert muster.all_reduce(x, op=mine, out=out)[0] == muster.all_reduce(x, op=again, out=out)[0] == 300
        made = pickle.loads(pickle.dumps(muster.Op.create(max, "name", commutative=True)))
        assert repr(made) == "<muster.Op name>" and made.commutative

    @ranks(1)
    def test_mistakes_of_factors(self):
        for factor, dtype in ((300, "int8"), (-1, "uint8"), (1e60, "float16"), (1e39, "float32"), (10**400, "float64"), (1e39, "bfloat16"),
                              (-3.4e38, "bfloat16"), (1e39j, "complex64"), (1e39, "complex64"), (10**400, "complex128")):
            expect(ValueError, f"the factor {factor!r} is no {dtype}", lambda: muster.Op.premul_sum(factor, dtype))
        muster.init()
        for endless in float("inf"), float("-inf"), 3.38e38:
            muster.Op.premul_sum(endless, "bfloat16")
        expect(ValueError, "no dtype", lambda: muster.Op.premul_sum(1, "int33"))
        expect(ValueError, "is given as bytes", lambda: muster.Op.premul_sum(1, "float8_e5m2"))
        expect(ValueError, "not one element", lambda: muster.Op.premul_sum(b"123", "float32"))
        expect(TypeError, "", lambda: muster.Op.premul_sum(1.5, "int32"))
        expect(ValueError, "no products", lambda: muster.Op.premul_sum(True, "bool"))
        for _ in range(3000):  # they go with their objects: the process can have 1024
            muster.Op.premul_sum(1, "int8")
        expect(ValueError, "the factor was given as float32", lambda: muster.all_reduce(
            ints(1), op=muster.Op.premul_sum(1, "float32"), out=ints(1)))


@needs_numpy
class WithNumpy(unittest.TestCase):
    def test_functions_of_arrays(self):
        for size in 1, 2, 3:
            @ranks(size)
            def body():
                rank = muster.init().rank()
                x = (np.arange(30000).reshape(3, 10000) + 7) * (rank + 1)
                expected = x // (rank + 1) * (1 if size > 1 else 1)
                gcd = muster.Op.create(np.gcd)
                for got in (muster.all_reduce(x, op=gcd), muster.all_reduce_start(x, op=gcd).wait()):
                    assert got.shape == x.shape and (got == (expected if size > 1 else x)).all()

                def hypotenuse(a, b):
                    np.sqrt(a * a + b * b, out=a)

                got = muster.all_reduce(np.array([3.0, 4.0 + rank]), op=muster.Op.create(hypotenuse))
                assert np.allclose(got, [3 * size ** 0.5, sum((4 + r) ** 2 for r in range(size)) ** 0.5])
                pairs = np.array([(rank % 2, rank)], [("value", "f4"), ("index", "i4")])

                def least(a, b):
                    return np.where(b["value"] < a["value"], b, a)

                assert muster.all_reduce(pairs, op=muster.Op.create(least))["index"][0] == 0
                total = muster.all_reduce(np.array([1j + rank]), op=muster.Op.create(np.add))
                assert total[0] == 1j * size + sum(range(size))

            body()

    @ranks(2)
    def test_what_a_function_returns(self):
        """An array of the same shape whose elements fit, or None."""
        world = muster.init()
        for function, error, text in (
                (lambda a, b: a[:-1], ValueError, "an array of shape"), (lambda a, b: a.sum(), ValueError, "of shape ()"),
                (lambda a, b: a * 1.5, TypeError, "same_kind"),
                (lambda a, b: b.__setitem__(0, 1), ValueError, "read-only"),
                (lambda a, b: np.ma.array(a, mask=[True] * len(a)), ValueError, "is masked")):
            group = world.dup()
            expect((error, muster.AbortedError), text.split()[-1], lambda: (
                muster.all_reduce(np.arange(10), op=muster.Op.create(function, "f"), group=group),
                muster.barrier(group=group)))

    @ranks(2)
    def test_arrays_may_be_kept(self):
        muster.init()
        kept = []

        def keep(a, b):
            kept.extend((a, b))
            return a + b

        x = np.arange(20000.0)
        got = muster.all_reduce(x, op=muster.Op.create(keep))
        assert (got == 2 * x).all()
        muster.all_sum(np.zeros(20000))
        assert all(set(np.diff(x)) <= {1.0, 2.0} for x in kept)


@needs_numpy
class Arrays(unittest.TestCase):
    @ranks(2)
    def test_masked_arrays_are_refused(self):
        rank = muster.init().rank()
        masked = np.ma.array([1.0, 2.0], mask=[True, False])
        whole, text = np.zeros(2), "the array is masked"
        for call in (
                lambda: muster.all_sum(masked), lambda: muster.all_sum_start(masked), lambda: muster.all_gather(masked),
                lambda: muster.all_sum(whole, out=masked), lambda: muster.all_gatherv(masked, [2, 2]),
                lambda: muster.all_gatherv_start(masked, [2, 2]), lambda: muster.all_gatherv(masked[::-1], [2, 2]),
                lambda: muster.reduce_scatterv(masked, [1, 1]), lambda: muster.send(masked, 1 - rank),
                lambda: muster.send_start(masked, 1 - rank), lambda: muster.recv_into(masked, 1 - rank),
                lambda: muster.sendrecv(masked, 1 - rank, 1 - rank),
                lambda: muster.sendrecv(whole, 1 - rank, 1 - rank, out=masked)):
            expect(ValueError, text, call)
        assert muster.all_sum(np.ma.array([1.0])).tolist() == [2]  # without a mask
        assert muster.all_sum(masked.filled(5)).tolist() == [10, 4] and muster.all_sum(masked.data).tolist() == [2, 4]
        queue, share = muster.Queue(2, 16), muster.Share(16)
        expect(ValueError, text, lambda: queue.push(masked))
        expect(ValueError, text, lambda: share.put_signal(rank, masked))

    @ranks(2)
    def test_what_is_not_in_c_order(self):
        """Inputs are copied, in every form; outputs are refused, in words."""
        rank = muster.init().rank()
        table = np.arange(12.0).reshape(3, 4)
        for x in table.T, table[:, ::2], table[::-1], np.asfortranarray(table):
            rows = len(x)
            assert (muster.all_sum(x) == 2 * x).all() and (muster.all_sum_start(x).wait() == 2 * x).all()
            everyone = np.concatenate([x, x])
            for got in (muster.all_gather(x), muster.all_gatherv(x), muster.all_gatherv(x, [rows] * 2),
                        muster.all_gatherv_start(x, [rows] * 2).wait()):
                assert got.shape == everyone.shape and (got == everyone).all()
            for got in (muster.reduce_scatterv(x, [1, rows - 1]), muster.reduce_scatterv_start(x, [1, rows - 1]).wait()):
                assert (got == 2 * (x[:1] if rank == 0 else x[1:])).all()
            mine = x[:1] if rank == 0 else x[1:]
            assert (muster.all_to_allv(x, [1, rows - 1]) == np.concatenate([mine, mine])).all()
            got = muster.gatherv(x)
            assert got is None if rank else (got == everyone).all()
            part = np.zeros((1 if rank == 0 else rows - 1, x.shape[1]))
            muster.scatterv(x if rank == 0 else None, [1, rows - 1], out=part)
            assert (part == (x[:1] if rank == 0 else x[1:])).all()
            muster.send(x, 1 - rank)
            assert (muster.recv(x.shape, "float64", 1 - rank) == x).all()
        x, out = np.zeros((2, 3)), np.zeros((3, 2)).T
        long = np.zeros((3, 4)).T
        for call in (
                lambda: muster.all_sum(x, out=out), lambda: muster.all_sum_start(x, out=out),
                lambda: muster.all_gatherv(x, [2, 2], out=long), lambda: muster.all_gatherv_start(x, [2, 2], out=long),
                lambda: muster.recv_into(out, 1 - rank), lambda: muster.sendrecv(x, 1 - rank, 1 - rank, out=out)):
            expect(TypeError, "out cannot be written to without a copy; expected an array in C order", call)


if __name__ == "__main__":
    unittest.main()
