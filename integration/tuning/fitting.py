"""The weights that rank best, found by coordinate ascent, and how they do on queries that they were not fitted on.

One number after the other is set to the value on its grid by which mean nDCG is highest, until none rises (Metzler and
Croft, Linear feature-based models for information retrieval, 2007). nDCG is flat in steps: of the values that do
equally well the middle one is taken, and the present one where none does better.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from integration.tuning.ndcg import Floats
from integration.tuning.ranking import Limits, Numbers, Pool
from mappings.fields import PARTS

FOLDS = 5
LEAST = 2 * FOLDS  # queries: fewer say nothing of others
# neither side, and no part, is switched off by a sample
WEIGHTS = tuple(round(step / 20, 2) for step in range(1, 20))
SATURATIONS = tuple(2.0**power for power in range(-1, 8))  # 0.5 to 128
PART_WEIGHTS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
STARTS = (0.2, 0.5, 0.8)  # of w, beside the present numbers: an ascent ends at the nearest height


@dataclass(frozen=True, slots=True)
class Fitted:
    """The numbers that rank all queries best, and nDCG by query, before and after: `after` by folds.

    `after` of a query is that by numbers fitted on the queries of the other folds alone.
    """

    numbers: Numbers
    before: Floats
    after: Floats

    @property
    def rises(self) -> bool:
        """Whether the mean over queries that nothing was fitted on is higher than before."""
        return round(float(self.after.mean() - self.before.mean()), 9) > 0


class Fitting:
    """Pools of queries, and what is fixed while numbers are fitted. nDCG by any numbers is worked out once."""

    def __init__(self, pools: Sequence[Pool], now: Numbers, limits: Limits) -> None:
        self._pools, self._now, self._limits = pools, now, limits
        self._known: dict[Numbers, Floats] = {}
        coded = [any((pool.similar[at] >= 0).any() for pool in pools) for at in range(len(PARTS))]
        # a part that the administrator switched off stays so
        self._parts = [at for at in range(len(PARTS)) if coded[at] and now.parts[at] > 0]

    def ndcg(self, numbers: Numbers) -> Floats:
        """nDCG by query [n]."""
        if numbers not in self._known:
            self._known[numbers] = np.array([pool.ndcg(numbers, self._limits) for pool in self._pools])
        return self._known[numbers]

    def best(self, which: NDArray[np.intp]) -> Numbers:
        """The numbers found that rank these queries best; the present ones where none does better."""
        starts = [self._now, *(replace(self._now, weight=weight) for weight in STARTS)]
        found = [self._now, *(self._ascended(start, which) for start in starts)]
        return max(found, key=lambda one: self._mean(one, which))  # the first of equals

    def fitted(self, keys: Sequence[str]) -> Fitted:
        """Fitted on all, and fold by fold; queries of the same key are in the same fold."""
        folds = folds_of(keys)
        before = self.ndcg(self._now)
        after = before.copy()
        for fold in range(FOLDS):
            held_out, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            after[held_out] = self.ndcg(self.best(others))[held_out]
        return Fitted(self.best(np.arange(len(keys))), before, after)

    def _ascended(self, numbers: Numbers, which: NDArray[np.intp]) -> Numbers:
        while True:
            before = numbers
            for axis in range(2 + len(self._parts)):
                numbers = self._step(axis, numbers, which)
            if numbers == before:
                return numbers

    def _along(self, axis: int, numbers: Numbers) -> Iterator[Numbers]:
        if axis == 0:
            yield from (replace(numbers, weight=weight) for weight in WEIGHTS)
        elif axis == 1:
            yield from (replace(numbers, saturation=saturation) for saturation in SATURATIONS)
        elif len(self._parts) > 1:
            yield from (numbers.with_part(self._parts[axis - 2], weight) for weight in PART_WEIGHTS)

    def _step(self, axis: int, now: Numbers, which: NDArray[np.intp]) -> Numbers:
        """`now`, or the middle one of those that do best along an axis where these do better."""
        found = list(self._along(axis, now))
        highest = max((self._mean(one, which) for one in found), default=0.0)
        if highest <= self._mean(now, which):
            return now
        best = [one for one in found if self._mean(one, which) == highest]
        return best[len(best) // 2]

    def _mean(self, numbers: Numbers, which: NDArray[np.intp]) -> float:
        """Mean nDCG of these queries; sums of equal terms in another order must not differ."""
        return round(float(self.ndcg(numbers)[which].mean()), 9)


def folds_of(keys: Sequence[str]) -> NDArray[np.intp]:
    """The fold of each query [n]: keys are dealt out in the order of their hashes, the same in every run."""
    hashed = sorted(set(keys), key=lambda key: hashlib.sha256(key.encode()).digest())
    fold = {key: at % FOLDS for at, key in enumerate(hashed)}
    return np.array([fold[key] for key in keys], dtype=np.intp)
