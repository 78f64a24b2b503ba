"""Memory that all ranks map, and queues of one writer and many readers."""

from . import _arrays, _muster


def _ns(timeout):
    """A timeout in seconds, as C takes it: None is the group's, 0 does not wait."""
    try:
        if timeout <= 0:
            return -1
    except TypeError:  # None, and what is no number
        pass
    return _muster.timeout_ns(timeout)


class Share:
    """Memory of which each rank gives a block of nbytes (0: none), and which all ranks read and write directly.

    Made by all ranks of the group together. It outlives the group and the ranks: the block of one that died stays
    until the others have freed the share. What a rank wrote before a barrier, a message or a signal is visible to
    whoever waited for it.
    """

    def __init__(self, nbytes, group=None):
        self._share = _muster.share(nbytes, group)

    def at(self, rank, dtype="uint8", shape=None):
        """The block of a rank as an array, or its beginning in that shape: no copy, and read-only once it is sealed. A process
        that is forked must not touch inherited ones: that is SIGSEGV."""
        block = self._share.block(rank)
        return _arrays.view(block, dtype, shape)

    def peer(self, rank, mine, group=None):
        """What corresponds to mine, an array in this rank's block, at a rank of the group: an array like it, no copy."""
        theirs = self._share.peer(group, rank, mine)
        view = memoryview(mine)
        return _arrays.view_like(theirs, mine, view.format, view.shape)

    def sync(self):
        """Orders accesses to plain memory: what was written before a sync is visible after a later one, of any rank."""
        self._share.sync()

    def seal(self):
        """Makes the memory read-only for all ranks, which all call this. Arrays made before must be gone."""
        self._share.seal()

    def put_signal(self, rank, data=b"", offset=0, signal=0):
        """Copies the bytes of data to the offset of the rank's block, then raises a signal there."""
        if offset < 0:
            raise ValueError(f"an offset of {offset}")
        _arrays.refuse_addresses(data, "put_signal")
        self._share.put_signal(rank, data, offset, signal)

    def wait_signal(self, source, signal=0, count=1, timeout=None):
        """Waits until rank source has raised the signal here count times more than was waited for.

        An error, TimedOutError included, ends this call alone. timeout is in seconds; 0 does not wait.
        """
        if count < 0:
            raise ValueError(f"a count of {count}")
        self._share.wait_signal(source, signal, count, _ns(timeout))

    def free(self):
        """Frees it for this rank. Arrays of it must be gone."""
        self._share.free()


class Queue:
    """A queue in the arena: rank writer pushes, and every other rank of the group pops every entry, in order.

    Made by all ranks of the group together, with the same numbers. Errors end one call, not the queue.
    """

    def __init__(self, entries, entry_bytes, writer=0, group=None):
        self._queue = _muster.queue(entries, entry_bytes, writer, group)

    def push(self, entry, timeout=None):
        """Pushes the bytes of entry; waits while a reader is a whole queue behind. TimedOutError names that reader.

        PeerDiedError names a reader that has died: drop() goes on without it, and the push can be repeated.
        """
        _arrays.refuse_addresses(entry, "push")
        self._queue.push(entry, _ns(timeout))

    def pop(self, timeout=None):
        """The next entry, as bytes. timeout is in seconds; 0 does not wait."""
        return self._queue.pop(_ns(timeout))

    def peek(self, timeout=None):
        """The next entry, zero-copy, as a read-only memoryview. It stays the next one.

        The writer does not overwrite it until release(), before which the memoryview, and whatever is made of it,
        must be released.
        """
        return self._queue.peek(_ns(timeout))

    def release(self):
        """Ends the use of the entry that was peeked at: the one after it is the next."""
        self._queue.release()

    def drop(self):
        """Goes on without the readers that have died or freed the queue; returns how many are left."""
        return self._queue.drop()

    def lag(self):
        """(rank, entries): the reader that is most entries behind, and how many; (-1, 0) without readers."""
        return self._queue.lag()

    def free(self):
        """Frees it for this rank. Readers still pop what was pushed before."""
        self._queue.free()
