"""What test_launcher.sh checks of the processes that help `muster run` beside its ranks."""
import os
import pty
import signal
import subprocess
import tempfile
import termios

from launched import LEAVES, RUN, Job, check, children, eventually, links, name, python, shell, state


def beside(job):
    """The feeder and the watcher of a job, and its guard."""
    for pid in children(job.pid):
        if any("memfd:muster-stdin" in link for link in links(pid)):
            feeder = pid
        elif os.getsid(pid) == pid:
            guard = pid
        elif name(pid) == name(job.pid):
            watcher = pid
    return feeder, watcher, guard


def helpers():
    """What is sent to the process group is for the ranks only, and the end of a helper is told."""
    code = "import signal, sys\n" \
           "for name in 'INT TERM HUP QUIT USR1 USR2'.split(): signal.signal(getattr(signal, 'SIG' + name), signal.SIG_IGN)\n" \
           "print('ready')\n" \
           "for line in sys.stdin: print('got', line, end='')"
    options = ["--stdin", "all", "--on-hang", "report", "--grace", "1000", "-n", "2"]
    job = Job(*options, *python(code), preexec_fn=os.setpgrp)
    job.read_until(b"ready\n", 2)
    helping = beside(job)
    for number in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH", "CONT"):
        os.killpg(job.pid, getattr(signal, "SIG" + number))
    os.killpg(job.pid, signal.SIGTSTP)
    os.waitpid(job.pid, os.WUNTRACED)
    check("T" not in map(state, helping[:2]), "helpers do not stop: who continues the launcher need not know of them")
    os.kill(job.pid, signal.SIGCONT)
    job.write(b"line\n")
    job.read_until(b"got line\n", 2)
    check(beside(job) == helping, "all of them are there", helping)
    status, out, err = job.end()
    check(status == 0 and err == "", "signals to the process group", (status, err))

    for which, wanted, words in ((0, 143, "input was killed by signal 9 (Killed): they have not had all of it"),
                                 (1, 0, "looks for hangs was killed by signal 9 (Killed): nobody has looked")):
        job = Job(*options, *shell("echo ready; cat; exec sleep %d" % (0 if which else 1000)))
        job.read_until(b"ready\n", 2)
        victim = beside(job)[which]
        os.kill(victim, signal.SIGKILL)
        eventually("its end", lambda: which == 0 or state(victim) == "Z")
        status, _, err = job.end()
        check(status == wanted and err.count("\n") == 1 and words in err, "a helper that is killed", (status, err))
    job = Job(*options, *shell("echo ready; cat"))
    job.read_until(b"ready\n", 2)
    os.kill(beside(job)[0], signal.SIGKILL)
    status, _, err = job.end()
    check(status in (1, 143) and "they have not had all of it" in err, "ranks that take that for the end", (status, err))


def tracing():
    """Who collects the trace is no job of the shell's: after stty tostop it says what it has to say."""
    with tempfile.TemporaryDirectory() as folder:
        pid, ours = pty.fork()
        if pid == 0:
            modes = termios.tcgetattr(0)
            modes[3] |= termios.TOSTOP
            termios.tcsetattr(0, termios.TCSANOW, modes)
            os.execv(RUN[0], RUN + ["-n", "2", "--trace", folder + "/trace", "--", LEAVES, "none"])
        job = Job.__new__(Job)
        job.seen, job.process = b"", subprocess.Popen(["true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        job.process.stdout = os.fdopen(ours, "r+b", 0)
        job.read_until(b"see muster trace")
        check(os.waitpid(pid, 0)[1] == 0, "a trace after stty tostop", job.seen)
