"""mlx_lm.server with two ranks, by `muster run --mlx`, for real: the openai client, streams, eight at the same time; a rank
that is killed, or stopped, under load; text as of one process.

Uses TEST_MODEL (what tiny_model.py has made), TEST_COMMAND (muster) and TEST_MLX_PYTHON; the client is the openai package of
the Python that runs this.
"""

import os
import signal
import unittest

import engine

MODEL = os.environ["TEST_MODEL"]
TIMEOUT_S = 5


def serve(port, ranks):
    run = [os.environ["TEST_COMMAND"], "run", "--mlx", "-n", str(ranks), "--op-timeout", str(TIMEOUT_S), "--"]
    command = [os.environ["TEST_MLX_PYTHON"], "-m", "mlx_lm.server", "--model", MODEL, "--host", "127.0.0.1", "--port",
               str(port), "--temp", "0"]
    return engine.Server([*(run if ranks > 1 else []), *command], port, "Starting httpd")


class Serving(unittest.TestCase):
    port = engine.free_port()

    def setUp(self):
        self.server = serve(self.port, 2)
        self.addCleanup(self.server.kill)

    def rank(self, number):
        for process in self.server.family().values():
            if process.is_running() and process.environ().get("MUSTER_RANK") == str(number):
                return process
        raise AssertionError(f"no rank {number}")

    def expect_errors(self, load):
        took = load.wait()
        for number, error in enumerate(load.errors):
            self.assertIsNotNone(error, f"a client got {load.parts[number]}")
        print(f"clients have {type(load.errors[0]).__name__}: {load.errors[0]}, after {took:.1f} s of load")

    def expect_end(self):
        print(f"all has ended {self.server.wait_until_all_ended():.1f} s later")
        self.assertEqual(self.server.left_in_shared_memory(), [])

    def test_answers(self):
        one = serve(engine.free_port(), 1)
        try:
            alone = [engine.complete(one.client(), MODEL, prompt) for prompt in engine.PROMPTS]
        finally:
            one.kill()
        client = self.server.client()
        self.assertEqual([engine.complete(client, MODEL, prompt) for prompt in engine.PROMPTS], alone)
        self.assertEqual("".join(engine.stream(client, MODEL, engine.PROMPTS[0])), alone[0])
        self.assertEqual(engine.complete_all(client, MODEL, engine.PROMPTS), alone)
        self.rank(1)
        self.server.terminate()
        print(f"a normal end takes {self.server.wait_until_all_ended():.1f} s")
        self.assertEqual(self.server.left_in_shared_memory(), [])

    def test_killed(self):
        load = engine.Load(self.server.client(), MODEL, 1500)
        self.rank(1).kill()
        self.expect_errors(load)
        self.expect_end()
        self.assertRegex(self.server.text(), "rank 1 .*(SIGKILL|signal 9)")

    def test_stopped(self):
        """Rank 0 of mlx_lm.server goes on without the thread that has the error, so somebody has to end it."""
        load = engine.Load(self.server.client(), MODEL, 1500)
        self.rank(1).send_signal(signal.SIGSTOP)
        self.expect_errors(load)
        self.server.wait_for_line(f"waited {TIMEOUT_S} s")
        self.server.family()
        self.server.terminate()
        self.expect_end()


if __name__ == "__main__":
    unittest.main(verbosity=2)
