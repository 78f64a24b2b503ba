"""Arrays cut into the parts of the ranks, as MLX cuts them."""

import numpy as np


def _segments_of(array, segments, axis):
    """A number: so many of one length; numbers below 1: where they end, as parts of the whole; else where they begin."""
    if isinstance(segments, int):
        if array.shape[axis] % segments:
            raise ValueError(f"axis {axis}, of length {array.shape[axis]}, has no {segments} equal segments")
        return np.split(array, segments, axis)
    if any(isinstance(segment, float) for segment in segments):
        segments = [int(segment * array.shape[axis]) for segment in segments]
    return np.split(array, list(segments), axis)


def part_of(array, segments, axis, group):
    """This rank's part of each segment, one after the other."""
    size, parts = group.size(), _segments_of(array, segments, axis)
    for part in parts:
        if part.shape[axis] % size:
            raise ValueError(f"a segment of length {part.shape[axis]} cannot be sharded across {size} devices")
    return np.concatenate([np.split(part, size, axis)[group.rank()] for part in parts], axis)
