"""muster.vllm's communicator behind vLLM's own groups of ranks, without an engine: what each operation gives, and what vLLM
makes of it when ranks are on several machines.

Ranks are forked once vLLM is imported. Uses VLLM_PLUGINS=muster.
"""

import multiprocessing
import os
import sys
import tempfile
import traceback
import types
import unittest
from unittest import mock

os.environ["VLLM_PLUGINS"] = "muster"
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")

import torch
from vllm.config import ParallelConfig, VllmConfig, set_current_vllm_config
from vllm.distributed import parallel_state
from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator
from vllm.platforms import current_platform

import muster.torch  # noqa: F401: compiled, and loaded, once for all ranks
from muster.vllm import _meet
from muster.vllm.communicator import MusterCommunicator

CONFIG = VllmConfig()  # once: it takes seconds
LIMIT_S = 300 * int(os.environ.get("TEST_PATIENCE", "1"))
_fork = multiprocessing.get_context("fork")


def _be_rank(body, rank, tensor, pipeline, store, pipe):
    try:
        with set_current_vllm_config(CONFIG):
            parallel_state.init_distributed_environment(tensor * pipeline, rank, f"file://{store}", rank, "gloo")
            parallel_state.initialize_model_parallel(tensor, pipeline)
            outcome = body(rank)
            parallel_state.destroy_model_parallel()
            parallel_state.destroy_distributed_environment()
        pipe.send((True, outcome))
    except BaseException:
        pipe.send((False, traceback.format_exc()))


def run(body, tensor=1, pipeline=1):
    """What body(rank) gives in each of the ranks of a new job."""
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for rank in range(tensor * pipeline):
            ours, theirs = _fork.Pipe(duplex=False)
            process = _fork.Process(target=_be_rank, args=(body, rank, tensor, pipeline, f"{folder}/store", theirs))
            process.start()
            theirs.close()
            started.append((process, ours))
        outcomes = []
        for process, ours in started:
            try:
                outcomes.append(ours.recv() if ours.poll(LIMIT_S) else (False, "hangs"))
            except EOFError:
                outcomes.append((False, "ended without a word"))
            if outcomes[-1][1] == "hangs":
                process.kill()
            process.join()
    failed = [outcome for right, outcome in outcomes if not right]
    if failed:
        raise AssertionError("\n".join(failed))
    return [outcome for _, outcome in outcomes]


def _of(rank, *shape, dtype=torch.float32):
    return (torch.arange(torch.Size(shape).numel()).reshape(shape) + 100 * rank).to(dtype)


class Platform(unittest.TestCase):
    def test_it_is_a_cpu(self):
        self.assertEqual(type(current_platform).__name__, "MusterPlatform")
        self.assertTrue(current_platform.is_cpu())

    def test_off_imports_nothing(self):
        """Where VLLM_PLUGINS does not name it, in another interpreter."""
        code = ("import sys, muster_vllm; assert muster_vllm.platform() is None; "
                "sys.exit('muster' in sys.modules or 'torch' in sys.modules)")
        for plugins in ("", "lora", "muster2"):
            with self.subTest(plugins):
                environment = {**os.environ, "VLLM_PLUGINS": plugins}
                self.assertEqual(os.spawnle(os.P_WAIT, sys.executable, sys.executable, "-c", code, environment), 0)


class Operations(unittest.TestCase):
    def check(self, body, ranks=(2, 3)):
        for size in ranks:
            with self.subTest(ranks=size):
                run(lambda rank: self._in_group(body, rank), tensor=size)

    def _in_group(self, body, rank):
        group = parallel_state.get_tp_group()
        self.assertIs(type(group.device_communicator), MusterCommunicator)
        body(group, rank, group.world_size)

    def test_all_reduce(self):
        def body(group, rank, size):
            for dtype in (torch.float32, torch.bfloat16):
                x = _of(rank, 5, 7, dtype=dtype)
                expected = sum(_of(other, 5, 7, dtype=dtype).float() for other in range(size)).to(dtype)
                torch.testing.assert_close(group.all_reduce(x), expected, rtol=0, atol=0)
                x = _of(rank, 7, 5, dtype=dtype).t()  # not in C order
                expected = sum(_of(other, 7, 5, dtype=dtype).float() for other in range(size)).to(dtype).t()
                torch.testing.assert_close(group.all_reduce(x), expected, rtol=0, atol=0)

        self.check(body)

    def test_within_inference_mode(self):
        def body(group, rank, size):
            with torch.inference_mode():
                self.assertEqual(group.all_reduce(torch.ones(3)).tolist(), [size] * 3)

        self.check(body)

    def test_all_gather(self):
        def body(group, rank, size):
            for dim in (0, 1, 2, -1, -3):
                expected = torch.cat([_of(other, 2, 3, 4) for other in range(size)], dim)
                torch.testing.assert_close(group.all_gather(_of(rank, 2, 3, 4), dim), expected, rtol=0, atol=0)

        self.check(body)

    def test_all_gather_into_tensor(self):
        def body(group, rank, size):
            into = torch.empty(2 * size, 3)
            group.device_communicator.all_gather_into_tensor(into, _of(rank, 2, 3))
            self.assertTrue(torch.equal(into, torch.cat([_of(other, 2, 3) for other in range(size)])))

        self.check(body)

    def test_reduce_scatter(self):
        def body(group, rank, size):
            for dim in (0, 1, 2, -1):
                shape = [2, 3, 4]
                shape[dim] *= size
                whole = sum(_of(other, *shape) for other in range(size))
                expected = whole.chunk(size, dim)[rank]
                torch.testing.assert_close(group.reduce_scatter(_of(rank, *shape), dim), expected, rtol=0, atol=0)

        self.check(body)

    def test_gather(self):
        def body(group, rank, size):
            for root in range(size):
                for dim in (0, 1, -1):
                    gathered = group.gather(_of(rank, 2, 3), root, dim)
                    if rank != root:
                        self.assertIsNone(gathered)
                    else:
                        self.assertTrue(torch.equal(gathered, torch.cat([_of(other, 2, 3) for other in range(size)], dim)))

        self.check(body)

    def test_broadcast(self):
        def body(group, rank, size):
            for root in range(size):
                came = group.device_communicator.broadcast(_of(rank, 4, dtype=torch.int64), root)
                self.assertTrue(torch.equal(came, _of(root, 4, dtype=torch.int64)))

        self.check(body)

    def test_what_experts_use(self):
        """all_gatherv and reduce_scatterv, with and without equal sizes, and with none of one rank."""
        def body(group, rank, size):
            for sizes in (None, [2] * size, [other + 1 for other in range(size)], [0] + [3] * (size - 1)):
                own = sizes[rank] if sizes else 2
                rows = sizes or [2] * size
                alike = [_of(other, rows[other], 3) for other in range(size)]
                several = group.all_gatherv([_of(rank, own, 3), _of(rank, own, dtype=torch.int32)], 0, sizes)
                self.assertTrue(torch.equal(several[0], torch.cat(alike)), sizes)
                self.assertTrue(torch.equal(several[1], torch.cat([_of(other, rows[other], dtype=torch.int32)
                                                                   for other in range(size)])), sizes)
                whole = sum(_of(other, sum(rows), 3) for other in range(size))
                part = group.reduce_scatterv(_of(rank, sum(rows), 3), 0, sizes)
                self.assertTrue(torch.equal(part, whole.split(rows)[rank]), sizes)

        self.check(body)

    def test_send_and_recv(self):
        def body(group, rank, size):
            group.send(_of(rank, 3, 2))  # to the next
            self.assertTrue(torch.equal(group.recv((3, 2), torch.float32), _of((rank - 1) % size, 3, 2)))

        self.check(body)

    def test_compiled(self):
        """What vLLM's compiler traces is one opaque step each."""
        def body(group, rank, size):
            def layer(x):
                return group.all_gather(group.all_reduce(x * 2) + 1, -1)

            expected = torch.cat([sum(2 * _of(other, 4, 6) for other in range(size)) + 1] * size, -1)
            compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
            self.assertTrue(torch.equal(compiled(_of(rank, 4, 6)), expected))

        self.check(body, (2,))


def _is_shared(x):
    """Whether it lies in memory that ranks share."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            extent, kind = line.split()[:2]
            begin, end = (int(word, 16) for word in extent.split("-"))
            if begin <= x.data_ptr() < end:
                return kind[3] == "s"
    return False


class Arena(unittest.TestCase):
    def test_large_steps(self):
        """Of a worker: their tensors are where the other ranks read them; those of small steps are not."""
        from muster.vllm.worker import MusterWorker

        def body(rank):
            worker = MusterWorker.__new__(MusterWorker)
            worker.model_config = types.SimpleNamespace(get_hidden_size=lambda: 1024, dtype=torch.float32)
            shared = []
            for tokens in (1, 255, 256, 2048):
                with worker._memory_for(tokens):
                    x = _of(rank, tokens, 1024)
                shared.append(_is_shared(x))
                parallel_state.get_tp_group().all_reduce(x)
                self.assertTrue(torch.equal(x, _of(0, tokens, 1024) + _of(1, tokens, 1024)))
            return shared

        self.assertEqual(run(body, tensor=2), [[False, False, True, True]] * 2)

    def test_worker(self):
        """vLLM takes muster's, unless the program has named one."""
        for named, taken in (("auto", "muster.vllm.worker.MusterWorker"), ("own.Worker", "own.Worker")):
            config = VllmConfig(parallel_config=ParallelConfig(worker_cls=named))
            self.assertEqual(config.parallel_config.worker_cls, taken)


class Groups(unittest.TestCase):
    def test_tensor_dicts_between_stages(self):
        def body(rank):
            stages = parallel_state.get_pp_group()
            if stages.is_first_rank:
                stages.send_tensor_dict({"hidden": _of(rank, 3, 4, dtype=torch.bfloat16), "step": 7, "none": torch.empty(0, 4),
                                         "number": torch.tensor(5)})
                return None
            came = stages.recv_tensor_dict()
            self.assertEqual(list(came), ["hidden", "step", "none", "number"])
            self.assertTrue(torch.equal(came["hidden"], _of(0, 3, 4, dtype=torch.bfloat16)))
            self.assertEqual((came["step"], came["none"].shape, came["number"].item()), (7, (0, 4), 5))

        run(body, pipeline=2)

    def test_worlds_have_names(self):
        def body(rank):
            return [group().device_communicator._group.name
                    for group in (parallel_state.get_tp_group, parallel_state.get_pp_group)]

        self.assertEqual(run(body, tensor=2, pipeline=2), [
            ["tp:0 of ranks 0 1", "pp:0 of ranks 0 2"], ["tp:0 of ranks 0 1", "pp:0 of ranks 1 3"],
            ["tp:0 of ranks 2 3", "pp:0 of ranks 0 2"], ["tp:0 of ranks 2 3", "pp:0 of ranks 1 3"]])
        self.assertEqual(run(lambda rank: parallel_state.get_tp_group().device_communicator._group.name, tensor=2),
                         ["tp:0"] * 2)

    def test_nothing_in_shared_memory(self):
        """While they run: neither vLLM's memory for collectives, which would be mapped, nor a name of muster's. psm_ is its
        queue, by which it tells ranks what to do."""
        def body(rank):
            with open("/proc/self/maps", encoding="utf-8") as maps:
                mapped = [line for line in maps if "/dev/shm/" in line and "(deleted)" not in line and "/psm_" not in line]
            return mapped + [name for name in os.listdir("/dev/shm") if name.startswith("muster-vllm-")]

        self.assertEqual(run(body, tensor=2), [[], []])

    def test_several_machines(self):
        """vLLM's own serves, on all ranks, and they say why."""
        def body(rank):
            return type(parallel_state.get_tp_group().device_communicator).__name__

        with mock.patch.object(_meet, "_place", os.getpid), mock.patch.object(
                CpuCommunicator, "_all_group_ranks_share_shm_group_name", lambda self: False):
            self.assertEqual(run(body, tensor=2), ["CpuCommunicator"] * 2)


if __name__ == "__main__":
    unittest.main()
