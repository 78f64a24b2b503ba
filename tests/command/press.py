"""press.py KEY COMMAND...: runs a command on a terminal of its own, presses the key once the command has shown something,
and expects that it ends by it and leaves the terminal as it was."""

import sys
import termios

from terminal import run

COOKED = termios.ICANON | termios.ECHO  # as a terminal begins
key = sys.argv[1].encode().decode("unicode_escape").encode()
pressed = False


def is_time(shown, terminal):
    global pressed
    if b"doing" not in shown:
        return False
    assert termios.tcgetattr(terminal)[3] & COOKED == 0, "keys wait for a newline"
    pressed = True
    return True


status, shown, terminal = run(sys.argv[2:], key, is_time)
expected = 0 if key == b"q" else 2  # SIGINT
print(shown)
assert pressed, "it ended by itself"
assert status == expected, f"wait status {status}, not {expected}"
assert termios.tcgetattr(terminal)[3] & COOKED == COOKED, "the terminal is not as it was"
assert "the job is over" not in shown
