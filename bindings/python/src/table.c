/* The functions of operations.c, messages.c and several.c, with what help() says of them. The examples are
 * run by tests/python/test_docs.py in two ranks: `rank` is this one's number. */
#include "bindings/python/src/table.h"

#include "bindings/python/src/messages.h"
#include "bindings/python/src/operations.h"
#include "bindings/python/src/several.h"

#define FAST(name) #name, (PyCFunction)(void (*)(void))python_##name, METH_FASTCALL | METH_KEYWORDS
#define SLOW(name) #name, (PyCFunction)(void (*)(void))python_##name, METH_VARARGS | METH_KEYWORDS

/* clang-format off */
/* What collectives say of their arrays and of their errors. */
#define GIVES(elements, shape) \
    "\nx: a number, or an array, of " elements ", of one shape and dtype on all ranks. The result is\n" \
    "of x's dtype and kind and of shape " shape ", or it is out. dtype: what the elements of x and out\n" \
    "are, where arrays have them as others of that size.\n" ERRORS
#define ERRORS \
    "\nErrors: ValueError and TypeError for arguments, before anything moves; MismatchError where ranks\n" \
    "ask for different things; PeerDiedError, TimedOutError, DeadlockError, AbortedError: the group is\nbroken.\n\n"
#define NUMBERS "a dtype that the op has"
#define ANY "any dtype"
#define ROWS_OF_ALL "(size * x.shape[0], ...), (size,) of numbers"
#define A_PART "(x.shape[0] / size, ...)"

PyMethodDef python_operations[] = {
    { FAST(all_sum),
      "all_sum($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "The sum of every rank's x.\n" GIVES(NUMBERS, "x.shape")
      "    >>> muster.all_sum(np.array([1, 10 * rank])).tolist()\n"
      "    [2, 10]" },
    { FAST(all_sum_start),
      "all_sum_start($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts all_sum, whose result the Request's wait() returns.\n"
      "\n"
      "    >>> request = muster.all_sum_start(np.array([1, 10 * rank]))\n"
      "    >>> request.wait().tolist()\n"
      "    [2, 10]" },
    { FAST(all_max),
      "all_max($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "The largest of every rank's x.\n" GIVES(NUMBERS, "x.shape")
      "    >>> int(muster.all_max(rank))\n"
      "    1" },
    { FAST(all_max_start),
      "all_max_start($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts all_max, whose result the Request's wait() returns." },
    { FAST(all_min),
      "all_min($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "The smallest of every rank's x.\n" GIVES(NUMBERS, "x.shape")
      "    >>> int(muster.all_min(rank))\n"
      "    0" },
    { FAST(all_min_start),
      "all_min_start($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts all_min, whose result the Request's wait() returns." },
    { FAST(all_reduce),
      "all_reduce($module, x, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "op: sum, prod, max, min, avg (of floats), band, bor, bxor (of integers), maxloc or minloc (of\n"
      "pairs: a dtype of a value and an index), or a muster.Op.\n" GIVES(NUMBERS, "x.shape")
      "    >>> muster.all_reduce(np.array([3, 4 + rank]), op=\"prod\").tolist()\n"
      "    [9, 20]" },
    { FAST(all_reduce_start),
      "all_reduce_start($module, x, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts all_reduce, whose result the Request's wait() returns.\n"
      "\n"
      "    >>> muster.all_reduce_start(np.array([rank]), op=\"max\").wait().tolist()\n"
      "    [1]" },
    { FAST(all_gather),
      "all_gather($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Every rank's x, one after the other on axis 0.\n" GIVES(ANY, ROWS_OF_ALL)
      "    >>> muster.all_gather(np.array([[rank, 7]])).tolist()\n"
      "    [[0, 7], [1, 7]]" },
    { FAST(all_gather_start),
      "all_gather_start($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts all_gather, whose result the Request's wait() returns." },
    { FAST(sum_scatter),
      "sum_scatter($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "This rank's part, on axis 0, of the sum of every rank's x.\n" GIVES(NUMBERS, A_PART)
      "    >>> int(muster.sum_scatter(np.array([5, 6]))[0]) == [10, 12][rank]\n"
      "    True" },
    { FAST(sum_scatter_start),
      "sum_scatter_start($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts sum_scatter, whose result the Request's wait() returns." },
    { FAST(reduce_scatter),
      "reduce_scatter($module, x, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "sum_scatter by op.\n" GIVES(NUMBERS, A_PART)
      "    >>> int(muster.reduce_scatter(np.array([rank, 3 - rank]), op=\"max\")[0]) == [1, 3][rank]\n"
      "    True" },
    { FAST(reduce_scatter_start),
      "reduce_scatter_start($module, x, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts reduce_scatter, whose result the Request's wait() returns." },
    { FAST(all_to_all),
      "all_to_all($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Part r of x, on axis 0, goes to rank r. Rows are not cut: x.shape[0] is a multiple of size, unless\n"
      "x has one dimension and out is given.\n" GIVES(ANY, "x.shape")
      "    >>> muster.all_to_all(np.array([10 * rank, 10 * rank + 1])).tolist() == [[0, 10], [1, 11]][rank]\n"
      "    True" },
    { FAST(all_to_all_start),
      "all_to_all_start($module, x, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts all_to_all, whose result the Request's wait() returns." },
    { FAST(scan),
      "scan($module, x, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "The reduction of the x of all ranks up to this one.\n" GIVES(NUMBERS, "x.shape")
      "    >>> muster.scan(np.array([5])).tolist() == [[5], [10]][rank]\n"
      "    True" },
    { FAST(scan_start),
      "scan_start($module, x, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts scan, whose result the Request's wait() returns." },
    { FAST(exscan),
      "exscan($module, x, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "The reduction of the x of all ranks before this one; None on rank 0, where out is left as it is.\n"
      GIVES(NUMBERS, "x.shape")
      "    >>> before = muster.exscan(np.array([5]))\n"
      "    >>> before is None if rank == 0 else before.tolist() == [5]\n"
      "    True" },
    { FAST(exscan_start),
      "exscan_start($module, x, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts exscan, whose result the Request's wait() returns." },
    { FAST(broadcast),
      "broadcast($module, x, root=0, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "The root's x.\n" GIVES(ANY, "x.shape")
      "    >>> muster.broadcast(np.array([rank, 3]), 1).tolist()\n"
      "    [1, 3]" },
    { FAST(broadcast_start),
      "broadcast_start($module, x, root=0, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts broadcast, whose result the Request's wait() returns." },
    { FAST(reduce),
      "reduce($module, x, root=0, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "all_reduce at the root; None elsewhere.\n" GIVES(NUMBERS, "x.shape")
      "    >>> total = muster.reduce(np.array([1]), root=1)\n"
      "    >>> total is None if rank == 0 else total.tolist() == [2]\n"
      "    True" },
    { FAST(reduce_start),
      "reduce_start($module, x, root=0, *, op='sum', group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts reduce, whose result the Request's wait() returns." },
    { FAST(gather),
      "gather($module, x, root=0, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "all_gather at the root; None elsewhere.\n" GIVES(ANY, ROWS_OF_ALL)
      "    >>> all = muster.gather(np.array([rank]))\n"
      "    >>> all is None if rank == 1 else all.tolist() == [0, 1]\n"
      "    True" },
    { FAST(gather_start),
      "gather_start($module, x, root=0, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts gather, whose result the Request's wait() returns." },
    { FAST(scatter),
      "scatter($module, x, root=0, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "This rank's part, on axis 0, of the root's x; other ranks give None and out.\n" GIVES(ANY, A_PART)
      "    >>> part = np.zeros(1, int)\n"
      "    >>> muster.scatter(np.array([4, 5]) if rank == 0 else None, out=part).tolist() == [[4], [5]][rank]\n"
      "    True" },
    { FAST(scatter_start),
      "scatter_start($module, x, root=0, *, group=None, out=None, dtype=None, stream=None)\n"
      "--\n"
      "\n"
      "Starts scatter, whose result the Request's wait() returns." },
    { SLOW(barrier),
      "barrier($module, *, group=None)\n"
      "--\n"
      "\n"
      "Waits until every rank has come.\n" ERRORS
      "    >>> muster.barrier()" },
    { SLOW(barrier_start),
      "barrier_start($module, *, group=None)\n"
      "--\n"
      "\n"
      "Starts a barrier: the Request is over when every rank has started it.\n"
      "\n"
      "    >>> arrived = muster.barrier_start()\n"
      "    >>> arrived.wait()" },
    { SLOW(send),
      "send($module, x, dst, tag=0, *, group=None, stream=None, dtype=None)\n"
      "--\n"
      "\n"
      "Sends x to rank dst, and returns it. tag: 0 to 2147483647. To muster.RANK_NONE nothing is sent.\n"
      "x has any shape and dtype; the receiver has as many elements of the same dtype.\n" ERRORS
      "    >>> if rank == 0:\n"
      "    ...     x = muster.send(np.array([1.5]), 1, tag=7)\n"
      "    ... else:\n"
      "    ...     assert muster.recv(1, \"float64\", 0, tag=7)[0] == 1.5" },
    { SLOW(send_start),
      "send_start($module, x, dst, tag=0, *, group=None, stream=None, dtype=None)\n"
      "--\n"
      "\n"
      "Starts a send; wait() returns x.\n"
      "\n"
      "    >>> requests = [muster.send_start(np.array([i]), 1 - rank, tag=i) for i in range(3)]\n"
      "    >>> [muster.recv(1, int, 1 - rank, tag=i).tolist() for i in (2, 1, 0)]\n"
      "    [[2], [1], [0]]\n"
      "    >>> results = muster.wait_all(requests)" },
    { SLOW(recv_into),
      "recv_into($module, out, src, tag=0, *, group=None, message=None, dtype=None)\n"
      "--\n"
      "\n"
      "Receives into out, and returns it. src: a rank, or muster.ANY_SOURCE; tag: or muster.ANY_TAG. The\n"
      "message has as many elements as out; with message, a muster.Message(), it may have fewer,\n"
      "and message says what has come. out has any shape, and the dtype of what was sent.\n" ERRORS
      "    >>> out, came = np.zeros(4), muster.Message()\n"
      "    >>> request = muster.send_start(np.ones(2), 1 - rank, tag=3)\n"
      "    >>> out is muster.recv_into(out, muster.ANY_SOURCE, muster.ANY_TAG, message=came)\n"
      "    True\n"
      "    >>> came.source == 1 - rank, came.tag, came.count, came.dtype\n"
      "    (True, 3, 2, 'float64')\n"
      "    >>> sent = request.wait()" },
    { SLOW(recv_into_start),
      "recv_into_start($module, out, src, tag=0, *, group=None, message=None, dtype=None)\n"
      "--\n"
      "\n"
      "Starts a receive into out, which wait() returns.\n"
      "\n"
      "    >>> request = muster.recv_into_start(np.zeros(1, int), 1 - rank)\n"
      "    >>> sent = muster.send(np.array([rank]), 1 - rank)\n"
      "    >>> request.wait().tolist() == [1 - rank]\n"
      "    True" },
    { SLOW(sendrecv),
      "sendrecv($module, x, dst, src, sendtag=0, recvtag=0, *, group=None, message=None, dtype=None, out=None)\n"
      "--\n"
      "\n"
      "Sends x to dst and receives from src at the same time, into out or an array of x's shape and dtype,\n"
      "which it returns; so a ring of ranks cannot deadlock. dst and src may be this rank, in a group of\n"
      "one, too. From muster.RANK_NONE: None, or out as it was.\n" ERRORS
      "    >>> muster.sendrecv(np.array([rank]), 1 - rank, 1 - rank).tolist() == [1 - rank]\n"
      "    True" },
    { SLOW(probe),
      "probe($module, src=ANY_SOURCE, tag=ANY_TAG, *, group=None)\n"
      "--\n"
      "\n"
      "Waits until there is a message that recv with this src and tag would get, and says which, as a\n"
      "Message. It stays where it is.\n"
      "\n"
      "    >>> request = muster.send_start(np.arange(rank + 1.0), 1 - rank)\n"
      "    >>> there = muster.probe()\n"
      "    >>> muster.recv(there.count, there.dtype, there.source, there.tag).tolist() == [[0, 1], [0]][rank]\n"
      "    True\n"
      "    >>> sent = request.wait()" },
    { SLOW(iprobe),
      "iprobe($module, src=ANY_SOURCE, tag=ANY_TAG, *, group=None)\n"
      "--\n"
      "\n"
      "probe without waiting: None, if there is no message.\n"
      "\n"
      "    >>> muster.iprobe(tag=99) is None\n"
      "    True" },
    { SLOW(wait_any),
      "wait_any($module, requests, timeout=None)\n"
      "--\n"
      "\n"
      "Waits until one of the Requests is over, and returns its index; None when all were over, and had\n"
      "been waited for, before. So a loop takes each of them once. An operation that has failed raises.\n"
      "timeout is wait()'s. The Requests may be of several groups.\n"
      "\n"
      "    >>> requests = [muster.all_sum_start(np.array([i])) for i in range(3)]\n"
      "    >>> seen = set()\n"
      "    >>> while (i := muster.wait_any(requests)) is not None:\n"
      "    ...     seen.add(int(requests[i].wait()[0]))\n"
      "    >>> seen == {0, 2, 4}\n"
      "    True" },
    { SLOW(wait_all),
      "wait_all($module, requests, timeout=None)\n"
      "--\n"
      "\n"
      "Waits until all Requests are over, in whatever order, and returns the list of their results. timeout\n"
      "is of all together. If an operation fails, its exception is raised; Requests of groups that are\n"
      "broken\n"
      "are over then, too, and others are over or as before. The Requests may be of several groups.\n"
      "\n"
      "    >>> requests = [muster.all_sum_start(np.array([i])) for i in range(3)]\n"
      "    >>> [int(x[0]) for x in muster.wait_all(requests)]\n"
      "    [0, 2, 4]" },
    { NULL, NULL, 0, NULL },
};
/* clang-format on */
