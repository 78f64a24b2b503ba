"""The entry point by which vLLM finds muster's platform; what it names is in muster.vllm.

It is no part of the package muster, for vLLM imports it wherever both are installed: it imports nothing, neither torch
nor muster's library, unless VLLM_PLUGINS names muster.
"""

import os


def platform():
    """What vLLM asks each platform plug-in: the name of a class, or None: not this one."""
    if "muster" not in os.environ.get("VLLM_PLUGINS", "").split(","):
        return None
    from muster.vllm import choose_platform

    return choose_platform()
