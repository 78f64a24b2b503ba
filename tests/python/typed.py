"""A program that mypy --strict has nothing to say about."""

import array
import muster
from muster.nn import average_gradients, shard_linear, Linear
from muster.testing import ranks

world = muster.init(all_gather_factory=None)
half = world.split(world.rank() % 2)
size: int = half.size()
x: "array.array[float]" = muster.all_sum(array.array("d", [1.0]), group=half)
total: float = float(muster.all_sum(3.0))
with world.dup() as group:
    muster.barrier(group=group)

gradients: "dict[str, array.array[float]]" = average_gradients({"w": x})
layer = shard_linear(Linear(x), "all-to-sharded", group=half)
number: int = layer.group.rank()
everyone: "list[int]" = muster.all_gather_object(world.rank())
name: str = muster.broadcast_object("x")
muster.all_gatherv(x, [1, 1], displacements=[0, 1], out=x)

@ranks(4, timeout=3)
def test(number: int) -> None:
    muster.barrier()

@ranks(2)
async def test_async() -> None:
    pass

test(3)
request = muster.all_sum_start(x)
y: "array.array[float]" = request.wait()
try:
    pass
except muster.PeerDiedError as error:
    print(error.rank, error.signal, error.status, error.operation)
