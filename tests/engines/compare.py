"""What vLLM's two ranks gain by what joins them: muster, vLLM's own shared memory, and gloo. All three servers are started
first; in each round each has its turn, while the others are stopped. Prints a table of medians, and of the lowest and highest.

    compare.py [ROUNDS [OPTION OF VLLM]...]

Uses TEST_MODEL (what tiny_model.py has made), and own_gloo.py, installed.
"""

import pathlib
import statistics
import sys
import time

import engine
import test_vllm

JOINED = ("muster", "own", "gloo")
SHORT = list(range(2, 34))


def prefill_ms(client, tokens):
    began = time.monotonic()
    engine.complete(client, "tiny", [2 + 7 * place % 500 for place in range(tokens)], 1)
    return (time.monotonic() - began) * 1e3


def tokens_per_s(client, tokens=100):
    began = time.monotonic()
    engine.complete_all(client, "tiny", engine.PROMPTS, tokens)
    return len(engine.PROMPTS) * tokens / (time.monotonic() - began)


MEASURED = {
    "from token to token, one stream, ms": lambda client: engine.decode_step_ms(client, "tiny", SHORT, 200),
    "tokens/s of eight streams": tokens_per_s,
    "a prompt of 250 tokens, ms": lambda client: prefill_ms(client, 250),
    "a prompt of 1900 tokens, ms": lambda client: prefill_ms(client, 1900),
}


def measure(servers, rounds):
    """{(what, joined): numbers}, of which the first round, that warms up, is no part."""
    numbers = {(what, joined): [] for what in MEASURED for joined in servers}
    for turn in range(rounds + 1):
        for joined in list(servers)[turn % len(servers):] + list(servers)[:turn % len(servers)]:
            servers[joined].go_on()
            for what, measured in MEASURED.items():
                number = measured(servers[joined].client())
                if turn:
                    numbers[what, joined].append(number)
            servers[joined].pause()
    return numbers


def main(rounds, *options):
    servers = {}
    try:
        for joined in JOINED:
            servers[joined] = test_vllm.serve(engine.free_port(), joined, "--no-enable-prefix-caching", *options)
            servers[joined].pause()
        numbers = measure(servers, rounds)
    finally:
        for server in servers.values():
            server.kill()
            for name in server.left_in_shared_memory(0):
                pathlib.Path("/dev/shm", name).unlink(missing_ok=True)
    print(f"| {rounds} rounds, {' '.join(options)} | " + " | ".join(JOINED) + " |\n|---|" + "---|" * len(JOINED))
    for what in MEASURED:
        cells = [f"{statistics.median(all_):.3g} ({min(all_):.3g} to {max(all_):.3g})"
                 for all_ in (numbers[what, joined] for joined in JOINED)]
        print(f"| {what} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7, *sys.argv[2:])
