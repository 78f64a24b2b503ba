"""A link: what two ranks of a group send each other, over a group of the two. Part of _messages.py.

One thread sends, one receives; the latter only while something is to come, so that nobody seems to wait who does not.
What travels are frames of six numbers, some with a message after them:

    EAGER  message       a short message, and its elements
    OFFER  message       a long one: where are they to go?
    ACCEPT message       the answer: here
    DATA   message       and its elements
    TAKEN  message       received; REFUSED: what is received there is something else
    SEEN   message       the sender knows. Who has said TAKEN or REFUSED stays until then (close)

The receiver never waits to send, so both ends always make progress.
"""

import array
import collections
import re
import threading
import time

import torch

from .. import _muster, _names
from ._errors import AbortedError, MismatchError, PeerDiedError, as_torch_has_it
from ._tensors import INT64, RECV, SEND, call, describe, how_moved

EAGER_BYTES = 16 << 10
CONNECT_LOOK_S = (0.001, 0.02)  # how often one end looks whether the other one has come: at first, at last
ATTACH_S = 30                   # once both have come
CLOSE_S = 10
GONE = 1000                     # added to a link's count by an end that leaves before the other one has come
STORE_S = 1                     # how long the end of a link waits for an answer of the store
GROUP_IS_BROKEN = "the whole group is broken: "  # so begins the reason of an abort that the other end will learn itself
EAGER, OFFER, ACCEPT, DATA, TAKEN, REFUSED, SEEN = range(1, 8)
_FRAME = 6  # kind, message, tag, dtype, elements, unused
_DTYPES = sorted((value for value in vars(torch).values() if isinstance(value, torch.dtype)), key=str)
_DTYPES = list(dict.fromkeys(_DTYPES))
_DTYPE_NUMBERS = {dtype: number for number, dtype in enumerate(_DTYPES)}


class _Sent:
    """A message of ours that has not been taken."""

    def __init__(self, work, source):
        self.work, self.source = work, source


class _Wanted:
    """A receive that has no message yet, or whose elements are on their way."""

    def __init__(self, work, into, tensor, tag):
        self.work, self.into, self.tensor, self.tag = work, into, tensor, tag


class _Came:
    """A message that nobody has asked for yet; `elements`: None of an offer."""

    def __init__(self, number, tag, dtype, count, elements=None):
        self.number, self.tag, self.dtype, self.count, self.elements = number, tag, dtype, count, elements


class Link:
    def __init__(self, messages, peer):
        self._messages, self._peer = messages, peer
        self._rank = messages.group.rank()
        self._key = f"link-{min(self._rank, peer)}-{max(self._rank, peer)}"
        self._name = f"{messages.name}-{self._key}"
        self._there = int(self._rank < peer)  # the peer's rank in the group of two
        self._group = None
        self._meeting = True  # in the store
        self._abandoned = False
        self._changed = threading.Condition()
        self._out = collections.deque()  # frames to send: (numbers, tensor or None)
        self._sent, self._taking = {}, {}  # by message
        self._wanted, self._came = [], []
        self._unseen = 0  # that we have taken or refused, and the sender does not know
        self._numbers = 0
        self._error = None
        self._closing = False
        self._threads = [threading.Thread(target=self._serve, args=(frames,), daemon=True, name=f"muster-{name}-{peer}")
                         for frames, name in ((self._send_frames, "send"), (self._receive_frames, "receive"))]
        for thread in self._threads:
            thread.start()

    # ---- what the program asks for ----

    def send(self, work, source, tag):
        with self._changed:
            self._check()
            self._numbers += 1
            self._sent[self._numbers] = _Sent(work, source)
            short = source.numel() * source.element_size() <= EAGER_BYTES
            self._post(EAGER if short else OFFER, self._numbers, tag, source.dtype, source.numel(),
                       source if short else None)

    def receive(self, work, into, tensor, tag):
        with self._changed:
            self._check()
            wanted = _Wanted(work, into, tensor, tag)
            for i, came in enumerate(self._came):
                if came.tag == tag:
                    del self._came[i]
                    self._match(came, wanted)
                    return
            self._wanted.append(wanted)
            self._changed.notify_all()

    def _check(self):
        if self._error is not None:
            raise self._error

    # ---- matching; with the lock held ----

    def _post(self, kind, number, tag=0, dtype=torch.uint8, count=0, tensor=None):
        self._out.append((array.array("q", [kind, number, tag, _DTYPE_NUMBERS[dtype], count, 0]), tensor))
        self._changed.notify_all()

    def _arrived(self, came):
        for i, wanted in enumerate(self._wanted):
            if wanted.tag == came.tag:
                del self._wanted[i]
                self._match(came, wanted)
                return
        self._came.append(came)

    def _match(self, came, wanted):
        tensor = wanted.tensor
        if (came.dtype, came.count) != (tensor.dtype, tensor.numel()):
            self._unseen += 1
            self._post(REFUSED, came.number, 0, tensor.dtype, tensor.numel())
            wanted.work.finish(self._mismatch(self._peer, came.dtype, came.count, self._rank, tensor.dtype,
                                              tensor.numel()))
        elif came.elements is None:
            self._taking[came.number] = wanted
            self._post(ACCEPT, came.number)
        else:
            with wanted.into as place:
                place.view(-1).copy_(came.elements)
            self._taken(came.number, wanted)

    def _taken(self, number, wanted):
        self._unseen += 1
        self._post(TAKEN, number)
        wanted.work.finish()

    @staticmethod
    def _mismatch(sender, sent, sent_count, receiver, wanted, wanted_count):
        return MismatchError(f"rank {sender} sent {describe(sent, sent_count)} and rank {receiver} receives "
                             f"{describe(wanted, wanted_count)}; expected the same of both")

    # ---- the threads ----

    def _serve(self, frames):
        try:
            frames()
        except BaseException as error:  # whoever waits for something of this link raises it
            self.fail(self._messages.why(self._in_words_of_the_group(error)))

    def _in_words_of_the_group(self, error):
        """muster's sentence, in which ranks are those of the group of two, with those of the group."""
        ranks = {str(1 - self._there): self._rank, str(self._there): self._peer}
        text = re.sub(r"\brank ([01])\b", lambda match: f"rank {ranks[match[1]]}", str(error))
        error = as_torch_has_it(error)
        return type(error)(text) if isinstance(error, _muster.Error) else error

    def _send_frames(self):
        self._connect()
        while True:
            with self._changed:
                while not self._out:
                    if self._closing:
                        return
                    self._changed.wait()
                numbers, tensor = self._out.popleft()
            _muster.raw(SEND, self._group, numbers.buffer_info()[0], 0, _FRAME, INT64, 0, self._there)
            if tensor is not None and tensor.numel():
                dtype, factor = how_moved(tensor)
                call(SEND, self._group, source=tensor, count=tensor.numel() * factor, dtype=dtype, peer=self._there)
            del numbers, tensor

    def _awaits(self):
        return self._sent or self._wanted or self._taking or self._unseen

    def _receive_frames(self):
        while True:
            with self._changed:
                while self._group is None or not self._awaits():
                    if self._closing or self._error is not None:
                        return
                    self._changed.wait()
            frame = array.array("q", bytes(8 * _FRAME))
            _muster.raw(RECV, self._group, 0, frame.buffer_info()[0], _FRAME, INT64, 0, self._there)
            kind, number, tag, dtype, count, _ = frame
            self._act(kind, number, tag, _DTYPES[dtype], count)

    def _act(self, kind, number, tag, dtype, count):
        if kind == EAGER:
            elements = self._fetch(torch.empty(count, dtype=dtype))
        if kind == DATA:
            with self._taking[number].into as place:
                self._fetch(place)
        with self._changed:
            if kind == EAGER:
                self._arrived(_Came(number, tag, dtype, count, elements))
            elif kind == OFFER:
                self._arrived(_Came(number, tag, dtype, count))
            elif kind == ACCEPT:
                self._post(DATA, number, tensor=self._sent[number].source)
            elif kind == DATA:
                self._taken(number, self._taking.pop(number))
            elif kind == TAKEN:
                self._sent.pop(number).work.finish()
                self._post(SEEN, number)
            elif kind == REFUSED:
                sent = self._sent.pop(number)
                sent.work.finish(self._mismatch(self._rank, sent.source.dtype, sent.source.numel(), self._peer,
                                                dtype, count))
                self._post(SEEN, number)
            else:
                self._unseen -= 1
                self._changed.notify_all()

    def _fetch(self, tensor):
        if tensor.numel():
            dtype, factor = how_moved(tensor)
            call(RECV, self._group, into=tensor, count=tensor.numel() * factor, dtype=dtype, peer=self._there)
        return tensor

    # ---- its beginning and its end ----

    def _connect(self):
        """Attaches when both ends want the link: no name is there for longer than that takes."""
        try:
            met = self._meet()
        finally:
            with self._changed:
                self._meeting = False
                self._changed.notify_all()
                if self._abandoned:
                    return
        if not met:
            return
        try:
            group = _muster.attach(self._name, 1 - self._there, 2, 0, ATTACH_S * 10**9, self._messages.group, 8192)
        except BaseException:
            self._sweep()  # fail() may have swept before the attaching made the name
            raise
        with self._changed:
            self._group = group
            self._changed.notify_all()

    def _meet(self):
        """Says in the store that this end wants the link; whether the other one wants it as well. When one comes and
        the other one leaves, the store says which was first: either both attach or neither does."""
        store = self._messages.store
        count, wait_s = store.add(self._key, 1), CONNECT_LOOK_S[0]
        while count < 2:
            with self._changed:
                leaves = self._closing or self._error is not None
            if leaves:
                return store.add(self._key, GONE) == GONE + 2
            self._messages.group.check()
            if self._messages.has_left(self._peer):
                break
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, CONNECT_LOOK_S[1])
            count = store.add(self._key, 0)
        if count == 2:
            return True
        if self._messages.has_left(self._peer):
            raise PeerDiedError(f"rank {self._peer} left the group (destroyed it, or its program ends) while rank "
                                f"{self._rank} still needed it")
        raise AbortedError(f"rank {self._peer} has given up its messages with rank {self._rank}: one has failed there")

    def _can_be_joined(self):
        """Its threads are about to end, but for one that asks a store whose rank is stopped: when that answers, the
        thread finds that nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._meeting, STORE_S)
            self._abandoned = self._meeting
            return not self._meeting

    def fail(self, error):
        """Everything that is under way fails, and what is asked for later."""
        with self._changed:
            if self._error is not None:
                return
            self._error = error
            if self._group is None:
                self._sweep()
            works = [sent.work for sent in self._sent.values()]
            works += [wanted.work for wanted in [*self._wanted, *self._taking.values()]]
            self._sent, self._taking, self._wanted, self._unseen = {}, {}, [], 0
            self._changed.notify_all()
        for work in works:
            work.finish(error)
        if self._group is not None:  # threads of ours that wait in it return
            broken = self._messages.cause() is not None
            self._group.abort(f"{GROUP_IS_BROKEN if broken else ''}{error}")

    def _sweep(self):
        """The name is nobody else's, ever. Its maker may have been killed before both had attached, or this process may
        end on the error, with its thread in the attaching. (If both are killed, the next job sweeps.)"""
        _names.remove(self._name)

    def close(self):
        """Waits for those who are to learn that we have their messages; what else is under way fails."""
        until = time.monotonic() + CLOSE_S
        with self._changed:
            while self._unseen and self._error is None and time.monotonic() < until:
                self._changed.wait(0.1)
            self._closing = True
            self._changed.notify_all()
            under_way = self._awaits()
        if under_way:
            self.fail(AbortedError(f"rank {self._rank} has destroyed the process group"))
        if not self._can_be_joined():
            return
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        if self._group is not None:
            self._group._leave()
            self._group = None
        else:
            self._sweep()
