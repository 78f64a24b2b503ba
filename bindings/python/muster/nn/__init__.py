"""What MLX's mlx.nn has for groups, for arrays of numpy: averages of gradients, and linear layers in shards.

    from muster.nn import average_gradients
    gradients = average_gradients({"weight": dw, "bias": db})
"""

from ._gradients import average_gradients
from ._linears import AllToShardedLinear, Linear, ShardedToAllLinear
from ._quantized import (QuantizedAllToShardedLinear, QuantizedLinear, QuantizedShardedToAllLinear, dequantize,
                         quantize)
from ._shards import shard_inplace, shard_linear

__all__ = ["AllToShardedLinear", "Linear", "QuantizedAllToShardedLinear", "QuantizedLinear", "QuantizedShardedToAllLinear",
           "ShardedToAllLinear", "average_gradients", "dequantize", "quantize", "shard_inplace", "shard_linear"]
