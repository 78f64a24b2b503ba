"""vLLM's platform for CPUs, with muster's communicator and worker."""

from vllm.platforms import cpu_platform_plugin
from vllm.utils.import_utils import resolve_obj_by_qualname

_CpuPlatform = resolve_obj_by_qualname(cpu_platform_plugin())  # on some CPUs one of their vendor's


_OWN_WORKER = "vllm.v1.worker.cpu_worker.CPUWorker"


class MusterPlatform(_CpuPlatform):
    @classmethod
    def check_and_update_config(cls, vllm_config):
        """Where the program has not named a worker, and vLLM takes that of CPUs."""
        is_free = vllm_config.parallel_config.worker_cls == "auto"
        super().check_and_update_config(vllm_config)
        if is_free and vllm_config.parallel_config.worker_cls == _OWN_WORKER:
            vllm_config.parallel_config.worker_cls = "muster.vllm.worker.MusterWorker"

    @classmethod
    def get_device_communicator_cls(cls):
        """What vLLM calls for each group of ranks."""
        return "muster.vllm.communicator.make_communicator"

    @classmethod
    def get_own_communicator_cls(cls):
        """What vLLM has for groups that muster does not serve."""
        return super().get_device_communicator_cls()
