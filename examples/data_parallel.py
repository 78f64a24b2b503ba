"""Data-parallel training as MLX programs do it: every rank has a part of the data, and gradients are averaged.

    muster run -n 4 -- python data_parallel.py
"""

import muster
import numpy as np
from muster.nn import average_gradients


def gradients_of(weights, bias, x, y):
    error = x @ weights + bias - y
    return [2 * x.T @ error / len(x), 2 * error.mean(0)], float((error**2).mean())


def train(x, y, average):
    weights, bias = np.zeros((x.shape[1], y.shape[1])), np.zeros(y.shape[1])
    for _ in range(200):
        gradients, _ = gradients_of(weights, bias, x, y)
        for value, gradient in zip((weights, bias), average(gradients)):
            value -= 0.05 * gradient
    return weights, bias


world = muster.init()
rng = np.random.default_rng(7)  # the same on every rank
x, true_weights = rng.normal(size=(64 * world.size(), 8)), rng.normal(size=(8, 3))
y = x @ true_weights + 0.5

mine = slice(64 * world.rank(), 64 * (world.rank() + 1))
weights, bias = train(x[mine], y[mine], lambda gradients: average_gradients(gradients, world))
alone, _ = train(x, y, lambda gradients: gradients)
assert np.allclose(weights, alone)
if world.rank() == 0:
    print(f"{world.size()} ranks: error {np.abs(weights - true_weights).max():.1e}, the same as on one rank")
