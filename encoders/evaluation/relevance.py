"""What a query should find, as a gain: the number of labels that both share, or 1 for the paired record."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from encoders.data.api import Flags, Pairs, Rows
from mappings.code import shared_bits

Gains = NDArray[np.uint16]


class Relevance(Protocol):
    """q queries against n stored items; 0 is irrelevant."""

    @property
    def most(self) -> int:
        """No gain is higher."""
        ...

    def gains(self, queries: slice) -> Gains:
        """The gain of every stored item for these queries, [q, n]."""
        ...


@dataclass(frozen=True, eq=False)
class SharedLabels:
    """Relevant is what shares a label; the gain is how many."""

    query: Flags  # [q, c]
    stored: Flags  # [n, c]

    @property
    def most(self) -> int:
        """The most labels that a query has."""
        return int(self.query.sum(axis=1).max())

    @cached_property
    def _packed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return np.packbits(self.query, axis=1), np.packbits(self.stored, axis=1)

    def gains(self, queries: slice) -> Gains:
        """[q, c] and [n, c] -> [q, n]"""
        asked, stored = self._packed
        return shared_bits(asked[queries], stored)


@dataclass(frozen=True, eq=False)
class SameRecord:
    """Relevant is what belongs to the query's own record."""

    query: Rows  # [q]
    stored: Rows  # [n]

    @property
    def most(self) -> int:
        """A record is the query's own, or not."""
        return 1

    def gains(self, queries: slice) -> Gains:
        """[q], [n] -> [q, n]"""
        return np.equal(self.query[queries, None], self.stored).astype(np.uint16)


def relevance(query: Pairs, stored: Pairs) -> Relevance:
    """By labels where both have them, else by record."""
    if query.labels is not None and stored.labels is not None:
        return SharedLabels(query.labels, stored.labels)
    return SameRecord(query.records, stored.records)
