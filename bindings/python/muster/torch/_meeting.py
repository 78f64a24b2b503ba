"""Where ranks meet whose store is rank 0's: an address of its host that all of them reach, and a port that is free there.

On one machine that is 127.0.0.1. On several, rank 0 tells all addresses that it has, and each rank tries them: what
answers with rank 0's word is right, whatever else may be there.
"""

import array
import contextlib
import fcntl
import os
import secrets
import socket
import struct
import threading

from .. import _muster

HERE = "127.0.0.1"
_ADDRESSES = 16
_BYTES = 64     # of an address, as told
_PATIENCE_S = 5
_SIOCGIFADDR = 0x8915


def _addresses_of_host():
    found = [HERE, socket.gethostname()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has none
                answer = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return list(dict.fromkeys(found))[:_ADDRESSES]


class _Answers:
    """Rank 0's: gives its word to whoever asks."""

    def __init__(self, word):
        self._word = word
        self._listening = socket.create_server(("", 0), backlog=1024)
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True, name="muster-meeting")
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):  # it is closed
            while True:
                asked, _ = self._listening.accept()
                with asked, contextlib.suppress(OSError):
                    asked.settimeout(_PATIENCE_S)
                    asked.sendall(self._word)
                    asked.recv(1)  # the other end closes first, so that the port is free at once

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()


def _is_there(address, port, word):
    try:
        with socket.create_connection((address, port), _PATIENCE_S) as asking:
            return asking.recv(len(word), socket.MSG_WAITALL) == word
    except OSError:
        return False


def _try_each(addresses, port, word):
    reached = array.array("i", [0] * _ADDRESSES)

    def try_one(i):
        reached[i] = _is_there(addresses[i], port, word)

    threads = [threading.Thread(target=try_one, args=(i,)) for i in range(len(addresses))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reached


def _tell(world, value, count):
    """What rank 0 gives, as bytes."""
    told = memoryview(bytearray(value.ljust(count, b"\0")))
    _muster.broadcast(told, 0, group=world, out=told)
    return bytes(told)


def _choose_port():
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return probe.getsockname()[1]


def choose_here(world):
    """Of ranks on one machine."""
    port = _tell(world, struct.pack("=i", _choose_port()) if world.rank() == 0 else b"", 4)
    return HERE, struct.unpack("=i", port)[0]


def choose(world):
    """An address of rank 0, which is MASTER_ADDR if that is set there, and a port."""
    first, wanted = world.rank() == 0, os.environ.get("MASTER_ADDR")
    word = _tell(world, secrets.token_bytes(16) if first else b"", 16)
    answers = _Answers(word) if first else None
    try:
        own = ([wanted] if wanted else _addresses_of_host()) if first else []
        lines = b"".join(address.encode()[:_BYTES - 1].ljust(_BYTES, b"\0") for address in own)
        told = _tell(world, struct.pack("=i", answers.port) + lines if first else b"", 4 + _BYTES * _ADDRESSES)
        port = struct.unpack("=i", told[:4])[0]
        addresses = [line.decode() for i in range(_ADDRESSES)
                     if (line := told[4 + i * _BYTES:4 + (i + 1) * _BYTES].rstrip(b"\0"))]
        reached = _muster.all_min(_try_each(addresses, port, word), group=world)
    finally:
        if answers:
            answers.close()
    good = [address for address, all_reach in zip(addresses, reached) if all_reach]
    if not good:
        raise RuntimeError(f"not all ranks reach rank 0 at {', '.join(addresses)}; set MASTER_ADDR to an address of its "
                           "host that they reach by TCP, or open the ports above 32767 to them")
    return good[0], port
