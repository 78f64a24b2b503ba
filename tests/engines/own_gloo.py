"""A plug-in of vLLM's, named gloo: its CPU communicator without shared memory, as it is over several machines. It is
found by what install() writes, in a folder that is in PYTHONPATH."""

import pathlib


def register():
    from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator

    CpuCommunicator._all_group_ranks_share_shm_group_name = lambda self: False


def install(folder):
    information = pathlib.Path(folder, "own_gloo-0.dist-info")
    information.mkdir()
    information.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: own-gloo\nVersion: 0\n")
    information.joinpath("entry_points.txt").write_text("[vllm.general_plugins]\ngloo = own_gloo:register\n")
