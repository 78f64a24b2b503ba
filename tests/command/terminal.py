"""A terminal of its own for a command, whose user types once."""

import os
import pty


def run(command, keys, is_time, prepare=lambda: None):
    """Runs the command, and types the keys when is_time(what it has shown, the terminal) says so, once. Returns its wait
    status, all that it has shown, and the terminal; prepare() runs in its process before it."""
    pid, terminal = pty.fork()
    if pid == 0:
        prepare()
        os.execvp(command[0], command)
    shown = b""
    typed = False
    while True:
        try:
            text = os.read(terminal, 4096)
        except OSError:  # EIO: the command has ended
            break
        shown += text
        if not typed and is_time(shown, terminal):
            os.write(terminal, keys)
            typed = True
    return os.waitpid(pid, 0)[1], shown.decode(errors="replace"), terminal
