"""vLLM on CPUs, with its ranks' collectives and messages through muster.

    VLLM_PLUGINS=muster vllm serve MODEL --tensor-parallel-size 2

Each of vLLM's groups of ranks on one machine, tp, pp, dp, ep, becomes a world of muster's of the same name, and vLLM makes
no shared memory of its own. A group over several machines stays with vLLM's communicator, which the log says.
MUSTER_TIMEOUT limits how long one operation may wait. docs/INFERENCE.md has the rest.
"""

import logging

PLATFORM = "muster.vllm.platform.MusterPlatform"


def choose_platform():
    """The name of muster's platform, or None, with the reason in vLLM's log."""
    from vllm.platforms import cpu_platform_plugin

    if cpu_platform_plugin() is None:
        logging.getLogger("vllm.muster").warning(
            "VLLM_PLUGINS names muster, which is for vLLM's build for CPUs, and this is another one: vLLM goes on "
            "without it")
        return None
    return PLATFORM
