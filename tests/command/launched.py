"""Jobs of `muster run` for test_launcher.sh, and what is checked of them. Nothing here waits for a time to pass: each
wait is for a line, an end or a state, and gives up after LIMIT seconds, with a failure."""
import os
import select
import subprocess
import sys
import time

LIMIT = 120 * int(os.environ.get("TEST_PATIENCE", "1"))
RUN = [os.environ["TEST_COMMAND"], "run"]
LEAVES = os.path.join(os.environ["TEST_BUILD"], "tests", "leaves")
failures = 0
checks = 0


def check(good, what, seen=""):
    global checks, failures
    checks += 1
    if not good:
        failures += 1
        print("FAILED: %s %s" % (what, repr(seen)[:2000] if seen != "" else ""), flush=True)


class Job:
    """A `muster run`, with pipes to it unless said otherwise."""

    def __init__(self, *args, **options):
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, subprocess.PIPE)
        self.process = subprocess.Popen(RUN + list(args), bufsize=0, **options)
        self.seen = b""
        self.pid = self.process.pid

    def read(self):
        """What comes next, or nothing at the end; a failure when nothing comes."""
        if not select.select([self.process.stdout], [], [], LIMIT)[0]:
            raise SystemExit("FAILED: no output after %r" % self.seen[-500:])
        new = os.read(self.process.stdout.fileno(), 65536)
        self.seen += new
        return new

    def read_until(self, text, count=1):
        while self.seen.count(text) < count:
            if not self.read():
                raise SystemExit("FAILED: ended without %r: %r, %r" % (text, self.seen, self.process.stderr.read()))

    def write(self, text):
        self.process.stdin.write(text)

    def end(self):
        """(status, stdout, stderr), whoever has read of them before."""
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, self.seen + (out or b""), (err or b"").decode()

    def status(self):
        """The status, with nobody reading."""
        return self.process.wait(timeout=LIMIT)


def python(code):
    return ["--", sys.executable, "-uc", code]


def shell(code):
    return ["--", "sh", "-c", code]


def eventually(what, condition):
    end = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < end:
        select.select([], [], [], 0.01)
    check(condition(), what)


def pass_time(seconds):
    """On purpose, and nothing is expected to have happened meanwhile."""
    select.select([], [], [], seconds)


def state(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


def links(pid):
    """What a process has open."""
    try:
        return [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
    except (FileNotFoundError, PermissionError, ProcessLookupError):  # it has ended, perhaps
        return []


def name(pid):
    try:
        with open("/proc/%d/comm" % pid) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def finish():
    print("the launcher: checks: %d, failures: %d" % (checks, failures))
    sys.exit(failures != 0)
