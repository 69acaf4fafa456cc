"""The published size of each part, asserted: whoever measures on half a data set must say so."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from encoders.data import files
from encoders.data.api import DataSet, Pairs, Split
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


def drawn(pairs: Pairs, expected: Sizes, *, seed: int) -> Split:
    """Random queries; everything else is the database, and some of it may be learnt from (`numpy` default_rng).

    Raises DataError where there are too few pairs.
    """
    if expected.query + max(expected.train, 1) > len(pairs):
        raise DataError(
            f"{pairs.name}: {expected.query} queries and {expected.train} to learn from were asked of {len(pairs)}"
        )
    order = np.random.default_rng(seed).permutation(len(pairs))
    query, database = order[: expected.query], order[expected.query :]
    return Split(query, database, database[: expected.train], seed)
