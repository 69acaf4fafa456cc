"""Intervals by the bootstrap over queries (Efron and Tibshirani 1993): of a mean,
of two encoders' difference, of a share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of the second minus mean of the first over the same queries, with its 95 % interval.

    `p` is twice the smaller share of resamples on either side of zero (at least 1 / resamples): two-sided.
    """

    mean: float
    low: float
    high: float
    p: float


def interval(values: Doubles) -> tuple[float, float]:
    """95 % interval of the mean of n queries' values, [n]: percentiles of resampled means, always the same draws."""
    low, high = intervals(values[:, None])[:, 0]
    return float(low), float(high)


def intervals(values: Doubles) -> Doubles:
    """The same of f columns at once, [n, f] -> low and high [2, f]."""
    return np.asarray(np.quantile(_means(values), [0.025, 0.975], axis=0), dtype=np.float64)


def paired(first: Doubles, second: Doubles) -> Difference:
    """Compare two encoders on the same queries, [n] each: the queries are drawn together."""
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} queries cannot be paired")
    gained = second - first
    means = _means(gained[:, None])[:, 0]
    low, high = np.quantile(means, [0.025, 0.975])
    side = min((means <= 0).mean(), (means >= 0).mean())
    return Difference(float(gained.mean()), float(low), float(high), float(min(1.0, max(2 * side, 1 / RESAMPLES))))


def share(whole: Doubles, part: Doubles) -> tuple[float, float, float]:
    """Mean of `part` as a share of the mean of `whole`, the same n queries each, with its 95 % interval.

    The queries are drawn together. Raises ValueError where no query of `whole` scores: a share of nothing.
    """
    if whole.shape != part.shape or not whole.any():
        raise ValueError(f"{len(part)} queries have no share of {len(whole)} whose mean is {whole.mean()}")
    means = _means(np.stack([whole, part], axis=1))
    low, high = np.quantile(means[:, 1] / means[:, 0], [0.025, 0.975])
    return float(part.mean() / whole.mean()), float(low), float(high)


def _means(values: Doubles) -> Doubles:
    """Means of as many rows, drawn with replacement: [n, f] -> [resamples, f]."""
    rng, count = np.random.default_rng(0), len(values)
    times = (np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(RESAMPLES))
    return np.stack([drawn @ values for drawn in times]) / count
