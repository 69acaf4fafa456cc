"""Small sets that the methods are tried on, and the slow obvious MAP by which they are judged there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mappings.code import distances

CLASSES, WIDTHS = 4, (12, 9)


@dataclass(frozen=True)
class Made:
    """Pairs of both sides with their classes, one of `CLASSES` each."""

    images: NDArray[np.float64]
    texts: NDArray[np.float64]
    labels: NDArray[np.bool_]


def separable(count: int, seed: int) -> Made:
    """Pairs around a point for each class, in each modality; the points are the same whatever the seed."""
    points = np.random.default_rng(7)
    middles = [3 * points.standard_normal((CLASSES, width)) for width in WIDTHS]
    rng = np.random.default_rng(seed)
    classes = np.arange(count) % CLASSES
    images, texts = (middle[classes] + rng.standard_normal((count, middle.shape[1])) for middle in middles)
    return Made(images, texts, np.eye(CLASSES, dtype=bool)[classes])


def average_precision(
    queries: NDArray[np.uint8], database: NDArray[np.uint8], asked: NDArray[np.bool_], held: NDArray[np.bool_]
) -> float:
    """MAP over the whole ranking; ties stand in a random order, and this is the mean over many of them."""
    rng = np.random.default_rng(0)
    found = []
    for row, label in zip(distances(queries, database), asked, strict=True):
        relevant = (held & label).any(axis=1)
        for _ in range(10):
            hits = relevant[np.lexsort((rng.random(len(row)), row))]
            found.append(float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()))
    return float(np.mean(found))
