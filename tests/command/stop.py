"""stop.py COMMAND...: runs a command as a job of a shell's on a terminal of its own, stops it by Ctrl-Z once it has shown
something, and expects the terminal as it was meanwhile, and as the command needs it once it goes on; q ends it."""

import os
import pty
import signal
import sys
import termios

COOKED = termios.ICANON | termios.ECHO  # as a terminal begins


def cooked(terminal):
    return termios.tcgetattr(terminal)[3] & COOKED


def shell(command):
    """What a shell does for a job: lends it the terminal, and takes that back when it is stopped."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    status = os.waitpid(job, os.WUNTRACED)[1]
    assert os.WIFSTOPPED(status), f"wait status {status}: not stopped"
    os.tcsetpgrp(0, os.getpgrp())
    print("stopped", cooked(0) == COOKED, flush=True)
    os.tcsetpgrp(0, job)
    os.kill(job, signal.SIGCONT)
    status = os.waitpid(job, 0)[1]
    os.tcsetpgrp(0, os.getpgrp())
    print("ended", status, cooked(0) == COOKED, flush=True)


pid, terminal = pty.fork()
if pid == 0:
    shell(sys.argv[1:])
    os._exit(0)
keys = [b"\x1a", b"q"]
shown = since = b""
while True:
    try:
        text = os.read(terminal, 4096)
    except OSError:  # EIO: all have ended
        break
    shown += text
    since += text  # the key before
    if keys and b"doing" in since and cooked(terminal) == 0 and (len(keys) == 2 or b"stopped" in shown):
        os.write(terminal, keys.pop(0))
        since = b""
os.waitpid(pid, 0)
print(shown.decode(errors="replace"))
assert b"stopped True" in shown, "the terminal is not as it was while the command is stopped"
assert b"ended 0 True" in shown, "the command has not ended by q, or the terminal is not as it was"
