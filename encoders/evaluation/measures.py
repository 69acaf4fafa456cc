"""The field's figures, each from counts and exact: its mean over all orders in which tied items could stand.

Source of the averaging: McSherry and Najork, "Computing Information Retrieval Performance Measures Efficiently in the
Presence of Tied Scores" (ECIR 2008); theirs is the expected average precision, the rest follows in the same way. Where
every group holds one item there is nothing to average, and these are the usual figures of a ranked list.

Shapes: q queries, g groups. N items and R relevant ones stand before a group of n items, r of them relevant, of which
the first t places count. A query with no relevant item has 0.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from encoders.evaluation.counts import Counts, Numbers

Doubles = NDArray[np.float64]


def average_precision(counts: Counts) -> Doubles:
    """AP over the whole ranking: the mean, over the relevant items, of the precision where each stands. -> [q]"""
    return share(_precisions(counts, int(counts.found.sum(axis=1).max())), counts.relevant.sum(axis=1))


def average_precision_at(counts: Counts, size: int) -> Doubles:
    """AP@N as the field has it: divided by the relevant items among the first N. -> [q]

    How many these are hangs on the order within the group that N cuts: each number m has its hypergeometric chance, and
    given m, the m stand anywhere in that group's t places. Sums of a cut group leave out m that lie so far from the
    mean that all of them together weigh less than 1e-16 (Hoeffding 1963).
    """
    before, past = _before(counts.found), np.cumsum(counts.found, axis=1)
    whole = _precisions_of(counts, np.where(past <= size, counts.found, 0))
    found = np.where(past <= size, counts.relevant, 0).sum(axis=1)
    result: Doubles = share(whole, found)
    rows, groups = np.nonzero((before < size) & (size < past))
    n, r, first = (array[rows, groups] for array in (counts.found, counts.relevant, before))
    t, known = size - first, found[rows]
    reach = np.ceil(np.sqrt(20 * t)).astype(np.int64)
    low = np.maximum(np.maximum(0, t - (n - r)), t * r // n - reach)
    high = np.minimum(np.minimum(r, t), t * r // n + reach)
    spread = high - low + 1
    at = np.repeat(np.arange(len(rows)), spread)
    m = np.arange(spread.sum()) - np.repeat(np.cumsum(spread) - spread, spread) + low[at]
    chance = np.exp(_choose(r[at], m) + _choose((n - r)[at], t[at] - m) - _choose(n, t)[at])
    chance /= np.bincount(at, chance, minlength=len(rows))[at]
    inside = _sum(t[at], m, first[at], known[at], t[at])
    given = share(whole[rows][at] + inside, known[at] + m)
    result[rows] = np.bincount(at, chance * given, minlength=len(rows))
    return result


def average_precision_of_possible(counts: Counts, size: int) -> Doubles:
    """AP@N divided by as many relevant items as N places could hold, min(N, R). -> [q]"""
    return share(_precisions(counts, size), np.minimum(size, counts.relevant.sum(axis=1)))


def relevant_among(counts: Counts, sizes: Numbers) -> Doubles:
    """How many of the first N are relevant, for each N of `sizes` (rising). -> [q, sizes]

    The mean over the orders of a group rises in a straight line from its first place to its last.
    """
    before, relevant = np.cumsum(counts.found, axis=1), np.cumsum(counts.relevant, axis=1)
    rows = [np.interp(sizes, [0, *f], [0, *r]) for f, r in zip(before, relevant, strict=True)]
    return np.stack(rows)


def hit_at(counts: Counts, size: int) -> Doubles:
    """Chance that a relevant item is among the first N. -> [q]"""
    before, past = _before(counts.found), np.cumsum(counts.found, axis=1)
    hit: Doubles = np.any((past <= size) & (counts.relevant > 0), axis=1).astype(np.float64)
    rows, groups = np.nonzero((before < size) & (size < past))
    n, r = counts.found[rows, groups], counts.relevant[rows, groups]
    hit[rows] = np.maximum(hit[rows], 1 - miss(n, r, size - before[rows, groups]))
    return hit


def miss(items: Numbers, wanted: Numbers, places: Numbers) -> Doubles:
    """Chance that `places` draws from `items` hold none of the `wanted`, element by element (hypergeometric)."""
    places = np.minimum(places, items)
    possible = wanted + places <= items
    left = np.where(possible, items - wanted, items)
    chances = np.exp(_choose(left, places) - _choose(items, places))
    return np.asarray(np.where(possible, chances, 0.0), dtype=np.float64)


def ndcg(counts: Counts, size: int | None = None) -> Doubles:
    """nDCG over the first N, or over all: gain / log2(1 + place), by the sum in the best order. -> [q]

    Järvelin and Kekäläinen (TOIS 2002) with the discount of Burges et al. (ICML 2005); the gain is the number of shared
    labels itself. Tied items share the mean of their gains.
    """
    return share(_discounted(counts.found, counts.gains, size), ideal(counts.shared, size))


def ideal(shared: Numbers, size: int | None) -> Doubles:
    """What nDCG is divided by: the sum in the best order, from the items by gain [q, most + 1]. -> [q]"""
    best, kinds = shared[:, ::-1], np.arange(shared.shape[1])
    return _discounted(best, best * kinds[::-1], size)


def curve(counts: Counts) -> tuple[Doubles, Doubles]:
    """Precision and recall within each radius, [q, g] each. Where nothing lies within it, precision is 0."""
    found, relevant = np.cumsum(counts.found, axis=1), np.cumsum(counts.relevant, axis=1)
    return share(relevant, found), share(relevant, counts.relevant.sum(axis=1)[:, None])


def area(precision: Doubles, recall: Doubles) -> float:
    """Area under a precision-recall curve, [g] and [g], by trapezoids; before its first point precision stays."""
    return float(np.trapezoid(np.r_[precision[:1], precision], np.r_[0.0, recall]))


def f1(precision: Doubles, recall: Doubles) -> Doubles:
    """Harmonic mean of the two, [g] and [g] -> [g]"""
    return share(2 * precision * recall, precision + recall)


def chance(shared: Numbers) -> Counts:
    """Counts as if everything tied, from the items by gain [q, most + 1]: their figures are those of random orders."""
    found, relevant, gains = shared.sum(axis=1), shared[:, 1:].sum(axis=1), shared @ np.arange(shared.shape[1])
    return Counts(found[:, None], relevant[:, None], gains[:, None], shared)


def _precisions(counts: Counts, size: int) -> Doubles:
    """Sum of the precisions at the relevant items among the first N. -> [q]"""
    return _precisions_of(counts, np.clip(size - _before(counts.found), 0, counts.found))


def _precisions_of(counts: Counts, places: Numbers) -> Doubles:
    """The same where so many places of each group count, [q, g]. -> [q]"""
    before, known = _before(counts.found), _before(counts.relevant)
    return np.asarray(_sum(counts.found, counts.relevant, before, known, places).sum(axis=1), dtype=np.float64)


def _sum(n: Numbers, r: Numbers, before: Numbers, known: Numbers, t: Numbers) -> Doubles:
    """Expected sum of precisions at the relevant items in the first t places of groups, element by element.

    Place i of n holds a relevant item with chance r/n, and then (i - 1)(r - 1)/(n - 1) of the group's others stand
    before it: r/n · Σ (R + 1 + (i - 1) b) / (N + i), b = (r - 1)/(n - 1), which harmonic numbers sum up.
    """
    b = (r - 1) / np.maximum(n - 1, 1)
    harmonic = _harmonic(int((before + t).max(initial=0)))
    total = t * b + (known + 1 - b * (before + 1)) * (harmonic[before + t] - harmonic[before])
    return np.asarray(np.where(r > 0, r / np.maximum(n, 1) * total, 0.0), dtype=np.float64)


def _discounted(found: Numbers, gains: Numbers, size: int | None) -> Doubles:
    past = np.cumsum(found, axis=1)
    sums = _discounts(int(past.max()))
    last = past if size is None else np.minimum(past, size)
    first = _before(found) if size is None else np.minimum(_before(found), size)
    return np.asarray((share(gains, found) * (sums[last] - sums[first])).sum(axis=1), dtype=np.float64)


@lru_cache(maxsize=8)
def _harmonic(count: int) -> Doubles:
    """H(0) … H(count)."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, count + 1))])


@lru_cache(maxsize=8)
def _discounts(count: int) -> Doubles:
    """Sums of 1 / log2(1 + place) over the first 0 … count places."""
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, count + 2)))])


def _before(numbers: Numbers) -> Numbers:
    """What stands before each group. [q, g] -> [q, g]"""
    return np.cumsum(numbers, axis=1) - numbers


def _choose(items: Numbers, drawn: Numbers) -> Doubles:
    """log of the binomial coefficient."""
    return np.asarray(gammaln(items + 1) - gammaln(drawn + 1) - gammaln(items - drawn + 1), dtype=np.float64)


def share(part: Numbers | Doubles, whole: Numbers | Doubles) -> Doubles:
    """part / whole, 0 where there is no whole."""
    shares: Doubles = np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)
    return shares
