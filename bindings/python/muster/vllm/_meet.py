"""How the ranks of one of vLLM's groups become a world of muster's: they tell each other, in one collective of vLLM's own,
where they are, and rank 0 the name of an arena, which nobody can guess. All decide alike by what all have told.
"""

import os
import secrets

import torch.distributed as dist

import muster
from muster import _names

_PREFIX = "muster-vllm-"
_ATTACH_S = 60  # all have just been in one collective
_NAME_BYTES = 31  # of a group


def _place():
    """Equal in processes that share memory, and see each other's numbers."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip(), os.stat("/dev/shm").st_dev, os.stat("/proc/self/ns/pid").st_ino


def _timeout_s():
    return float(os.environ.get("MUSTER_TIMEOUT") or 0) or None


def title(unique_name, ranks):
    """vLLM's name of the group; with its ranks where the job has others, as such groups have one name."""
    whole = len(ranks) == dist.get_world_size()
    return unique_name if whole else f"{unique_name} of ranks {' '.join(map(str, ranks))}"[:_NAME_BYTES]


def meet(cpu_group, unique_name):
    """A muster.Group of the ranks of vLLM's group; or None: they do not share memory."""
    rank, size = dist.get_rank(cpu_group), dist.get_world_size(cpu_group)
    if rank == 0:
        _names.sweep(_PREFIX)
    told = [None] * size
    dist.all_gather_object(told, (_place(), f"/{_PREFIX}{secrets.token_hex(16)}"), group=cpu_group)
    if len({place for place, _ in told}) > 1:
        return None
    group = muster.attach(told[0][1], rank, size, timeout=_timeout_s(), attach_timeout=_ATTACH_S)
    group.name = title(unique_name, dist.get_process_group_ranks(cpu_group))
    return group
