"""Slow twins of what the stored scripts measure: how far apart two codes are, and how similar that is."""

import math
from collections.abc import Sequence

from mappings.code import HashCode
from mappings.weighted import WeightedCode


def apart(query: HashCode, code: HashCode) -> int:
    """The sum of the weights of the bits that differ, their number where the query has no weights."""
    weights = query.weights if isinstance(query, WeightedCode) else bytes([1] * query.bits)
    bits = (f"{int.from_bytes(packed):0{query.bits}b}" for packed in (query.packed, code.packed))
    return sum(weight for weight, one, other in zip(weights, *bits, strict=True) if one != other)


def bits_apart(query: HashCode, code: HashCode) -> int:
    """The Hamming distance, whether the query has weights or not."""
    return HashCode(query.bits, query.packed).distance(code)


def similarity(table: Sequence[float], query: HashCode, weight: int) -> float:
    """The table's value at `weight` of differing bits: at a whole number of bits, and evenly between two."""
    distance: float = weight
    if isinstance(query, WeightedCode):
        distance = min(max(query.floor + query.unit * weight, 0), query.bits)
    below = math.floor(distance)
    if distance == below:
        return table[below]
    return table[below] + (distance - below) * (table[below + 1] - table[below])
