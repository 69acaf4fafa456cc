"""How many stored items, and how many relevant ones, lie at each Hamming distance of a query; figures follow from that.

Shapes: q queries, n stored items, g groups: items of one group tie, and stand behind those of every group before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.data.api import Rows
from encoders.evaluation.relevance import Gains, Relevance
from mappings.code import distances

CELLS = 1 << 21  # of a chunk's queries x stored items: some 20 MB, whatever the sizes are
Codes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """A ranking with ties: what each group holds."""

    found: Numbers  # items [q, g]
    relevant: Numbers  # of them relevant [q, g]
    gains: Numbers  # sum of their gains [q, g]
    shared: Numbers  # items of the whole database by gain 0, 1, …, most [q, most + 1]


@dataclass(frozen=True, eq=False)
class Placed:
    """A ranking without ties: where its m relevant items stand, query by query, each one's in rising order."""

    rows: Numbers  # of the query [m]
    places: Numbers  # from 1 [m]
    gains: Numbers  # [m]
    shared: Numbers  # items of the whole database by gain 0, 1, …, most [q, most + 1]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some queries against everything. An item that is not to be found has the distance bits + 1, and no gain."""

    apart: NDArray[np.uint16]  # [q, n]
    gains: Gains  # [q, n]
    bits: int
    most: int

    def by_radius(self) -> Counts:
        """One group a distance, 0 to bits: items of one distance tie."""
        kinds = self.most + 1
        size = (self.bits + 2) * kinds
        keys = self.apart.astype(np.uint32)
        keys *= kinds
        keys += self.gains
        table = np.stack([np.bincount(row, minlength=size) for row in keys]).reshape(-1, self.bits + 2, kinds)
        table = table[:, :-1]  # what is not to be found
        return Counts(table.sum(axis=2), table[:, :, 1:].sum(axis=2), table @ np.arange(kinds), table.sum(axis=1))

    def in_order(self) -> Placed:
        """What ties stands as it is stored, as a stable sort leaves it."""
        ranks = np.argsort(self.apart, axis=1, kind="stable")
        gains = np.take_along_axis(self.gains, ranks, axis=1)
        rows, places = np.divmod(np.flatnonzero(gains), gains.shape[1])
        shared = np.stack([np.bincount(row, minlength=self.most + 1) for row in gains])
        shared[:, 0] -= (self.apart > self.bits).sum(axis=1)
        return Placed(rows, places + 1, gains[rows, places].astype(np.int64), shared)


def chunks(queries: Codes, stored: Codes, relevant: Relevance, *, own: Rows | None = None) -> Iterator[Chunk]:
    """All queries against all stored codes, chunk by chunk: uint8 [q, b], [n, b].

    `own[i]` is the stored row that query i itself is, or -1: nothing finds itself. Raises CodeLengthError.
    """
    bits, step = queries.shape[1] * 8, max(1, CELLS // len(stored))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        apart, gains = distances(queries[part], stored), relevant.gains(part)
        if own is not None:
            rows = np.flatnonzero(own[part] >= 0)
            apart[rows, own[part][rows]] = bits + 1
            gains[rows, own[part][rows]] = 0
        yield Chunk(apart, gains, bits, relevant.most)
