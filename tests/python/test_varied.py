"""Collectives with a count for each rank, and scans, of the Python module; without numpy what needs it is skipped."""

import array
import unittest

import muster
from helpers import expect, ints, needs_numpy, np
from muster.testing import ranks


class WithoutNumpy(unittest.TestCase):
    @ranks(3)
    def test_blocks(self):
        rank = muster.init().rank()
        mine = ints(*[10 * rank] * rank)  # none, one, two
        assert muster.all_gatherv(mine).tolist() == muster.all_gatherv(mine, [0, 1, 2]).tolist() == [10, 20, 20]
        gathered = muster.gatherv(mine, root=1)
        assert gathered.tolist() == [10, 20, 20] if rank == 1 else gathered is None
        out = ints(*[0] * (3 - rank))
        got = muster.scatterv(ints(*range(6)) if rank == 2 else None, [3, 2, 1] if rank == 2 else None, 2, out=out)
        assert got is out and out.tolist() == [[0, 1, 2], [3, 4], [5]][rank]
        counts = [1, 0, 2]  # to ranks 0, 1, 2
        sent = ints(rank, rank + 10, rank + 20)
        got = muster.all_to_allv(sent, counts)
        assert got.tolist() == [[0, 1, 2], [], [10, 20, 11, 21, 12, 22]][rank]
        assert muster.all_to_allv(sent, counts, [counts[rank]] * 3).tolist() == got.tolist()
        reduced = muster.reduce_scatterv(ints(1, 2, 3), [2, 0, 1], op="max")
        assert reduced.tolist() == [[1, 2], [], [3]][rank]

    @ranks(3)
    def test_scans(self):
        rank = muster.init().rank()
        assert muster.scan(ints(1, rank)).tolist() == [rank + 1, [0, 1, 3][rank]]
        assert muster.scan(ints(rank), op="max")[0] == rank
        before = muster.exscan(ints(5))
        assert before is None if rank == 0 else before.tolist() == [5 * rank]
        out = ints(-1)
        muster.exscan(ints(5), out=out)
        assert out[0] == (5 * rank or -1)

    @ranks(1)
    def test_a_group_of_one(self):
        muster.init()
        assert muster.all_gatherv(ints(1, 2)).tolist() == muster.all_to_allv(ints(1, 2), [2]).tolist() == [1, 2]
        assert muster.scan(ints(4))[0] == 4 and muster.exscan(ints(4)) is None

    @ranks(2)
    def test_mistakes(self):
        rank = muster.init().rank()
        expect(ValueError, "3 counts for a group of size 2", lambda: muster.all_to_allv(ints(1), [1, 0, 0], [1, 0]))
        expect(ValueError, "all_to_allv(): 3 counts for a group of size 2", lambda: muster.all_to_allv(ints(1), [1, 0, 0]))
        expect(ValueError, "the counts are 2 elements together, and the array has 1",
               lambda: muster.all_to_allv(ints(1), [1, 1], [1, 0]))
        expect(ValueError, "the counts are 2 elements together, and the array has 5",
               lambda: muster.all_gatherv(ints(1), [1, 1], out=ints(*range(5))))
        expect(ValueError, "out has 2 elements; expected 1",
               lambda: muster.reduce_scatterv(ints(1, 2), [1, 1], out=ints(1, 2)))
        expect(ValueError, "x is of int32 and out of float64",
               lambda: muster.all_gatherv(ints(1), [1, 1], out=array.array("d", [0, 0])))
        expect(OverflowError, "", lambda: muster.reduce_scatterv(ints(1), [-1, 2], out=ints(1)))
        expect(ValueError, f"rank {rank}, this one, gives itself 2 elements and takes 1",
               lambda: muster.all_gatherv(ints(1, 2), [1, 1]))
        expect(muster.MismatchError, "rank 0 gives 1 elements to rank 1, and rank 1 takes 2",
               lambda: muster.all_gatherv(ints(*[7] * (rank + 1)), [[1, 2], [2, 2]][rank]))

    @ranks(3)
    def test_displacements(self):
        """Where each rank's block is: in what is given, and in what is filled; the rest stays as it is."""
        rank = muster.init().rank()
        out = ints(*[9] * 8)
        muster.all_gatherv(ints(*[rank] * (rank + 1)), [1, 2, 3], displacements=[7, 0, 3], out=out)
        assert out.tolist() == [1, 1, 9, 2, 2, 2, 9, 0]
        out = ints(*[9] * 4)
        request = muster.gatherv_start(ints(rank), [1, 1, 1], 1, displacements=[3, 2, 0], out=out)
        assert (request.wait() is out) == (rank == 1) and out.tolist() == ([2, 9, 1, 0] if rank == 1 else [9] * 4)
        x = ints(*range(10, 20)) if rank == 0 else None  # blocks that overlap
        assert muster.scatterv(x, [2, 2, 2], displacements=[0, 1, 8], out=ints(0, 0)).tolist() == \
            [[10, 11], [11, 12], [18, 19]][rank]
        got = muster.all_to_allv(ints(*[10 * rank + i for i in range(3)]), [1, 1, 1], in_displacements=[2, 1, 0],
                                 out_displacements=[1, 0, 3], out=ints(*[9] * 4))
        assert got.tolist() == [12 - rank, 2 - rank, 9, 22 - rank]
        expect(ValueError, "displacements are places in an array that is given: out=",
               lambda: muster.all_gatherv(ints(1), [1, 1, 1], displacements=[0, 1, 2]))
        expect(ValueError, "the block of rank 1, 1 elements at 3, is not in the array, which has 3",
               lambda: muster.all_gatherv(ints(1), [1, 1, 1], displacements=[0, 3, 1], out=ints(0, 0, 0)))
        expect(ValueError, "is not in the array",
               lambda: muster.all_gatherv(ints(1), [1, 1, 1], displacements=[0, 2**64 - 1, 1], out=ints(0, 0, 0)))
        expect(ValueError, "2 displacements for a group of size 3",
               lambda: muster.all_gatherv(ints(1), [1, 1, 1], displacements=[0, 1], out=ints(0, 0, 0)))
        expect(OverflowError, "",
               lambda: muster.all_gatherv(ints(1), [1, 1, 1], displacements=[0, -1, 1], out=ints(0, 0, 0)))
        expect(ValueError, "overlap",
               lambda: muster.all_gatherv(ints(1), [1, 1, 1], displacements=[0, 0, 1], out=ints(0, 0, 0)))


@needs_numpy
class WithNumpy(unittest.TestCase):
    @ranks(3)
    def test_rows(self):
        rank = muster.init().rank()
        table = np.full((rank, 4), rank, "float64")
        got = muster.all_gatherv(table)
        assert got.shape == (3, 4) and got[:, 0].tolist() == [1, 2, 2]
        received = muster.all_to_allv(np.arange(12).reshape(6, 2) + 100 * rank, [1, 2, 3])
        assert received.shape == (3 * (rank + 1), 2)
        assert (received[:rank + 1] == np.arange(12).reshape(6, 2)[[[0], [1, 2], [3, 4, 5]][rank]]).all()
        assert (muster.all_gatherv(np.arange(6).reshape(2, 3).T) == np.tile(np.arange(6).reshape(2, 3).T, (3, 1))).all()
        part = muster.reduce_scatterv(np.ones((6, 5), "float32"), [3, 2, 1])
        assert part.shape == (3 - rank, 5) and (part == 3).all()
        assert (muster.scan(np.full((2, 3), 2.0), op="prod") == 2.0 ** (rank + 1)).all()
        assert muster.all_gatherv(np.float32(rank)).tolist() == [0, 1, 2]


if __name__ == "__main__":
    unittest.main()
