"""Calibration tables: what a Hamming distance means for each pair of parts."""

import numpy as np
from numpy.typing import NDArray

from encoders.api import PARTS
from mappings.code import distances


def tables(
    queries: dict[str, NDArray[np.uint8]], stored: dict[str, NDArray[np.uint8]], bits: int
) -> dict[str, list[float]]:
    """For each (query part, record part): by distance d, the share of random pairs that are farther than d.

    Both hold, by part, packed codes [n, bits / 8] of the same n held-out items; a random pair joins two different
    items: text and record of one item share their words, so an item is never paired with itself. -> bits + 1 values a
    pair, falling from nearly 1 to 0.
    """
    return {
        f"{query}-{part}": farther(distances(queries[query], stored[part]), bits)
        for query in PARTS
        for part in PARTS
        if query in queries and part in stored
    }


def farther(apart: NDArray[np.uint16], bits: int) -> list[float]:
    """Share of the off-diagonal distances that exceed d, for d = 0..bits; [n, n] -> bits + 1 values, four digits."""
    counts = np.bincount(apart[~np.eye(len(apart), dtype=bool)], minlength=bits + 1)
    share = 1 - np.cumsum(counts) / counts.sum()
    return [float(value) for value in np.clip(np.round(share, 4), 0, 1)]
