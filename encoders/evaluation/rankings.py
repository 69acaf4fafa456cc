"""Rankings to take the field's figures from: with ties, averaged over their orders, or in one order without any."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from encoders.evaluation import measures
from encoders.evaluation.counts import Counts, Numbers, Placed

Doubles = NDArray[np.float64]


class Ranking(Protocol):
    """q queries; every figure is [q], or [q, sizes]. `encoders.evaluation.measures` says what each is."""

    def average_precision(self) -> Doubles:
        """AP over the whole ranking."""
        ...

    def average_precision_at(self, size: int) -> Doubles:
        """AP@N, divided by the relevant items among the first N."""
        ...

    def average_precision_of_possible(self, size: int) -> Doubles:
        """AP@N, divided by as many as N places could hold."""
        ...

    def relevant_among(self, sizes: Numbers) -> Doubles:
        """How many of the first N are relevant, for rising N. -> [q, sizes]"""
        ...

    def hit_at(self, size: int) -> Doubles:
        """Chance that a relevant item is among the first N."""
        ...

    def ndcg(self, size: int | None = None) -> Doubles:
        """nDCG over the first N, or over all."""
        ...

    @property
    def relevant(self) -> Numbers:
        """How many stored items are relevant, [q]."""
        ...


def precision_at(ranked: Ranking, sizes: Numbers) -> Doubles:
    """Share of the first N that is relevant. -> [q, sizes]"""
    return ranked.relevant_among(sizes) / sizes


def recall_at(ranked: Ranking, sizes: Numbers) -> Doubles:
    """Share of the relevant items that is among the first N. -> [q, sizes]"""
    return measures.share(ranked.relevant_among(sizes), ranked.relevant[:, None])


@dataclass(frozen=True, eq=False)
class Tied:
    """Items of one group tie."""

    counts: Counts

    def average_precision(self) -> Doubles:
        """AP over the whole ranking."""
        return measures.average_precision(self.counts)

    def average_precision_at(self, size: int) -> Doubles:
        """AP@N, divided by the relevant items among the first N."""
        return measures.average_precision_at(self.counts, size)

    def average_precision_of_possible(self, size: int) -> Doubles:
        """AP@N, divided by as many as N places could hold."""
        return measures.average_precision_of_possible(self.counts, size)

    def relevant_among(self, sizes: Numbers) -> Doubles:
        """How many of the first N are relevant, for rising N. -> [q, sizes]"""
        return measures.relevant_among(self.counts, sizes)

    def hit_at(self, size: int) -> Doubles:
        """Chance that a relevant item is among the first N."""
        return measures.hit_at(self.counts, size)

    def ndcg(self, size: int | None = None) -> Doubles:
        """nDCG over the first N, or over all."""
        return measures.ndcg(self.counts, size)

    @property
    def relevant(self) -> Numbers:
        """How many stored items are relevant, [q]."""
        return np.asarray(self.counts.relevant.sum(axis=1))


@dataclass(frozen=True, eq=False)
class Ordered:
    """No item ties: figures follow from the places of the relevant items alone, by sums that run over all of them."""

    placed: Placed

    def average_precision(self) -> Doubles:
        """AP over the whole ranking."""
        return measures.share(self._from_first(self._precisions, self._until(None)), self.relevant)

    def average_precision_at(self, size: int) -> Doubles:
        """AP@N, divided by the relevant items among the first N."""
        until = self._until(size)
        return measures.share(self._from_first(self._precisions, until), until - self._first)

    def average_precision_of_possible(self, size: int) -> Doubles:
        """AP@N, divided by as many as N places could hold."""
        total = self._from_first(self._precisions, self._until(size))
        return measures.share(total, np.minimum(self.relevant, size))

    def relevant_among(self, sizes: Numbers) -> Doubles:
        """How many of the first N are relevant, for rising N. -> [q, sizes]"""
        keys = np.arange(len(self._first))[:, None] * self._far + np.minimum(sizes, self._far - 1)
        found = np.searchsorted(self._keys, keys, side="right") - self._first[:, None]
        return np.asarray(found, dtype=np.float64)

    def hit_at(self, size: int) -> Doubles:
        """Chance that a relevant item is among the first N."""
        return np.asarray(self._until(size) > self._first, dtype=np.float64)

    def ndcg(self, size: int | None = None) -> Doubles:
        """nDCG over the first N, or over all."""
        return measures.share(
            self._from_first(self._discounted, self._until(size)), measures.ideal(self.placed.shared, size)
        )

    @property
    def relevant(self) -> Numbers:
        """How many stored items are relevant, [q]."""
        return np.asarray(self.placed.shared[:, 1:].sum(axis=1))

    @cached_property
    def _first(self) -> Numbers:
        """Where each query's relevant items begin among all, [q]."""
        return np.asarray(np.cumsum(self.relevant) - self.relevant)

    @cached_property
    def _far(self) -> int:
        """Behind every place."""
        return int(self.placed.places.max(initial=0)) + 1

    @cached_property
    def _keys(self) -> Numbers:
        """Query and place of each relevant item in one number, rising."""
        return np.asarray(self.placed.rows * self._far + self.placed.places)

    def _until(self, size: int | None) -> Numbers:
        """Where, among all relevant items, those of each query's first N places end, [q]."""
        if size is None:
            return self._first + self.relevant
        return np.asarray(self._first + self.relevant_among(np.array([size]))[:, 0].astype(np.int64))

    @cached_property
    def _precisions(self) -> Doubles:
        """Running sums, from 0, of the precision where each relevant item stands. [m + 1]"""
        nth = np.arange(len(self.placed.rows)) - self._first[self.placed.rows] + 1
        return np.concatenate([[0.0], np.cumsum(nth / self.placed.places)])

    @cached_property
    def _discounted(self) -> Doubles:
        """The same of gain / log2(1 + place)."""
        return np.concatenate([[0.0], np.cumsum(self.placed.gains / np.log2(1 + self.placed.places))])

    def _from_first(self, sums: Doubles, until: Numbers) -> Doubles:
        return np.asarray(sums[until] - sums[self._first])
