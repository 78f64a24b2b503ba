"""vLLM with two ranks on muster, for real: `vllm serve` on a tiny random model, the openai client, streams, eight at the same
time; a worker that is killed, or stopped, under load; compiled, stages of a pipeline, experts; tokens as with vLLM's
own memory, and gloo.

    test_vllm.py [CLASS.CASE]...

Uses TEST_MODEL and TEST_EXPERTS (what tiny_model.py has made), and own_gloo.py, installed.
"""

import os
import pathlib
import sys
import unittest

import engine

MODEL = os.environ["TEST_MODEL"]
TIMEOUT_S = 5 * int(os.environ.get("TEST_PATIENCE", "1"))
EAGER = "--enforce-eager"
LONG = [2 + 7 * place % 500 for place in range(1500)]  # a prompt as tokens, whose activations are in the arena
_SEEN = {}  # how vLLM's ranks were joined, and its options: what it answered


def _cpus():
    cpus = sorted(os.sched_getaffinity(0))
    return f"{cpus[0]}|{cpus[1]}" if len(cpus) > 1 else "nobind"


def serve(port, joined="muster", *options, model=MODEL, tensor=2):
    """`joined`: muster, own, which is vLLM's shared memory, or gloo."""
    environment = {"VLLM_CPU_OMP_THREADS_BIND": _cpus(), "VLLM_PLUGINS": joined, "MUSTER_TIMEOUT": str(TIMEOUT_S)}
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", "tiny",
               "--tensor-parallel-size", str(tensor), "--dtype", "float32", "--kv-cache-memory-bytes", str(1 << 28),
               "--max-model-len", "2048", "--max-num-seqs", "16", "--host", "127.0.0.1", "--port", str(port), *options]
    return engine.Server(command, port, "Application startup complete", environment)


def _answers(server):
    """Tokens of each prompt alone, and of a long one; of some as a stream; and of the short ones at the same time."""
    client = server.client()
    alone = [engine.complete(client, "tiny", prompt) for prompt in [*engine.PROMPTS, LONG]]
    streamed = ["".join(engine.stream(client, "tiny", prompt)) for prompt in engine.PROMPTS[:2]]
    together = engine.complete_all(client, "tiny", engine.PROMPTS)
    return alone, streamed, together


class Serving(unittest.TestCase):
    """In the order of their names: each starts a server, which takes most of the time."""

    port = engine.free_port()

    def answer(self, joined, *options, **how):
        server = serve(self.port, joined, *options, **how)
        try:
            alone, streamed, together = _answers(server)
            self.assertEqual(streamed, alone[:2])
            self.assertEqual(together, alone[:-1])
            self.assertGreater(len(set(alone)), 1, "all prompts have one answer")
            _SEEN.setdefault((joined, options), alone)
            step_ms = engine.decode_step_ms(server.client(), "tiny", engine.PROMPTS[0])
            print(f"{joined} {' '.join(options)}: {step_ms:.2f} ms from token to token, at the client")
        except BaseException:
            print(server.text())
            server.kill()
            raise
        return server

    def end(self, server):
        """In order: nothing is left."""
        server.family()
        server.terminate()
        took = server.wait_until_all_ended()
        print(f"a normal end takes {took:.1f} s")
        self.assertEqual(server.left_in_shared_memory(), [])

    def expect_errors(self, load):
        """Of all clients: an error, or a stream that ends before its time."""
        took = load.wait()
        for number in range(len(engine.PROMPTS)):
            self.assertIsNotNone(load.errors[number], f"a client got {load.parts[number]}")
        print(f"clients have {type(load.errors[0]).__name__}: {load.errors[0]}, after {took:.1f} s of load")

    def test_1_killed(self):
        server = self.answer("muster", EAGER)
        self.assertIn("muster serves tp:0", server.text())
        worker = server.worker("Worker_TP1")
        load = engine.Load(server.client(), "tiny", 1500)
        worker.kill()
        self.expect_errors(load)
        print(f"all has ended {server.wait_until_all_ended():.1f} s later")
        self.assertRegex(server.text(), 'muster: group "tp:0": rank 1 was killed by signal 9')
        self.assertEqual(server.left_in_shared_memory(), [])

    def test_2_stopped(self):
        """On the same port, at once. The rank whose output vLLM waits for is the one that is stopped."""
        server = self.answer("muster", EAGER)
        worker = server.worker("Worker_TP0")
        load = engine.Load(server.client(), "tiny", 1500)
        worker.suspend()
        self.expect_errors(load)
        print(f"all has ended {server.wait_until_all_ended():.1f} s later")
        self.assertRegex(server.text(), rf'muster: group "tp:0": .*waited {TIMEOUT_S} s.*rank 0')
        self.assertEqual(server.left_in_shared_memory(), [])

    def test_3_compiled(self):
        """By vLLM's compiler, which traces through the communicator."""
        server = self.answer("muster")
        self.end(server)

    def test_4_own(self):
        """Tokens in float32 are those of vLLM's own memory, and of gloo."""
        if ("muster", (EAGER,)) not in _SEEN:  # this case alone
            self.end(self.answer("muster", EAGER))
        for joined in ("own", "gloo"):
            with self.subTest(joined):
                server = self.answer(joined, EAGER)
                server.terminate()
                server.wait_until_all_ended()
                self.assertNotIn("muster serves", server.text())
                self.assertEqual(_SEEN[joined, (EAGER,)], _SEEN["muster", (EAGER,)])
                for name in server.left_in_shared_memory(0):
                    pathlib.Path("/dev/shm", name).unlink()

    def test_5_pipeline(self):
        """With --enforce-eager, vLLM 0.32 has no memory for what comes from the stage before, whatever joins them."""
        server = self.answer("muster", "--pipeline-parallel-size", "2", "--compilation-config", '{"backend": "eager"}', tensor=1)
        self.assertIn("muster serves pp:0", server.text())
        self.end(server)

    def test_6_experts(self):
        """Each of which is split: where they are spread, vLLM 0.32's kernel for CPUs crashes, whatever joins the ranks."""
        self.end(self.answer("muster", EAGER, model=os.environ["TEST_EXPERTS"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
