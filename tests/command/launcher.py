"""What test_launcher.sh checks of `muster run`."""
import fcntl
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import termios

from beside import helpers, tracing
from launched import (LEAVES, LIMIT, RUN, Job, check, children, eventually, finish, links, name, pass_time, python, shell,
                      state)


# ---- nobody can starve it ----

def starving():
    chatty = shell("[ $MUSTER_RANK = 1 ] && exit 9; exec yes")
    with open("/dev/null", "w") as null:
        check(Job("-n", "3", *chatty, stdout=null).status() == 9, "a failure beside ranks that print for ever")
        check(Job("-n", "2", "--timeout", "0.2", "--", "yes", stdout=null).status() == 124, "--timeout beside them")
        job = Job("-n", "2", "--", "yes", stdout=null)
        eventually("ranks that print", lambda: len(children(job.pid)) >= 2)
        job.process.terminate()
        check(job.status() == 143, "TERM beside them")
    check(Job("-n", "3", *chatty).status() == 9, "a failure, and nobody reads")
    check(Job("-n", "2", "--timeout", "0.2", "--", "yes").status() == 124, "--timeout, and nobody reads")
    job = Job("-n", "2", "--", "yes")
    job.read_until(b"y\n")
    job.process.terminate()
    check(job.status() == 143, "TERM, and nobody reads")
    # Nobody reads, and notices go there, too; the ranks are started again nonetheless.
    job = Job("-n", "2", "--timeout", "0.5", "--", "yes", stderr=subprocess.STDOUT)
    check(job.status() == 124, "--timeout, and nobody reads either")
    status = Job("-n", "2", "--timeout", "0.2", "--post-mortem", *shell("yes >&2")).status()
    check(status == 124, "--post-mortem, and nobody reads", status)
    status = Job("-n", "2", "--timeout", "0.2", "--trace", "/dev/full", *shell("yes >&2")).status()
    check(status == 124, "--trace on a full disk, and nobody reads", status)
    # It is waited for once, and not once for each rank: those of so many are more than it would ever be given.
    check(Job("-n", "150", "--timeout", "0.5", "--", "yes").status() == 124, "--timeout of many ranks, and nobody reads")
    # A slow reader gets all of it, from a job that went well.
    status, out, _ = Job("-n", "2", *python("print('x' * 99 + '\\n', end='') if 0 else print(('x' * 99 + '\\n') * 20000)")).end()
    check(status == 0 and out.count(b"x" * 99) == 40000, "all of it", len(out))


# ---- output that cannot be written ----

def unwritable():
    with open("/dev/full", "w") as full:
        status, _, err = Job("-n", "2", *shell("echo a; echo b"), stdout=full).end()
    check(status == 1 and err.count("cannot be written (No space left") == 1 and err.count("\n") == 1, "/dev/full", err)
    with open("/dev/full", "w") as full:
        status, _, err = Job("-n", "2", *shell("echo a; [ $MUSTER_RANK = 0 ] || exit 5"), stdout=full).end()
    check(status == 5 and err.count("cannot be written") == 1, "/dev/full, and a failure", err)
    status, _, err = Job("-n", "2", *shell("echo a"), preexec_fn=lambda: os.close(1)).end()
    check(status == 1 and err.count("cannot be written") == 1, "a closed stdout", err)
    job = Job("-n", "2", "--", "yes")
    job.read_until(b"y\n")
    job.process.stdout.close()
    check(job.status() == -signal.SIGPIPE and job.process.stderr.read() == b"", "nobody reads any more")
    job = Job("-n", "2", "--", "yes", restore_signals=False)  # Python ignores SIGPIPE, and so does it then
    job.read_until(b"y\n")
    job.process.stdout.close()
    check(job.status() == 141 and b"nobody reads" in job.process.stderr.read(), "the same without the signal")
    # Nothing else happens after that, and nothing need happen.
    job = Job("-n", "1", *shell("echo a; read x; echo b; exec sleep 1000"))
    job.read_until(b"[0] a\n")
    job.process.stdout.close()
    job.write(b"\n")
    check(job.status() == -signal.SIGPIPE, "nobody reads any more, and the ranks are silent after that")
    job = Job("-n", "1", *shell("echo a; read x; printf b; exec sleep 1000"))
    job.read_until(b"[0] a\n")
    job.process.stdout.close()
    job.write(b"\n")
    check(job.status() == -signal.SIGPIPE, "the same with a part of a line")
    with tempfile.TemporaryDirectory() as folder:
        os.symlink("/dev/full", folder + "/1.out")
        status, _, err = Job("-n", "2", "--log-dir", folder, *shell("echo a")).end()
        check(status == 1 and err.count("No space left") == 1, "--log-dir on a full disk", err)


# ---- parts of lines ----

def parts():
    job = Job("-n", "1", *shell("printf part; read x; echo ' rest'"))
    job.read_until(b"[0] part")
    job.write(b"\n")
    check(job.end()[:2] == (0, b"[0] part rest\n"), "a prompt", job.seen)
    job = Job("-n", "1", *shell("printf '\\rA'; read x; printf '\\rB'; read x; echo"))
    job.read_until(b"A")
    job.write(b"\n")
    job.read_until(b"B")
    job.write(b"\n")
    check(job.end()[:2] == (0, b"\r[0] A\r[0] B\n"), "a progress bar", job.seen)
    job = Job("-n", "2", "--stdin", "all", *shell(
        "if [ $MUSTER_RANK = 0 ]; then printf one; read x; read x; echo two; else read x; echo mid; fi"))
    job.read_until(b"one")
    job.write(b"\n")
    job.read_until(b"mid\n")
    job.write(b"\n")
    check(job.end()[1] == b"[0] one\n[1] mid\n[0]+ two\n", "a line that is broken", job.seen)
    status, out, err = Job("-n", "1", *python("print('x' * 3000000)")).end()
    check(status == 0 and out == b"[0] " + b"x" * 3000000 + b"\n" and err == "", "a very long line", len(out))
    status, out, err = Job("-n", "1", "--show", "0", *shell("printf 'a\\r\\nb\\r\\n\\n\\r\\n'")).end()
    check(out == b"[0] a\r\n[0] b\r\n[0] \n\r[0] \n", "lines of another system", out)


def terminals():
    code = "import os, sys; print(os.isatty(1), os.isatty(2))\n" \
           "out = os.fdopen(1, 'w', 4096 if not os.isatty(1) else 1); out.write('last words\\n'); os.kill(os.getpid(), 9)"
    status, out, _ = Job("-n", "1", "--tty", "--", sys.executable, "-c", code).end()
    check(status == 137 and out == b"[0] True True\n[0] last words\n", "--tty", out)
    status, out, _ = Job("-n", "2", "--tty", "--prefix", "none", *shell("echo a; echo b >&2")).end()
    check(status == 0 and out == b"a\na\n", "--tty without prefixes", out)
    status, out, _ = Job("-n", "1", "--tty", *python("import sys; sys.stdout.write('y' * 200000 + '\\n')")).end()
    check(status == 0 and out == b"[0] " + b"y" * 200000 + b"\n", "more than a terminal holds", len(out))
    job = Job("-n", "8", "--tty", "--", "seq", "25000")
    job.read_until(b"\n")
    pass_time(0.2)  # in which the terminals are full, too
    status, out, _ = job.end()
    check(status == 0 and out.count(b"\n") == 200000 and b"+" not in out, "whole lines for a reader who pauses", out.count(b"\n"))


def widths():
    """A rank that asks how wide its terminal is, before and after ours has changed."""
    ours, theirs = pty.openpty()
    set_size = lambda rows, columns: fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    set_size(33, 77)
    code = 'first=$(stty size <&2); echo "$first"; while [ "$(stty size <&2)" = "$first" ]; do :; done; stty size <&2'
    job = Job("-n", "1", "--tty", "--timeout", str(LIMIT), *shell(code), stdout=theirs)
    os.close(theirs)
    job.process.stdout = os.fdopen(ours, "rb", 0)
    job.read_until(b"33 77")
    set_size(44, 99)
    job.process.send_signal(signal.SIGWINCH)
    job.read_until(b"44 99")
    check(job.status() == 0, "a terminal that becomes wider")


SHELL = """
import os, signal, subprocess, sys, termios
def stopped():
    with open("/proc/%d/task/%d/children" % (job.pid, job.pid)) as file:
        return sum(open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()[0] == "T" for pid in file.read().split())
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
modes = termios.tcgetattr(0)
modes[3] |= termios.TOSTOP
termios.tcsetattr(0, termios.TCSANOW, modes)
job = subprocess.Popen(sys.argv[2:], preexec_fn=lambda: (os.setpgid(0, 0), signal.signal(signal.SIGTTOU, signal.SIG_DFL)))
status = os.waitpid(job.pid, os.WUNTRACED)[1]
while stopped() != int(sys.argv[1]):
    pass
print("stopped", os.WIFSTOPPED(status), os.tcgetpgrp(0) == os.getpgrp(), flush=True)
os.tcsetpgrp(0, job.pid)
os.kill(-job.pid, signal.SIGCONT)
print("status", os.waitpid(job.pid, 0)[1], "over", flush=True)
"""


def in_background(ranks, *args):
    """A job in the background of a terminal, which stops there with all its ranks, and is then brought to the front."""
    pid, ours = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", SHELL, str(ranks)] + RUN + list(args))
    job = Job.__new__(Job)
    job.seen, job.process = b"", subprocess.Popen(["true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    job.process.stdout, job.pid = os.fdopen(ours, "r+b", 0), pid
    job.read_until(b"stopped True True")
    return job


def background():
    # A rank is to read the terminal: the job does not take it from the shell.
    job = in_background(0, "-n", "2", "--stdin", "1", *shell("[ $MUSTER_RANK = 0 ] || { echo $MUSTER_RANK reads; read x && echo got $x; }"))
    job.read_until(b"1 reads")
    job.process.stdout.write(b"typed\n")
    job.read_until(b"over")
    os.waitpid(job.pid, 0)
    check(b"got typed" in job.seen, "a rank that reads the terminal", job.seen)
    # After stty tostop, nobody may print there; the ranks stop, too.
    job = in_background(2, "-n", "2", "--prefix", "rank", *shell("echo printed; exec sleep 1000"))
    job.read_until(b"printed", 2)
    job.process.stdout.write(b"\3")
    job.read_until(b"over")
    os.waitpid(job.pid, 0)
    check(b"status %d over" % (130 << 8) in job.seen, "ranks that print to the terminal", job.seen)


SCRIPT = """
import os, subprocess, sys, termios
before = termios.tcgetattr(0)
status = subprocess.call(sys.argv[1], shell=True)
print("ended", status, termios.tcgetattr(0) == before, os.tcgetpgrp(0) == os.getpgrp(), "over", flush=True)
"""


def order():
    """A script's terminal, after a rank that has it was ended while it edits a line, or draws a page."""
    fails = "[ $MUSTER_RANK = 1 ] && { until stty -a </dev/tty | grep -q -e \"-echo \"; do :; done; exit 5; }; "
    for ranks, before, then, behind, status in ((1, "", "kill -9 $$", "", 137), (2, fails, "exec sleep 1000", "", 5),
                                                (1, "", "exec yes", " | head -n 1", 0)):
        pid, ours = pty.fork()
        if pid == 0:
            command = "%s -n %d --stdin 0 -- sh -c '%sstty raw -echo; %s'%s" % (" ".join(RUN), ranks, before, then, behind)
            os.execv(sys.executable, [sys.executable, "-c", SCRIPT, command])
        job = Job.__new__(Job)
        job.seen, job.process = b"", subprocess.Popen(["true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        job.process.stdout = os.fdopen(ours, "r+b", 0)
        job.read_until(b"over")
        os.waitpid(pid, 0)
        check(b"ended %d True True" % status in job.seen, "the terminal's order after: %s%s" % (then, behind), job.seen)


HELD = """
import subprocess, sys, termios
termios.tcflow(1, termios.TCOOFF)
writer = subprocess.Popen(["yes"])
status = subprocess.call(sys.argv[1:])
writer.kill()
writer.wait()
termios.tcflow(1, termios.TCOON)
print("ended", status, "over", flush=True)
"""


def held():
    """A job that has had a terminal whose output ^S holds, while somebody else writes there."""
    pid, ours = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", HELD] + RUN + ["-n", "1", "--stdin", "0", "true"])
    job = Job.__new__(Job)
    job.seen, job.process = b"", subprocess.Popen(["true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    job.process.stdout = os.fdopen(ours, "r+b", 0)
    job.read_until(b"over")
    os.waitpid(pid, 0)
    check(b"ended 0 over" in job.seen, "a terminal that is held", job.seen)


# ---- what is inherited ----

def closed():
    for gone in ([0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]):
        job = Job("-n", "2", "--", LEAVES, "none", preexec_fn=lambda: [os.close(fd) for fd in gone])
        check(job.status() == 0, "closed: %s" % gone)
        job = Job("-n", "2", "--prefix", "none", "--", LEAVES, "none", preexec_fn=lambda: [os.close(fd) for fd in gone])
        check(job.status() == 0, "closed, without prefixes: %s" % gone)


def masks(line):
    """Of a rank: which signals are SigBlk or SigIgn."""
    return int(line.split()[2], 16)


def inherited():
    show = ["--", "grep", "-E", "SigBlk|SigIgn", "/proc/self/status"] # a shell would change them

    def change():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))

    status, out, err = Job("-n", "40", *shell("ulimit -Sn"), preexec_fn=change).end()
    check(status == 0 and out.count(b"] 64\n") == 40, "40 ranks with 64 descriptors", err)
    status, out, err = Job("-n", "8", *show, preexec_fn=change, restore_signals=False).end()
    lines = [line for line in out.decode().splitlines() if line.startswith("[7]")]
    blocked, ignored = masks(lines[0]), masks(lines[1])
    bit = lambda number: 1 << (number - 1)
    check(blocked == bit(signal.SIGTERM) | bit(signal.SIGUSR2), "blocked signals of ranks", lines)
    wanted = [signal.SIGCHLD, signal.SIGHUP, signal.SIGPIPE]
    check(all(ignored & bit(number) for number in wanted) and not ignored & bit(signal.SIGTERM), "ignored ones", lines)
    status, out, _ = Job("-n", "1", *show).end()
    lines = out.decode().splitlines()
    check(masks(lines[0]) == 0 and not masks(lines[1]) & bit(signal.SIGPIPE), "and otherwise none", lines)
    job = Job("-n", "1", "--grace", "0.1", *shell("echo ready; exec sleep 1000"), preexec_fn=change)
    job.read_until(b"ready")
    job.process.terminate()
    status, _, err = job.end()
    check(status == 137 and "0.1 s later, and was killed" in err, "TERM, blocked when it was started", err)
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (130, 130))
    check(Job("-n", "40", "--", "true", preexec_fn=few).status() == 0, "fewer descriptors than three per rank")
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
    status, _, err = Job("-n", "40", "--", "true", preexec_fn=few).end()
    check(status == 125 and "Too many open files" in err and "ulimit -n" in err, "too few of them", err)


# ---- signals ----

def once():
    rounds = 40
    names = ["INT", "TERM", "HUP", "USR1", "QUIT"]
    # Taken by sigwait: one that comes just before signal.pause would be handled only after the next one.
    code = "import os, signal\n" \
           "ours = [getattr(signal, 'SIG' + name) for name in %r] + [signal.SIGUSR2]\n" \
           "signal.pthread_sigmask(signal.SIG_BLOCK, ours)\n" \
           "os.write(1, b'ready\\n')\n" \
           "while signal.sigwait(ours) != signal.SIGUSR2: os.write(1, b'got\\n')" % (names,)
    job = Job("-n", "2", "--grace", "1000", *python(code))
    job.read_until(b"ready\n", 2)
    sent = 0
    for _ in range(rounds):
        for name in names:
            job.process.send_signal(getattr(signal, "SIG" + name))
            sent += 2
            job.read_until(b"got\n", sent)
    job.process.send_signal(signal.SIGUSR2)
    status, out, _ = job.end()
    check(status == 0 and out.count(b"got\n") == sent, "each signal once", (status, out.count(b"got\n"), sent))


def pids(job, count):
    job.read_until(b" is\n", count)
    return [int(line.split()[-2]) for line in job.seen.splitlines() if line.endswith(b" is")]


def stopping():
    # In a process group of its own: as a shell's job, which the shell could continue.
    job = Job("-n", "2", *shell("sleep 1000 & echo $! is; trap 'kill $!; exit 0' USR1; wait"), preexec_fn=os.setpgrp)
    sleepers = pids(job, 2)
    for _ in range(2):
        os.kill(job.pid, signal.SIGTSTP)
        check(os.WIFSTOPPED(os.waitpid(job.pid, os.WUNTRACED)[1]), "TSTP stops the launcher")
        eventually("and the ranks", lambda: [state(pid) for pid in sleepers] == ["T", "T"])
        os.kill(job.pid, signal.SIGCONT)
        eventually("CONT continues all", lambda: "T" not in [state(pid) for pid in sleepers + [job.pid]])
    os.kill(job.pid, signal.SIGUSR1)
    check(job.end()[0] == 0, "and it ends as ever")
    job = Job("-n", "1", "--grace", "1000", *shell("trap 'exit 7' TERM; echo $$ is; kill -STOP $$; while :; do :; done"))
    stopped = pids(job, 1)[0]
    eventually("a rank that has stopped", lambda: state(stopped) == "T")
    job.process.terminate()
    check(job.status() == 7, "acts on TERM nonetheless", job.seen)
    # The first of a session, as behind ssh -t: there is no shell that could continue it.
    code = "trap 'echo told to stop' TSTP; trap 'exit 0' USR1; echo $$ is; while :; do sleep 0.01; done"
    job = Job("-n", "2", *shell(code), start_new_session=True)
    pids(job, 2)
    for number in (signal.SIGTSTP, signal.SIGUSR1):
        os.kill(job.pid, number)
    ended = os.waitpid(job.pid, os.WUNTRACED)[1]
    os.kill(job.pid, signal.SIGCONT) if os.WIFSTOPPED(ended) else None
    check(ended == 0 and b"told" not in job.process.stdout.read(), "TSTP where nobody could continue it", ended)


def killed():
    job = Job("-n", "2", *shell("sleep 1000 & echo $! is; wait; true"))
    sleepers = pids(job, 2)
    below = children(job.pid)
    check(len(below) == 3, "two ranks and a guard", below)
    eventually("a guard in a session of its own", lambda: any(os.getsid(pid) == pid for pid in below))
    guard = [pid for pid in below if os.getsid(pid) == pid][0]
    eventually("that holds nothing", lambda: len(os.listdir("/proc/%d/fd" % guard)) <= 2 and
               os.readlink("/proc/%d/cwd" % guard) == "/")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP):
        os.kill(guard, number)
    job.process.kill()
    job.process.wait()
    eventually("ranks behind a wrapper, when the launcher is killed",
               lambda: all(state(pid) in ("gone", "Z") for pid in sleepers + [guard]))
    # Those in a process group of their own go on. They wait for nobody, and so never look for the launcher.
    with tempfile.TemporaryDirectory() as folder:
        job = Job("-n", "2", *shell("setsid -w %s alone 2>%s/$MUSTER_RANK; true" % (LEAVES, folder)))
        job.read_until(b"goes on\n", 2)
        job.process.kill()
        job.process.wait()
        for rank in "01":
            eventually("rank %s is told" % rank, lambda: "launcher of these ranks is gone" in open(folder + "/" + rank).read())


def executed():
    """What a rank executes may outlive the job, and must not hold its memory; a wrapper, before that, does."""
    job = Job("--on-failure", "continue", "-n", "2", "--", LEAVES, "exec")
    eventually("a rank that is another program", lambda: "sleep" in map(name, children(job.pid)))
    sleeper = [pid for pid in children(job.pid) if name(pid) == "sleep"][0]
    check(not any("memfd:muster" in link for link in links(sleeper)), "no arena", links(sleeper))
    job.process.terminate()
    job.process.wait()


# ---- causes ----

def says(how, ranks, status, *sentences, options=()):
    got, _, err = Job(*options, "-n", str(ranks), "--", LEAVES, how).end()
    last = err.splitlines()[-1] if err else ""
    check(got == status and all(sentence in last for sentence in sentences), "the last line: %s" % how, (got, err))
    return err


def causes():
    early = "rank 1 %s while others still needed it; then rank %s exited with status 8"
    says("exit", 2, 8, early % ("exited with status 0", 0))
    says("_exit", 3, 8, "rank 1 exited with status 0 while others still needed it; then rank ")
    if os.environ.get("TEST_SANITIZE") != "thread":  # which has a thread of its own, that keeps the process
        for own in "01":
            says("threads", 3, 8, "rank 1 exited with status 0 while others still needed it; then rank ",
                 options=("--env", "MUSTER_PROGRESS_THREAD=" + own))
    if os.environ.get("TEST_PARK") != "portable":  # without futexes there are no death words, and nothing else sees an exec
        says("exec", 2, 8, early % ("executed another program (exec)", 0))
    says("kill", 4, 134, "rank 1 was killed by signal 6 (Aborted)")
    says("four", 4, 4, "rank 1 exited with status 4")
    says("abort", 2, 3, "rank 1 aborted the group: the data is used up; then rank 1 exited with status 3")
    says("mismatch", 3, 8, "rank 0 called all_sum (float32 x 1) and rank 1 called all_sum (float32 x 2)")
    says("part", 4, 7, "a part has failed (in a group of 2, where rank 1 of the world is rank 1)",
         "then rank 1 exited with status 7")
    err = says("copy", 3, 8, "rank 1 aborted the group: a copy has failed; then rank ")
    check("is rank" not in err, "a copy of the world has its numbers", err)
    err = says("turned exit", 4, 8, "rank 1 exited with status 0 while others still needed it")
    check("] rank 2 of the group (rank 1 of the world) exited with status 0 without" in err or
          "] rank 2 of the group (rank 1 of the world) left the group" in err, "the number in the world", err)
    err = says("turned abort", 4, 8, "rank 2 aborted the group: a copy has failed (in a group of 4, where rank 1 of the world is rank 2)")
    check("rank 1 of the world is rank 2)\n[" in err or "rank 1 of the world is rank 2)\nmuster run: " in err,
          "the number in the world, of what a rank says", err)
    err = says("four", 24, 4, "rank 1 exited with status 4")
    # That it has left is known before how it ended, where ending takes long (under a sanitizer).
    # Who gets no CPU for a tenth of a second is stopped before it says anything.
    more = re.search(r"(\d+) more ranks printed the same line as rank", err)
    check(err.count("] rank 1 exited with status 4") + err.count("] rank 1 left the group") == 1 and more
          and 2 <= int(more[1]) <= 22, "the same sentence once", err)
    status, _, err = Job("-n", "2", "--timeout", "0.2", "--", "sleep", "1000").end()
    check(status == 124 and err == "muster run: timed out after 0.2 s; the ranks were stopped\n", "--timeout", err)
    for number, name in ((signal.SIGTERM, "15 (Terminated)"), (signal.SIGINT, "2 (Interrupt)"), (signal.SIGHUP, "1 (Hangup)"),
                         (signal.SIGUSR1, "10 (User defined signal 1)"), (signal.SIGUSR2, "12 (User defined signal 2)")):
        job = Job("-n", "2", *shell("echo ready; exec sleep 1000"))
        job.read_until(b"ready\n", 2)
        job.process.send_signal(number)
        status, _, err = job.end()
        check(status == 128 + number and err == "muster run: signal %s was passed on to the ranks, and ended them\n" % name,
              "the last line after a signal", err)
    status, _, err = Job("-n", "4", "--on-hang", "abort", "--hang-after", "0.2", "--",
                         os.path.join(os.environ["TEST_BUILD"], "tests", "waits")).end()
    check(status == 143 and "so the ranks were stopped (--on-hang abort)" in err.splitlines()[-1], "--on-hang abort", err)


for part in (starving, unwritable, parts, terminals, widths, background, order, held, closed, inherited, once, stopping,
             killed, executed, helpers, tracing, causes):
    if len(sys.argv) < 2 or part.__name__ in sys.argv[1:]:
        part()
finish()
