"""A catalogue as a data set: records with a picture, what they say of it, and their subject headings as labels.

Each caption is a pair of its own, the record its picture. Subject headings are labels, and captions to learn from; they
neither ask nor are searched, for then the label itself would be the query. Near-duplicate pictures and records of one
title are in one part.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.data.api import DataSet, Flags, Pairs, Split
from encoders.data.raw import Files
from encoders.training.duplicates import groups, together, whole_groups
from mappings.errors import DataError

LEAST = 50  # records: a fifth of them asks
ASKING, MOST_ASKING = 0.2, 2000  # records
MOST_LABELS = 256  # headings, those of the most records
CAPTIONS = 32  # of one record, of each kind


@dataclass(frozen=True, slots=True)
class Catalogued:
    """One record: its captions, the title first, its headings, its picture's file, and its hash, uint8 [8]."""

    record: str
    captions: tuple[str, ...]
    headings: tuple[str, ...]
    picture: Path
    hash: NDArray[np.uint8]


def dataset(name: str, records: Sequence[Catalogued], *, seed: int) -> DataSet:
    """The set, whatever order the records came in. Raises DataError where there are fewer than `LEAST`."""
    if len(records) < LEAST:
        raise DataError(
            f"{name}: {len(records)} records with words and a picture came; {LEAST} at least are needed to learn from "
            "and to measure on"
        )
    ordered = sorted(records, key=lambda one: one.record)
    labels = _labels([one.headings for one in ordered])
    said = [
        (row, text, plain)
        for row, one in enumerate(ordered)
        for texts, plain in ((one.captions, True), (one.headings, False))
        for text in texts[:CAPTIONS]
    ]
    rows, plain = (np.array([one[part] for one in said]) for part in (0, 2))
    pairs = Pairs(
        name,
        labels=None if labels is None else labels[rows],
        pictures=Files.of(name, [ordered[row].picture for row in rows]),
        captions=[text for _, text, _ in said],
        records=rows,
    )
    asking = _asking(ordered, seed)
    learns = ~asking[rows]
    if labels is not None:
        asking &= labels.any(axis=1)  # who shares no heading with anybody has nothing to find
    if not asking.any():
        raise DataError(
            f"{name}: none of {len(records)} records can ask: they hang together by titles and near-duplicate "
            "pictures, or no two of them share a heading"
        )
    asks = asking[rows]
    query = np.flatnonzero(asks & plain)
    database = query if labels is None else np.flatnonzero(learns & plain)
    return DataSet(pairs, Split(query, database, np.flatnonzero(learns), seed))


def main_heading(heading: str) -> str:
    """A heading without its subdivisions, `Whales -- Fiction` as `whales`."""
    return heading.partition(" -- ")[0].casefold()


def _labels(headings: Sequence[Sequence[str]]) -> Flags | None:
    """Main headings of two records at least, [n, c]; those of the same records, as in two languages, are one.

    None where fewer than two are left.
    """
    where = defaultdict[str, dict[int, None]](dict)
    for row, own in enumerate(headings):
        for heading in own:
            where[main_heading(heading)][row] = None
    shared = sorted({tuple(rows) for rows in where.values() if len(rows) > 1}, key=lambda rows: (-len(rows), rows))
    if len(shared) < 2:
        return None
    flags = np.zeros((len(headings), min(len(shared), MOST_LABELS)), dtype=bool)
    for column, rows in enumerate(shared[:MOST_LABELS]):
        flags[list(rows), column] = True
    return flags


def _asking(records: Sequence[Catalogued], seed: int) -> NDArray[np.bool_]:
    """Which records ask, [n]: random groups, each whole, no more than are wanted."""
    titles = np.unique([one.captions[0].casefold() for one in records], return_inverse=True)[1]
    alike = together(groups(np.stack([one.hash for one in records])), titles.astype(np.int64))
    return whole_groups(alike, min(MOST_ASKING, round(ASKING * len(records))), seed=seed)
