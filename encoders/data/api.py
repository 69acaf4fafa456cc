"""What a data set is for everybody who fits or measures on one: its pairs, their labels, and how they are split.

Shapes: n pairs, d picture features, e text features, c labels. Free of torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mappings.errors import DataError, RequestError

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]
Pictures = Sequence[bytes]  # encoded files, read when they are asked for


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pictures with their texts, as features, raw, or both; a side that the set does not have is None.

    `records[i]` says which record pair i belongs to: a picture with five captions is five pairs of one record.
    Raises DataError where counts do not match, a side is empty or a feature is no finite number.
    """

    name: str
    images: Floats | None = None  # [n, d]
    texts: Floats | None = None  # [n, e]
    labels: Flags | None = None  # [n, c]
    pictures: Pictures | None = None  # n encoded files
    captions: Sequence[str] | None = None  # n texts
    records: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # [n]; default: each pair its own

    def __post_init__(self) -> None:
        counts = {name: len(side) for name in SIDES if (side := getattr(self, name)) is not None}
        if not counts or len(set(counts.values())) > 1 or min(counts.values()) == 0:
            told = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"
            raise DataError(f"{self.name}: {told} came; every side must have the same number of rows, one at least")
        for name in ("images", "texts"):
            _check_features(self.name, name, getattr(self, name))
        if self.labels is not None and (self.labels.ndim != 2 or self.labels.dtype != np.bool_):
            raise DataError(f"{self.name}: labels are {_told(self.labels)}; expected bool [n, labels]")
        if not self.records.size:
            object.__setattr__(self, "records", np.arange(len(self), dtype=np.int64))
        if self.records.shape != (len(self),):
            raise DataError(f"{self.name}: {len(self.records)} record numbers came for {len(self)} pairs")

    def __len__(self) -> int:
        return next(len(side) for name in SIDES if (side := getattr(self, name)) is not None)

    def take(self, rows: Rows) -> "Pairs":
        """The pairs of these rows, in their order."""
        return replace(
            self,
            images=None if self.images is None else self.images[rows],
            texts=None if self.texts is None else self.texts[rows],
            labels=None if self.labels is None else self.labels[rows],
            pictures=None if self.pictures is None else Chosen(self.pictures, rows),
            captions=None if self.captions is None else [self.captions[int(row)] for row in rows],
            records=self.records[rows],
        )

    def features(self) -> tuple[Floats, Floats]:
        """Both sides' features, [n, d] and [n, e]. Raises RequestError where a side has none."""
        if self.images is None or self.texts is None:
            lacking = "pictures" if self.images is None else "texts"
            raise RequestError(f"{self.name} has no features of its {lacking}; a method on features needs both sides")
        return self.images, self.texts

    def needed_labels(self, why: str) -> Flags:
        """The labels, [n, c]. Raises RequestError where there are none, DataError where all pairs share one class."""
        if self.labels is None:
            raise RequestError(f"{self.name} has no labels, which {why} needs; use a method without labels")
        if len(np.unique(self.labels, axis=0)) < 2:
            raise DataError(
                f"{self.name}: all {len(self)} pairs have the same labels; {why} needs two classes at least"
            )
        return self.labels


SIDES = ("images", "texts", "labels", "pictures", "captions")


@dataclass(frozen=True, eq=False)
class Chosen(Sequence[bytes]):
    """Some of the pictures of another sequence, still read only when asked for."""

    every: Pictures
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, row: int) -> bytes: ...

    @overload
    def __getitem__(self, row: slice) -> "Chosen": ...

    def __getitem__(self, row: int | slice) -> "bytes | Chosen":
        return Chosen(self.every, self.rows[row]) if isinstance(row, slice) else self.every[int(self.rows[row])]


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows ask, which are searched, and which may be learnt from; `seed` is None where the split is published."""

    query: Rows
    database: Rows
    train: Rows
    seed: int | None = None

    def check(self, pairs: Pairs, *, paired: bool) -> None:
        """Raise DataError where a part is empty or out of range, or a query was learnt from.

        Queries stand outside the database too, unless relevance is by pair (`paired`): then the paired record is what
        a query must find.
        """
        for name in ("query", "database", "train"):
            rows = getattr(self, name)
            if not len(rows) or rows.min() < 0 or rows.max() >= len(pairs):
                raise DataError(f"{pairs.name}: the {name} part has {len(rows)} rows; all must be among {len(pairs)}")
        asked = pairs.records[self.query]
        for name in ("train",) if paired else ("train", "database"):
            shared = np.isin(asked, pairs.records[getattr(self, name)]).sum()
            if shared:
                raise DataError(f"{pairs.name}: {shared} of {len(asked)} queries are in the {name} part as well")


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set with its split. Relevant is what shares a label, or without labels the paired record."""

    pairs: Pairs
    split: Split

    def __post_init__(self) -> None:
        self.split.check(self.pairs, paired=self.pairs.labels is None)

    @property
    def name(self) -> str:
        """The name that it is asked for by."""
        return self.pairs.name

    @property
    def query(self) -> Pairs:
        """The pairs that ask."""
        return self.pairs.take(self.split.query)

    @property
    def database(self) -> Pairs:
        """The pairs that are searched."""
        return self.pairs.take(self.split.database)

    @property
    def train(self) -> Pairs:
        """The pairs that may be learnt from."""
        return self.pairs.take(self.split.train)


def joined(first: Pairs, second: Pairs) -> Pairs:
    """Two halves with features and labels as one set. Raises DataError where a width differs."""
    (images, texts), (more_images, more_texts) = first.features(), second.features()
    if first.labels is None or second.labels is None:
        raise DataError(f"{first.name}: a half has no labels")
    for name, one, other in (
        ("images", images, more_images),
        ("texts", texts, more_texts),
        ("labels", first.labels, second.labels),
    ):
        if one.shape[1] != other.shape[1]:
            raise DataError(f"{first.name}: {name} of the halves are {_told(one)} and {_told(other)}; widths differ")
    return Pairs(
        first.name,
        np.concatenate([images, more_images]),
        np.concatenate([texts, more_texts]),
        np.concatenate([first.labels, second.labels]),
    )


def _told(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _check_features(name: str, side: str, features: Floats | None) -> None:
    """Raise DataError for what no method can learn from."""
    if features is None:
        return
    if features.ndim != 2 or features.dtype != np.float32 or not features.shape[1]:
        raise DataError(f"{name}: {side} are {_told(features)}; expected float32 [n, features]")
    wrong = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(wrong):
        raise DataError(
            f"{name}: {len(wrong)} rows of {side} hold NaN or infinity, row {wrong[0]} first; extract these again"
        )
