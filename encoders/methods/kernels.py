"""Kernel logistic regression on a few centres: a matrix n x centres, never n x n."""

import numpy as np
from numpy.typing import NDArray

from encoders.training.itq import Doubles
from mappings.errors import DataError


def rbf(rows: Doubles, centres: Doubles, width: float) -> Doubles:
    """exp(-||x - c||² / (2 σ²)): rows [n, d], centres [m, d], width σ -> [n, m]."""
    return np.asarray(np.exp(-squares(rows, centres) / (2 * width**2)))


def width(rows: Doubles, centres: Doubles) -> float:
    """σ: the root of the mean squared distance of rows from centres."""
    return float(np.sqrt(squares(rows, centres).mean()))


def centres(rows: Doubles, count: int, rng: np.random.Generator, *, iterations: int = 20) -> Doubles:
    """k-means (Lloyd, 1982) from rows drawn at random: [n, d] -> [min(count, n), d]. A cluster left empty stays put."""
    found = rows[rng.choice(len(rows), min(count, len(rows)), replace=False)].copy()
    for _ in range(iterations):
        nearest = squares(rows, found).argmin(axis=1)
        sizes = np.bincount(nearest, minlength=len(found))
        sums = np.zeros_like(found)
        np.add.at(sums, nearest, rows)
        moved = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], found)
        if np.allclose(moved, found):
            break
        found = moved
    return np.asarray(found)


def squares(rows: Doubles, others: Doubles) -> Doubles:
    """Squared Euclidean distances: [n, d], [m, d] -> [n, m]."""
    apart = (rows**2).sum(axis=1)[:, None] - 2 * rows @ others.T + (others**2).sum(axis=1)
    return np.asarray(np.maximum(apart, 0))


def logistic(known: Doubles, bits: NDArray[np.bool_], *, penalty: float, iterations: int) -> Doubles:
    """min Σ_i log(1 + exp(-s_i f_i)) + penalty ||w||² / 2 for every bit at once, f = known w + b, b not shrunk.

    known [n, m], bits bool [n, k] -> [m + 1, k], b in the last row. Each step minimises the quadratic that bounds the
    objective (Böhning and Lindsay, 1988): its matrix, a quarter of the Gram matrix, is the same for all bits and steps,
    and the objective never rises.
    """
    design = np.hstack([known, np.ones((len(known), 1))])
    bound = design.T @ design / 4
    bound[np.diag_indices(len(bound) - 1)] += penalty
    bound[np.diag_indices_from(bound)] += 1e-10 * np.trace(bound)  # a kernel that repeats another would be singular
    shrunk = np.full((len(bound), 1), penalty)
    shrunk[-1] = 0
    weights = np.zeros((len(bound), bits.shape[1]))
    inverse = np.linalg.inv(bound)
    for _ in range(iterations):
        slope = design.T @ (sigmoid(design @ weights) - bits) + shrunk * weights
        weights -= inverse @ slope
    if not np.isfinite(weights).all():
        raise DataError("the logistic regressions did not converge: the features' kernels are the same for all rows")
    return weights


def sigmoid(x: Doubles) -> Doubles:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))
