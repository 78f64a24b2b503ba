"""Messages between the ranks of a group: sends and receives that go on beside the program, matched by tag.

Each pair of ranks that talks gets a group of its own, a link (_link.py), at its first message, and two threads at each
end. A receive takes the earliest message from that rank with its tag. A send is done when its message has been taken:
so a send to a dead rank fails, and a rank that ends after a send has lost nothing. Messages of up to EAGER_BYTES travel
at once and wait at the receiver; of a longer one the receiver first gets an offer.

When a member dies, everything under way in the group fails, naming the one that died first: the group learns of
deaths. By torch's store each end of a link knows that the other one wants it.
"""

import contextlib
import threading
import time

import torch.distributed as dist

from ._errors import DESTROYED, ArgumentError, PeerDiedError, TimedOutError, as_torch_has_it
from ._link import GROUP_IS_BROKEN, STORE_S, Link
from ._tensors import Into, check, describe, elements
from ._work import Work

LOOK_S = 0.02  # how often a wait looks whether the group is broken
LEARN_S = 10   # a group that has not learned of an end by then never will


def _knows_within(error):
    """A link's error tells of the end of a rank. How many seconds the group may need to learn of it, too: not 0, as the
    machine may be busy; 0 where the group never will, as the rank has left in order."""
    if isinstance(error, PeerDiedError):
        return 0 if "left the group" in str(error) else LEARN_S
    if GROUP_IS_BROKEN in str(error):
        return LEARN_S
    return STORE_S if isinstance(error, dist.DistNetworkError) else 0


class MessageWork(Work):
    """A send or a receive. A wait for it also looks whether the group is broken."""

    def __init__(self, messages, tensor, what, peer):
        super().__init__([tensor], what)
        self._messages = messages
        self.peer = peer

    def _wait(self, seconds):
        if self._event.wait(0.001):
            return True
        began = time.monotonic()
        limit = self._messages.timeout_s if seconds is None else seconds
        while not self._event.wait(LOOK_S if limit is None else min(LOOK_S, max(limit, 0.001))):
            self._messages.look()
            if limit is not None and time.monotonic() - began >= limit and not self._event.is_set():
                if seconds is not None:
                    return False
                self._messages.give_up(self, limit)
        return True

    def source_rank(self):
        return self.peer

    _source_rank = source_rank


def connect(store, group):
    """Opens a second connection to the store, as the program may wait in a call on the first. It is opened together
    with the group: an open connection fails at once when the store's rank dies, and a new one would be tried for
    minutes. If that rank dies meanwhile, the group says so."""
    connections = []

    def clone():
        try:
            connections.append(store.clone() if hasattr(store, "clone") else store)
        except Exception as error:
            connections.append(error)

    thread = threading.Thread(target=clone, daemon=True, name="muster-connect")
    thread.start()
    thread.join(LOOK_S)
    while thread.is_alive():
        group.check()
        thread.join(LOOK_S)
    if isinstance(connections[0], Exception):
        raise connections[0]
    return connections[0]


class Messages:
    """Of one group: its links, by the rank at the other end. `store`: a connection that the program does not use."""

    def __init__(self, group, name, store):
        self.group, self.name = group, name
        self.timeout_s = None
        self.store = dist.PrefixStore(name, store)
        self._rank, self._size = group.rank(), group.size()
        self._lock = threading.Lock()
        self._links = {}
        self._closed = False

    def _check(self, peer):
        if not 0 <= peer < self._size or peer == self._rank:
            raise ArgumentError(f"rank {self._rank} of {self._size} has no messages with rank {peer}; expected the "
                                "number of another rank" + (": copy what is for this one" if peer == self._rank else ""))
        if self._closed:
            raise RuntimeError(DESTROYED)
        self.look()

    def _link(self, peer):
        with self._lock:
            if self._closed:
                raise RuntimeError(DESTROYED)
            link = self._links.get(peer)
            if link is None:
                link = self._links[peer] = Link(self, peer)
            return link

    def send(self, tensor, peer, tag):
        self._check(peer)
        source = elements(tensor)
        work = MessageWork(self, tensor, f"rank {peer} to receive {describe(tensor.dtype, tensor.numel())} "
                                         f"(tag {tag})", peer)
        self._link(peer).send(work, source, tag)
        return work

    def receive(self, tensor, peer, tag):
        self._check(peer)
        check(tensor)
        work = MessageWork(self, tensor, f"rank {peer} to send {describe(tensor.dtype, tensor.numel())} "
                                         f"(tag {tag})", peer)
        self._link(peer).receive(work, Into(tensor), tensor, tag)
        return work

    def cause(self):
        """What the group is broken by, or None."""
        try:
            self.group.check()
        except Exception as cause:
            return as_torch_has_it(cause)
        return None

    def why(self, error):
        """Returns what the group is broken by, or else the link's error. A link knows of the rank at its other end
        only, which may have ended because of another one. The group knows the first cause, perhaps a little later,
        so it is asked until it does."""
        until = time.monotonic() + _knows_within(error)
        while True:
            cause = self.cause()
            if cause is not None or time.monotonic() >= until:
                return cause if cause is not None else error
            time.sleep(0.001)

    def look(self):
        """Fails everything that is under way when the group is broken, and raises that."""
        cause = self.cause()
        if cause is not None:
            self.fail(cause)
            raise cause

    def fail(self, error):
        with self._lock:
            links = list(self._links.values())
        for link in links:
            link.fail(error)

    def give_up(self, work, seconds):
        """The deadline has passed. What is half done cannot be taken back, so that pair of ranks is done for."""
        error = TimedOutError(f"rank {self.group.rank()} waited {seconds:.3g} s for {work._what}")
        self._link(work.peer).fail(error)

    def close(self):
        """Returns when nothing that a peer waits for is left with us; what is under way otherwise fails."""
        with self._lock:
            self._closed = True
            links = list(self._links.values())
        thread = threading.Thread(target=self._tell_that_we_leave, daemon=True, name="muster-leave")
        thread.start()
        thread.join(STORE_S)  # whose rank may be stopped
        for link in links:
            link.close()

    def _tell_that_we_leave(self):
        with contextlib.suppress(Exception):  # the store may have gone with its rank
            self.store.add(f"left-{self._rank}", 1)

    def has_left(self, peer):
        """Whether the peer has destroyed the group: it makes no link any more."""
        return self.store.add(f"left-{peer}", 0) > 0
