"""What MLX's mlx.nn has for groups, for arrays of numpy: averages of gradients, and linear layers in shards.

    from muster.nn import average_gradients
    gradients = average_gradients({"weight": dw, "bias": db})
"""

from ._gradients import average_gradients
from ._linears import AllToShardedLinear, Linear, ShardedToAllLinear, shard_linear

__all__ = ["AllToShardedLinear", "Linear", "ShardedToAllLinear", "average_gradients", "shard_linear"]
