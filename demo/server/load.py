#!/usr/bin/env python3
"""Asks a server for many texts at once, and says how it did: load.py URL [REQUESTS] [AT-ONCE] [TOKENS]

Every answer is compared with the first of its seed. Exit status 1 when one was wrong, or was none.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit

SEEDS = 10


def ask(where, seed, tokens):
    """The text of a seed, streamed, and when its first and last token came."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(where, timeout=60)
    connection.request("POST", "/generate", json.dumps({"prompt": "The ", "seed": seed, "tokens": tokens}))
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}: {answer.read()!r}")
    text, first, done = "", None, False
    for line in answer:
        said = json.loads(line)
        first = first or time.monotonic()
        text += said.get("text", "")
        done = said.get("done", done)
    connection.close()
    if not done:
        raise RuntimeError("the text was cut short")
    return text, first - began, time.monotonic() - began


def main():
    where = urlsplit(sys.argv[1]).netloc
    requests, at_once, tokens = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 2000), (3, 16), (4, 50)))
    expected = [ask(where, seed, tokens)[0] for seed in range(SEEDS)]
    numbers, firsts, lasts, failures = iter(range(requests)), [], [], []
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                text, first, last = ask(where, number % SEEDS, tokens)
                if text != expected[number % SEEDS]:
                    raise RuntimeError("another text than before")
                firsts.append(first)
                lasts.append(last)
            except Exception as error:  # pylint: disable=broad-except
                failures.append(f"request {number}: {error}")

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    for failure in failures[:5]:
        print(failure, file=sys.stderr)

    def quantiles(values):
        values = sorted(values) or [0]
        return ", ".join(f"{1e3 * values[int(q * (len(values) - 1))]:.1f} ms" for q in (0.5, 0.9, 0.99))

    print(f"{requests} requests, {at_once} at once, {tokens} tokens each: {len(failures)} failed, {requests / seconds:.0f} requests/s, {requests * tokens / seconds:.0f} tokens/s")
    print(f"first token (50, 90, 99 %): {quantiles(firsts)}; whole text: {quantiles(lasts)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
