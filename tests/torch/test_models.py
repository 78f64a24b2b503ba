"""What is built on process groups: DDP and its hooks, FSDP 1 and 2, meshes, DTensor, tensor and pipeline parallel,
checkpoints, functional collectives, compiled programs; each gives what one process gives, or gloo.
"""

import os
import shutil
import tempfile
import unittest

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as functional
import torch.distributed.checkpoint as checkpoint
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.pipelining import PipelineStage, Schedule1F1B
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel
from torch_ranks import values

try:
    import accelerate  # noqa: F401: transformers wants it for a plan
    import transformers
except ImportError:
    transformers = None

SIZE = 4
WAYS = ("plain", "builtin fp16", "fp16", "powerSGD")


def make_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))


def make_input(rows=4, seed=1):
    return torch.randn(rows, 8, generator=torch.Generator().manual_seed(seed))


def train(model, parameters=None, steps=3, inputs=make_input):
    optimizer = torch.optim.SGD(model.parameters() if parameters is None else parameters, 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(inputs()).pow(2).mean().backward()
        optimizer.step()
    return model


def check_like_one_process(parameters):
    for ours, theirs in zip(parameters, train(make_model()).parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def data_parallel(way):
    """Each rank with inputs of its own. What gloo gives, and with compression close to that."""
    model = DistributedDataParallel(make_model(), bucket_cap_mb=0.0005)
    if way == "builtin fp16":
        model._register_builtin_comm_hook(dist.BuiltinCommHookType.FP16_COMPRESS)
    elif way == "fp16":
        model.register_comm_hook(None, default_hooks.fp16_compress_hook)
    elif way == "powerSGD":
        state = powerSGD_hook.PowerSGDState(None, matrix_approximation_rank=2, start_powerSGD_iter=2,
                                            min_compression_rate=0.1)
        model.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
    train(model, steps=5, inputs=lambda: make_input(seed=dist.get_rank()))
    return [parameter.detach() for parameter in model.parameters()]


def fully_sharded():
    first = FullyShardedDataParallel(make_model(), device_id=torch.device("cpu"), use_orig_params=True)
    train(first)
    with FullyShardedDataParallel.summon_full_params(first):
        check_like_one_process([parameter.clone() for parameter in first.parameters()])
    for mesh in (init_device_mesh("cpu", (SIZE,)), init_device_mesh("cpu", (2, 2), mesh_dim_names=("copy", "shard"))):
        second = make_model()
        for layer in (second[0], second[2]):
            fully_shard(layer, mesh=mesh)
        fully_shard(second, mesh=mesh)
        train(second)
        check_like_one_process([parameter.full_tensor() for parameter in second.parameters()])


def meshes_and_tensors():
    mesh = init_device_mesh("cpu", (2, SIZE // 2), mesh_dim_names=("dp", "tp"))
    rank, whole = dist.get_rank(), torch.arange(64.0).view(8, 8)
    assert dist.get_process_group_ranks(mesh["tp"].get_group()) == [rank // 2 * 2, rank // 2 * 2 + 1]
    tensor = distribute_tensor(whole, mesh, [Shard(0), Shard(1)])
    assert tensor.to_local().shape == (4, 4) and torch.equal(tensor.full_tensor(), whole)
    moved = tensor.redistribute(mesh, [Shard(1), Replicate()])
    assert torch.equal(moved.full_tensor(), whole) and torch.equal((tensor @ tensor).full_tensor(), whole @ whole)
    uneven = distribute_tensor(torch.arange(7.0), mesh["tp"], [Shard(0)])
    assert torch.equal(uneven.full_tensor(), torch.arange(7.0)) and uneven.sum().full_tensor() == 21
    model = parallelize_module(make_model(), mesh["tp"], {"0": ColwiseParallel(), "2": RowwiseParallel()})
    train(model)
    check_like_one_process([parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter
                            for parameter in model.parameters()])


def checkpoints(folder):
    mesh, whole = init_device_mesh("cpu", (SIZE,)), torch.arange(16.0).view(8, 2)
    state = {"x": distribute_tensor(whole, mesh, [Shard(0)]), "step": 3}
    checkpoint.save(state, checkpoint_id=folder)
    other = {"x": distribute_tensor(torch.zeros(8, 2), mesh, [Shard(1)]), "step": 0}
    checkpoint.load(other, checkpoint_id=folder)
    assert torch.equal(other["x"].full_tensor(), whole) and other["step"] == 3


def functions():
    rank, group, x = dist.get_rank(), dist.group.WORLD, torch.ones(4)

    def compute(x):
        total = functional.all_reduce(x, "sum", group)
        return functional.all_to_all_single(total * (rank + 1), None, None, group) + 1

    expected = SIZE * torch.arange(1.0, SIZE + 1) + 1
    assert torch.equal(compute(x), expected)
    assert torch.equal(torch.compile(compute, backend="aot_eager")(x), expected)
    assert functional.all_gather_single(x * rank, 0, group).sum() == 4 * 6
    assert functional.reduce_scatter_single(torch.arange(float(SIZE)), "avg", 0, group) == rank
    assert functional.broadcast(x * rank, 1, group).sum() == 4
    both = functional.all_reduce_coalesced([x, x * rank], "max", group)
    assert both[1][0] == SIZE - 1


def pipelines():
    """Stage by stage, the gradients of one process."""
    rank, layers = dist.get_rank(), [torch.nn.Linear(8, 8) for _ in range(SIZE)]
    torch.manual_seed(0)
    for layer in layers:
        layer.reset_parameters()
    x, own = make_input(8), torch.nn.Linear(8, 8)
    own.load_state_dict(layers[rank].state_dict())
    stage = PipelineStage(own, rank, SIZE, torch.device("cpu"))
    schedule = Schedule1F1B(stage, n_microbatches=4, loss_fn=lambda out, target: (out - target).pow(2).mean())
    if rank == 0:
        schedule.step(x)
    else:
        schedule.step(target=torch.zeros(8, 8)) if rank == SIZE - 1 else schedule.step()
    torch.nn.Sequential(*layers)(x).pow(2).mean().backward()
    torch.testing.assert_close(own.weight.grad, layers[rank].weight.grad, atol=1e-5, rtol=1e-5)


def tensor_parallel_plan(folder):
    config = transformers.LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                                      num_key_value_heads=2, vocab_size=64, max_position_embeddings=64)
    if dist.get_rank() == 0:
        torch.manual_seed(0)
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
    dist.barrier()
    tokens = torch.arange(8).view(1, 8)
    alone = transformers.LlamaForCausalLM.from_pretrained(folder)
    shared = transformers.LlamaForCausalLM.from_pretrained(folder, tp_plan="auto")
    weight = shared.model.layers[0].mlp.up_proj.weight
    assert (weight.to_local() if hasattr(weight, "to_local") else weight).shape == (32, 32)  # half of it
    with torch.no_grad():
        torch.testing.assert_close(shared(tokens).logits, alone(tokens).logits, atol=1e-4, rtol=1e-4)


class Models(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def test_data_parallel(self):
        plain = values(3, data_parallel, "plain", backend="gloo")[0]
        for way in WAYS:
            with self.subTest(way):
                for ours in values(3, data_parallel, way):
                    for own, other in zip(ours, plain):
                        torch.testing.assert_close(own, other, atol=0.05 if way == "powerSGD" else 1e-3, rtol=1e-3)

    def test_data_parallel_has_gloos_bits(self):
        for ours, theirs in zip(values(2, data_parallel, "plain"), values(2, data_parallel, "plain", backend="gloo")):
            self.assertTrue(all(map(torch.equal, ours, theirs)))

    def test_fully_sharded(self):
        values(SIZE, fully_sharded)

    def test_meshes_and_tensors(self):
        values(SIZE, meshes_and_tensors)

    def test_checkpoints(self):
        values(SIZE, checkpoints, self.folder)

    def test_functions(self):
        values(SIZE, functions)

    def test_pipelines(self):
        values(SIZE, pipelines)

    @unittest.skipIf(transformers is None, "there is no transformers, or no accelerate")
    def test_tensor_parallel_plan(self):
        transformers.utils.logging.disable_progress_bar()
        values(2, tensor_parallel_plan, self.folder)


if __name__ == "__main__":
    unittest.main()
