"""A tensor-parallel block of a language model, as in MLX's shard_linear: the first matrix is cut by columns, the
second by rows, and one all_sum of the activations per block puts the parts together.

    muster run -n 4 -- python tensor_parallel.py
"""

import muster
import numpy as np

WIDTH, HIDDEN, TOKENS = 64, 256, 5

world = muster.init()
rng = np.random.default_rng(7)  # the same on every rank
up, down = rng.normal(size=(WIDTH, HIDDEN)) / 8, rng.normal(size=(HIDDEN, WIDTH)) / 16
x = rng.normal(size=(TOKENS, WIDTH)).astype(np.float32)

part = HIDDEN // world.size()
mine = slice(part * world.rank(), part * (world.rank() + 1))
up_mine, down_mine = up[:, mine].astype(np.float32), down[mine].astype(np.float32)

# Activations in the arena: other ranks read them zero-copy.
activations = muster.empty((TOKENS, WIDTH), "float32", world)
for token in range(100):
    hidden = np.maximum(x @ up_mine, 0)
    np.matmul(hidden, down_mine, out=activations)
    y = muster.all_sum(activations, group=world)

assert np.allclose(y, np.maximum(x @ up, 0) @ down, rtol=1e-4, atol=1e-4)
if world.rank() == 0:
    print(f"{world.size()} ranks: largest activation {np.abs(y).max():.3f}, the same as on one rank")
