"""Training in every way that PyTorch has, on this backend and on gloo, at 2 ranks, or 4: the same bits. And the same at 4
ranks, where one is killed on the way: every other rank raises, and who has been in a group with it names it."""

import os
import shutil
import signal
import tempfile
import unittest

import accelerate
import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as functional
import torch.distributed.checkpoint as checkpoint
import torch.distributed.pipelining as pipelining
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, post_localSGD_hook, powerSGD_hook
from torch.distributed.algorithms.join import Join
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, ShardingStrategy, fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import Shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, SequenceParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import muster.torch
from torch_ranks import run, values

STEPS = 4
KILLED = ["rank 2 was killed by signal 9 (Killed)"] * 4
# By its number in the group of the wait. Rank 1 is in none with it, and waits for rank 3, which ends because of it.
KILLED_IN_MESH = ['group "mesh_replicate": rank 1 was killed by signal 9 (Killed)', "without leaving the group", None,
                  'group "mesh_shard": rank 0 was killed by signal 9 (Killed)']
SCHEDULES = {"ScheduleGPipe": 1, "Schedule1F1B": 1, "ScheduleInterleaved1F1B": 2, "ScheduleLoopedBFS": 2,
             "ScheduleInterleavedZeroBubble": 2, "ScheduleZBVZeroBubble": 2, "ScheduleDualPipeV": 2}
V_SHAPED = ("ScheduleZBVZeroBubble", "ScheduleDualPipeV")  # the first rank has the last stage, too


def make_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))


def inputs(step):
    return torch.randn(4, 8, generator=torch.Generator().manual_seed(10 * step + dist.get_rank()))


def train(model, victim=None, optimizer=None, steps=STEPS):
    """The victim dies in the third step, its backward pass still to come."""
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.1)
    for step in range(steps):
        optimizer.zero_grad()
        loss = model(inputs(step)).pow(2).mean()
        if step == 2 and dist.get_rank() == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        loss.backward()
        optimizer.step()
    return model


def whole(model):
    return [p.full_tensor().detach() if hasattr(p, "full_tensor") else p.detach() for p in model.parameters()]


def with_hook(hook, state=None, builtin=None):
    def body(victim=None):
        model = DistributedDataParallel(make_model(), bucket_cap_mb=0.0005)
        if builtin is not None:
            model._register_builtin_comm_hook(builtin)
        elif hook is not None:
            model.register_comm_hook(state() if state else None, hook)
        return whole(train(model, victim))
    return body


def with_options(make=make_model, **options):
    def body(victim=None):
        return whole(train(DistributedDataParallel(make(), bucket_cap_mb=0.0005, **options), victim))
    return body


class Branches(torch.nn.Module):
    """Each call uses one of two layers, by turns, and ranks do not begin with the same; a third one is never used."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers, self.turn = torch.nn.ModuleList(torch.nn.Linear(8, 4) for _ in range(3)), dist.get_rank()

    def forward(self, x):
        self.turn += 1
        return self.layers[self.turn % 2](x)


def accumulated(victim=None):
    """Of two backward passes the second one communicates, for both."""
    model = DistributedDataParallel(make_model(), bucket_cap_mb=0.0005)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(STEPS):
        optimizer.zero_grad()
        with model.no_sync():
            model(inputs(step)).pow(2).mean().backward()
        if step == 2 and dist.get_rank() == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        model(inputs(step + STEPS)).pow(2).mean().backward()
        optimizer.step()
    return whole(model)


def joined(victim=None):
    """Ranks have different numbers of inputs."""
    model = DistributedDataParallel(make_model(), bucket_cap_mb=0.0005)
    with Join([model]):
        train(model, victim, steps=STEPS + dist.get_rank())
    return whole(model)


def zero(victim=None):
    model = DistributedDataParallel(make_model(), bucket_cap_mb=0.0005)
    optimizer = ZeroRedundancyOptimizer(model.parameters(), torch.optim.Adam, lr=0.1)
    return whole(train(model, victim, optimizer))


def fsdp1(victim=None):
    model = train(FullyShardedDataParallel(make_model(), device_id=torch.device("cpu"), use_orig_params=True), victim)
    with FullyShardedDataParallel.summon_full_params(model):
        return [p.detach().clone() for p in model.parameters()]


def fsdp2(victim=None):
    model = make_model()
    for layer in (model[0], model[2], model):
        fully_shard(layer, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    return whole(train(model, victim))


def hybrid_mesh():
    """Two replicas, each of half of the ranks."""
    return init_device_mesh("cpu", (2, dist.get_world_size() // 2), mesh_dim_names=("replicate", "shard"))


def hsdp1(victim=None):
    model = train(FullyShardedDataParallel(make_model(), device_id=torch.device("cpu"), use_orig_params=True,
                                           device_mesh=hybrid_mesh(),
                                           sharding_strategy=ShardingStrategy.HYBRID_SHARD), victim)
    with FullyShardedDataParallel.summon_full_params(model):
        return [p.detach().clone() for p in model.parameters()]


def hsdp2(victim=None):
    model, mesh = make_model(), hybrid_mesh()
    for layer in (model[0], model[2], model):
        fully_shard(layer, mesh=mesh)
    return whole(train(model, victim))


def accelerated(victim=None):
    """As the documentation of accelerate has it: gradients of two batches are accumulated, and norms clipped."""
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    rank, size = dist.get_rank(), dist.get_world_size()
    assert (accelerator.process_index, accelerator.num_processes) == (rank, size)
    data = torch.randn(8 * size, 8, generator=torch.Generator().manual_seed(0))
    model = make_model()
    model, optimizer, batches = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), 0.1),
                                                    torch.utils.data.DataLoader(data, batch_size=2))
    for step, batch in enumerate(batches):
        with accelerator.accumulate(model):
            loss = model(batch).pow(2).mean()
            if step == 2 and rank == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    losses = accelerator.gather_for_metrics(loss.detach())
    return [*whole(model), losses, accelerator.reduce(torch.ones(1) * rank), accelerate.utils.gather_object([rank])]


def tensor_parallel(victim=None):
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
    return whole(train(parallelize_module(make_model(), mesh, plan), victim))


def sequence_parallel(victim=None):
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    model = torch.nn.Sequential(torch.nn.LayerNorm(8), *make_model())
    plan = {"0": SequenceParallel(sequence_dim=0), "1": ColwiseParallel(input_layouts=Shard(0)),
            "3": RowwiseParallel(output_layouts=Shard(0))}
    return whole(train(parallelize_module(model, mesh, plan), victim, steps=3))


def pipeline(name):
    def body(victim=None):
        rank, size, each = dist.get_rank(), dist.get_world_size(), SCHEDULES[name]
        torch.manual_seed(0)
        layers = [torch.nn.Linear(8, 8) for _ in range(size * each)]
        places = [rank, 2 * size - 1 - rank] if name in V_SHAPED else [rank + i * size for i in range(each)]
        own = [layers[place] for place in places]
        stages = [pipelining.PipelineStage(layer, place, size * each, torch.device("cpu")) for place, layer in zip(places, own)]
        schedule = getattr(pipelining, name)(stages if each > 1 else stages[0], n_microbatches=8 if name in V_SHAPED else 4,
                                             loss_fn=lambda out, target: (out - target).pow(2).mean())
        for step in range(STEPS):
            if step == 2 and rank == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            x = (torch.randn(8, 8, generator=torch.Generator().manual_seed(step)),) if rank == 0 else ()
            schedule.step(*x, **({"target": torch.zeros(8, 8)} if size * each - 1 in places else {}))
        return [layer.weight.grad for layer in own]
    return body


def saved(victim=None, make_group=lambda: dist.new_group(backend="gloo"), steps_beside=0):
    """Written beside the program, which may go on with training, and read again."""
    folder = [tempfile.mkdtemp() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(folder)
    model = make_model()
    fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    train(model, None if steps_beside else victim)
    saving = checkpoint.async_save(model.state_dict(), checkpoint_id=folder[0], process_group=make_group())
    train(model, victim, steps=steps_beside)
    saving.result()
    other = make_model()
    fully_shard(other, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    state = other.state_dict()
    checkpoint.load(state, checkpoint_id=folder[0])
    result = [tensor.full_tensor() for tensor in [*state.values(), *model.state_dict().values()]]
    dist.barrier()
    if dist.get_rank() == 0:
        shutil.rmtree(folder[0])
    return result


def saved_beside_training(victim=None):
    """By a thread of its own, on a group of this backend."""
    return saved(victim, dist.new_group, STEPS)


def compiled(victim=None):
    x, results = torch.ones(4) * (1 + dist.get_rank()), []

    @torch.compile(backend="aot_eager")
    def compute(x):
        total = functional.all_reduce(x, "sum", dist.group.WORLD)
        return functional.all_gather_single(total.sin() * x, 0, dist.group.WORLD)

    for step in range(STEPS):
        results.append(compute(x).clone())
        if step == 2 and dist.get_rank() == victim:
            os.kill(os.getpid(), signal.SIGKILL)
    return results


def objects(victim=None):
    rank, size = dist.get_rank(), dist.get_world_size()
    for step in range(STEPS):
        every, one, got = [None] * size, [None], [None] * size if rank == 1 else None
        dist.all_gather_object(every, {"rank": rank})
        if step == 2 and rank == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        dist.gather_object("x" * 1000 * rank, got, dst=1)
        dist.scatter_object_list(one, [[i] for i in range(size)] if rank == 0 else None, src=0)
    return [every, one, got]


BODIES = {
    "DDP": with_hook(None),
    "built-in all-reduce": with_hook(None, builtin=dist.BuiltinCommHookType.ALLREDUCE),
    "built-in fp16": with_hook(None, builtin=dist.BuiltinCommHookType.FP16_COMPRESS),
    "all-reduce hook": with_hook(default_hooks.allreduce_hook),
    "fp16 hook": with_hook(default_hooks.fp16_compress_hook),
    "local SGD": with_hook(post_localSGD_hook.post_localSGD_hook,
                           lambda: post_localSGD_hook.PostLocalSGDState(
                               None, dist.new_subgroups(dist.get_world_size())[0], start_localSGD_iter=2)),
    "PowerSGD": with_hook(powerSGD_hook.powerSGD_hook,
                          lambda: powerSGD_hook.PowerSGDState(None, start_powerSGD_iter=2, min_compression_rate=0.5)),
    "unused parameters": with_options(Branches, find_unused_parameters=True),
    "static graph": with_options(static_graph=True), "views of buckets": with_options(gradient_as_bucket_view=True),
    "no first synchronisation": with_options(init_sync=False), "no_sync": accumulated,
    "HSDP of FSDP1": hsdp1, "HSDP": hsdp2, "accelerate": accelerated,
    "Join": joined, "ZeRO": zero, "FSDP1": fsdp1, "FSDP2": fsdp2, "tensor parallel": tensor_parallel,
    "sequence parallel": sequence_parallel, "checkpoint": saved,
    "checkpoint beside training": saved_beside_training, "compiled": compiled, "objects": objects,
    **{name: pipeline(name) for name in SCHEDULES},
}


HYBRID = (hsdp1, hsdp2)  # of 4 ranks, since a mesh has two dimensions
SHORT = ("DDP", "FSDP2", "Schedule1F1B")  # what test_torch does; scripts/torch-suite does all
if not os.environ.get("TEST_LONG"):
    BODIES = {name: BODIES[name] for name in SHORT}


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@unittest.skipUnless(muster.torch.is_compiled, "the backend in Python")
class Bits(unittest.TestCase):
    def test_bits_of_gloo(self):
        for name, body in BODIES.items():
            with self.subTest(name):
                size = 4 if body in HYBRID else 2
                self.assertTrue(same(values(size, body), values(size, body, backend="gloo")))

    def test_killed(self):
        for name, body in BODIES.items():
            with self.subTest(name):
                for rank, end in enumerate(run(4, body, 2)):
                    if rank == 2:
                        self.assertEqual(end.signal, signal.SIGKILL, end)
                    else:
                        self.assertIsNotNone(end.error, f"rank {rank}: {end!r}")
                        words = KILLED_IN_MESH if body in HYBRID else KILLED
                        self.assertIn(words[rank], end.error.message, f"rank {rank}: {end!r}")


if __name__ == "__main__":
    unittest.main()
