"""vLLM's platform for CPUs, with muster's communicator."""

from vllm.platforms import cpu_platform_plugin
from vllm.utils.import_utils import resolve_obj_by_qualname

_CpuPlatform = resolve_obj_by_qualname(cpu_platform_plugin())  # on some CPUs one of their vendor's


class MusterPlatform(_CpuPlatform):
    @classmethod
    def get_device_communicator_cls(cls):
        """What vLLM calls for each group of ranks."""
        return "muster.vllm.communicator.make_communicator"

    @classmethod
    def get_own_communicator_cls(cls):
        """What vLLM has for groups that muster does not serve."""
        return super().get_device_communicator_cls()
