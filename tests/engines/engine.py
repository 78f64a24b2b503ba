"""Servers under test: started with their output in view, asked over HTTP by the openai client, and looked for afterwards.

What is waited for is a line of the server's, the end of a process, or an answer; LIMIT_S is when a wait has hung.
"""

import contextlib
import glob
import os
import re
import select
import socket
import statistics
import subprocess
import threading
import time

import openai
import psutil

LIMIT_S = 600 * int(os.environ.get("TEST_PATIENCE", "1"))
PROMPTS = ["the ranks of a group", "each reads", "what the others", "have written there .", "in one arena", "meet", "and",
           "a group meet in"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _ends(process, until):
    """Waits for it; whether it has ended by then."""
    try:
        end = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        ends = select.poll()
        ends.register(end, select.POLLIN)
        return not process.is_running() or bool(ends.poll(max(0, until - time.monotonic()) * 1e3))
    finally:
        os.close(end)


class Server:
    """A command that serves HTTP; `ready` is in the line with which it says that it does."""

    def __init__(self, command, port, ready, environment=()):
        self.port, self.lines = port, []
        self._changed = threading.Condition()
        self._shared_before = set(os.listdir("/dev/shm"))
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                         errors="replace", env={**os.environ, **dict(environment)})
        self._family = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for_line(ready)
        except BaseException:
            self.kill()
            raise
        self.family()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip())
                self._changed.notify_all()
        with self._changed:
            self.lines.append(None)  # its end, and that of all who have its output
            self._changed.notify_all()

    def _find(self, words):
        return next((line for line in self.lines if line and words in line), None)

    def wait_for_line(self, words):
        with self._changed:
            self._changed.wait_for(lambda: self._find(words) or self.lines[-1:] == [None], LIMIT_S)
            if not self._find(words):
                raise AssertionError(f"no line {words!r} in:\n" + self.text())
            return self._find(words)

    def text(self):
        return "\n".join(line for line in self.lines if line is not None)

    def family(self):
        """All of its processes so far, by number; those that have ended, too."""
        if self._process.poll() is None:
            root = psutil.Process(self._process.pid)
            for process in [root, *root.children(recursive=True)]:
                self._family.setdefault(process.pid, process)
        return self._family

    def worker(self, title):
        """The number of the process with that title."""
        for process in self.family().values():
            if title in " ".join(process.cmdline()):
                return process
        raise AssertionError(f"no process {title} among " + str([p.cmdline() for p in self.family().values()]))

    def client(self):
        return openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key="none", max_retries=0, timeout=LIMIT_S)

    def wait_until_all_ended(self):
        """Those that have not, at the limit, are killed, and an error; seconds until then. Whoever has adopted one may be
        slow to look how it has ended: what counts is that it has."""
        since = time.monotonic()
        left = [process for process in list(self.family().values()) if not _ends(process, since + LIMIT_S)]
        took = time.monotonic() - since
        self.kill()
        if left:
            raise AssertionError(f"{left} are still there. Its output:\n" + self.text())
        return took

    def left_in_shared_memory(self, patience_s=60):
        """New names of muster's, vLLM's and Python's kinds, which no process of whatever other job has mapped, or removes
        or maps soon."""
        until = time.monotonic() + patience_s
        while names := self._left():
            if time.monotonic() >= until:
                break
            time.sleep(0.1)
        return names

    def _left(self):
        new = {name for name in set(os.listdir("/dev/shm")) - self._shared_before if re.match("muster|psm_|.*cpushm", name)}
        for maps in glob.glob("/proc/[0-9]*/maps") if new else []:
            with contextlib.suppress(OSError), open(maps, encoding="utf-8", errors="replace") as file:
                new -= set(re.findall(r"/dev/shm/(\S+)", file.read()))
        return sorted(new)

    def terminate(self):
        self._process.terminate()

    def pause(self):
        """It takes no CPU until go_on()."""
        for process in self.family().values():
            process.suspend()

    def go_on(self):
        for process in self._family.values():
            process.resume()

    def kill(self):
        for process in self.family().values():
            if process.is_running():
                process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()


def complete(client, model, prompt, tokens=24):
    """Text, of the likeliest tokens."""
    return client.completions.create(model=model, prompt=prompt, max_tokens=tokens, temperature=0,
                                     extra_body={"ignore_eos": True}).choices[0].text


def complete_all(client, model, prompts, tokens=24):
    """Of several prompts, at the same time."""
    texts = [None] * len(prompts)

    def ask(number):
        texts[number] = complete(client, model, prompts[number], tokens)

    _in_threads(ask, len(prompts))
    return texts


class CutError(Exception):
    """A stream without an end."""


def stream(client, model, prompt, tokens=24, seen=None):
    """Text as it came, part by part; seen() is called at the first."""
    parts, reason = [], None
    for part in client.completions.create(model=model, prompt=prompt, max_tokens=tokens, temperature=0, stream=True,
                                          extra_body={"ignore_eos": True}):
        if part.choices and part.choices[0].text:
            if seen and not parts:
                seen()
            parts.append(part.choices[0].text)
        if part.choices:
            reason = part.choices[0].finish_reason or reason
    if reason is None:
        raise CutError(f"the stream ended after {len(parts)} parts, without a reason")
    return parts


def decode_step_ms(client, model, prompt, tokens=400):
    """The median time between two tokens of one stream."""
    times = []
    for part in client.completions.create(model=model, prompt=prompt, max_tokens=tokens, temperature=0, stream=True,
                                          extra_body={"ignore_eos": True}):
        times.append(time.monotonic())
    return statistics.median(after - before for before, after in zip(times, times[1:])) * 1e3


def _in_threads(ask, count):
    errors = []

    def guarded(number):
        try:
            ask(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    if errors:
        raise errors[0]


class Load:
    """Streams of many tokens, one per prompt, that are under way once this is made."""

    def __init__(self, client, model, tokens):
        self.errors = [None] * len(PROMPTS)
        self.parts = [None] * len(PROMPTS)
        under_way = threading.Barrier(len(PROMPTS) + 1)
        self._threads = [threading.Thread(target=self._ask, args=(number, client, model, tokens, under_way.wait), daemon=True)
                         for number in range(len(PROMPTS))]
        for thread in self._threads:
            thread.start()
        under_way.wait(LIMIT_S)
        self._since = time.monotonic()

    def _ask(self, number, client, model, tokens, seen):
        try:
            self.parts[number] = stream(client, model, PROMPTS[number], tokens, seen)
        except Exception as error:
            self.errors[number] = error

    def wait(self):
        """Until all have ended, in whatever way; the seconds since they were under way."""
        for thread in self._threads:
            thread.join(LIMIT_S)
            if thread.is_alive():
                raise AssertionError("a client still waits")
        return time.monotonic() - self._since
