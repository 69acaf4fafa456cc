"""The published size of each part, asserted: whoever measures on half a data set must say so."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from encoders.data import files
from encoders.data.api import DataSet, Pairs, Rows, Split
from mappings.errors import DataError

COUNTS = "counts.json"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Pairs, labels, and the rows of each part; 0 where no number is published."""

    pairs: int
    labels: int
    query: int
    database: int
    train: int


def sizes(folder: Path, published: Sizes) -> Sizes:
    """The published sizes, or those of the folder's `counts.json`: a part of the set, or a made one, says its own."""
    path = folder / COUNTS
    if not path.is_file():
        return published
    document, names = files.document(path), [field.name for field in fields(Sizes)]
    if (
        not isinstance(document, dict)
        or set(document) != set(names)
        or not all(isinstance(value, int) for value in document.values())
    ):
        raise DataError(f"{path} must hold a number for each of {', '.join(names)}, and nothing else")
    return Sizes(**document)


def checked(dataset: DataSet, expected: Sizes) -> DataSet:
    """The same data set. Raises DataError where a part has another size than expected."""
    labels = 0 if dataset.pairs.labels is None else dataset.pairs.labels.shape[1]
    split = dataset.split
    found = Sizes(len(dataset.pairs), labels, len(split.query), len(split.database), len(split.train))
    wrong = [
        f"{getattr(found, part.name)} {part.name} came, {getattr(expected, part.name)} are published"
        for part in fields(Sizes)
        if getattr(expected, part.name) not in (0, getattr(found, part.name))
    ]
    if wrong:
        raise DataError(
            f"{dataset.name}: {'; '.join(wrong)}. Fetch the whole set; a part of it states its own numbers in {COUNTS}"
        )
    return dataset


def drawn(pairs: Pairs, query: int, train: int | None, *, seed: int, groups: Rows | None = None) -> Split:
    """Random queries, at least `query` pairs; the others may be learnt from, `train` of them or all.

    With labels the others are the database as well; without, the queries themselves are, as each has to find its own
    record. Pairs of one record, or of one of `groups` [n], stay together.

    Raises DataError where there are too few pairs.
    """
    together = pairs.records if groups is None else groups
    kinds, which, sizes = np.unique(together, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(kinds))
    asking = order[: int(np.searchsorted(np.cumsum(sizes[order]), query)) + 1]
    place = np.empty(len(kinds), dtype=np.int64)
    place[order] = np.arange(len(kinds))
    rows = np.argsort(place[which], kind="stable")  # of a group beside each other, the groups in their random order
    asked = np.isin(which[rows], asking)
    queries, others = rows[asked], rows[~asked]
    if query < 1 or len(others) < max(train or 0, 1):
        raise DataError(
            f"{pairs.name}: {query} queries and {train or 1} to learn from were asked of {len(pairs)} pairs in "
            f"{len(kinds)} groups"
        )
    return Split(queries, queries if pairs.labels is None else others, others[:train], seed)
