"""vLLM's worker for CPUs, whose large steps, which are prefills, have their tensors in the arena of the tensor-parallel group:
what is reduced there the other ranks read without a copy. In small steps, as of decoding, it is copied in any case.
"""

import contextlib

from vllm.distributed import parallel_state
from vllm.v1.worker.cpu_worker import CPUWorker

from .communicator import MusterCommunicator

_LEAST_BYTES = 1 << 20  # of what a layer reduces; half of that has been as fast either way


class MusterWorker(CPUWorker):
    def execute_model(self, scheduler_output):
        with self._memory_for(scheduler_output.total_num_scheduled_tokens):
            return super().execute_model(scheduler_output)

    def _memory_for(self, tokens):
        if tokens * self.model_config.get_hidden_size() * self.model_config.dtype.itemsize < _LEAST_BYTES:
            return contextlib.nullcontext()
        communicator = parallel_state.get_tp_group().device_communicator
        return communicator.arena() if isinstance(communicator, MusterCommunicator) else contextlib.nullcontext()
