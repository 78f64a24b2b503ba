"""press.py KEY COMMAND...: runs a command on a terminal of its own, presses the key once the command has shown something,
and expects that it ends by it and leaves the terminal as it was."""

import os
import pty
import sys
import termios

key = sys.argv[1].encode().decode("unicode_escape").encode()
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
cooked = termios.ICANON | termios.ECHO  # as a terminal begins
shown = b""
pressed = False
while True:
    try:
        text = os.read(terminal, 4096)
    except OSError:  # EIO: the command has ended
        break
    shown += text
    if not pressed and b"doing" in shown:
        assert termios.tcgetattr(terminal)[3] & cooked == 0, "keys wait for a newline"
        os.write(terminal, key)
        pressed = True
status = os.waitpid(pid, 0)[1]
expected = 0 if key == b"q" else 2  # SIGINT
print(shown.decode(errors="replace"))
assert pressed, "it ended by itself"
assert status == expected, f"wait status {status}, not {expected}"
assert termios.tcgetattr(terminal)[3] & cooked == cooked, "the terminal is not as it was"
assert b"the job is over" not in shown
