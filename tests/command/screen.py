"""screen.py TERM COMMAND...: runs a command that ends by q on a terminal of that kind, 7 rows of 30 columns, and expects
that what it shows fits in, and on a dumb one is text."""

import fcntl
import os
import struct
import sys
import termios

from terminal import run

ROWS, COLUMNS = 7, 30
kind = sys.argv[1]


def prepare():
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    os.environ["TERM"] = kind


status, text, _ = run(sys.argv[2:], b"q", lambda shown, _: shown.count(b"ranks, ") >= 2, prepare)
print(repr(text))
assert status == 0, f"wait status {status}"
screens = text.split("\x1b[H\x1b[J")
assert (len(screens) == 1) == (kind == "dumb"), "the cursor moves on a dumb terminal, or on no other"
assert "\x1b" not in "".join(screens)
for screen in screens:
    lines = screen.replace("q", "").split("\r\n")
    assert max(map(len, lines)) <= COLUMNS, "a line is too long"
    assert kind == "dumb" or len(lines) <= ROWS, "the screen moves up"
assert ("more lines" in text) == (kind != "dumb"), "lines are left out"
