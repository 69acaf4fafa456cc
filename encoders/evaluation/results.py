"""What an evaluation found, as JSON, as CSV, and compared: one document for all that was measured together."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from encoders.data.api import DataSet
from encoders.evaluation import Stored, Ties
from encoders.evaluation.bootstrap import paired
from encoders.evaluation.protocol import Direction

Document = dict[str, Any]
RULES = {
    "average": "tied items in random order, averaged exactly (McSherry and Najork, ECIR 2008)",
    "order": "tied items in the order of a database permuted by seed 0",
}
STORED = {
    "encoded": "each item's code is that of its own modality's hash function",
    "learned": "the codes that training gave each pair, for both modalities: to compare with tables that stored these",
}


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast an encoder was here. NaN where a side was not encoded, or the time is not known."""

    device: str
    images_per_s: float
    texts_per_s: float
    backbones: bool  # False: the set came as features, and this is the hash function alone


@dataclass(frozen=True, eq=False)
class Measured:
    """One encoder on the data set."""

    reference: str
    name: str
    method: str
    bits: int
    digest: str
    rates: Rates
    directions: dict[str, Direction]

    @property
    def bytes_per_record(self) -> dict[str, int]:
        """Of each part as it is stored; an image code carries its picture's number in two bytes."""
        return {"text": self.bits // 8, "image": self.bits // 8 + 2, "record": self.bits // 8}


def document(dataset: DataSet, encoders: Sequence[Measured], *, ties: Ties, stored: Stored) -> Document:
    """Everything, ready for `json.dumps`: NaN is null."""
    pairs, split = dataset.pairs, dataset.split
    return {
        "data": {
            "name": dataset.name,
            "pairs": len(pairs),
            "labels": 0 if pairs.labels is None else pairs.labels.shape[1],
            "query": len(split.query),
            "database": len(split.database),
            "train": len(split.train),
            "seed": split.seed,
            "relevant": "the paired record" if pairs.labels is None else "shares a label",
        },
        "protocol": {
            "ties": f"{ties}: {RULES[ties]}",
            "database": f"{stored}: {STORED[stored]}",
            "map": "over the whole database; a query with no relevant item counts 0",
            "map@N": "divided by the relevant items among the first N; /possible: by min(N, relevant)",
            "recall@N": "share of the relevant items among the first N; hit@N: chance that one is",
            "f1": "of mean precision and mean recall within a radius; nothing within it is precision 0",
            "interval": "95 %, bootstrap over queries; chance: the mean of random orders",
        },
        "encoders": [_encoder(one) for one in encoders],
        "compared": [row for other in encoders[1:] for row in _compared(encoders[0], other)],
    }


def write(folder: Path, found: Document, dataset: DataSet, encoders: Sequence[Measured]) -> list[Path]:
    """`evaluation.json`, `evaluation.csv`, and `split.json`: the rows of each part, so that others measure the same."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in ("evaluation.json", "evaluation.csv", "split.json")]
    files[0].write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with files[1].open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *table(encoders)])
    parts = {name: getattr(dataset.split, name).tolist() for name in ("query", "database", "train")}
    files[2].write_text(json.dumps({"seed": dataset.split.seed, **parts}) + "\n", encoding="utf-8")
    return files


COLUMNS = ("encoder", "bits", "direction", "figure", "value", "low", "high", "chance", "queries", "database")


def table(encoders: Sequence[Measured]) -> Iterator[tuple[object, ...]]:
    """One row a figure, in the order of `COLUMNS`; figures of the mean curve have neither interval nor chance."""
    for one in encoders:
        for name, direction in one.directions.items():
            about, size = (one.reference, one.bits, name), (direction.queries, direction.database)
            for figure, value in direction.figures.items():
                yield *about, figure, *_rounded(asdict(value)).values(), *size
            for figure, number in _rounded(direction.radius).items():
                yield *about, figure, number, None, None, None, *size


def _encoder(one: Measured) -> Document:
    directions = {name: _direction(direction) for name, direction in one.directions.items()}
    rates = {name: None if value != value else value for name, value in asdict(one.rates).items()}
    about = {name: getattr(one, name) for name in ("reference", "name", "method", "bits", "digest", "bytes_per_record")}
    return {**about, "rates": rates, "directions": directions}


def _direction(found: Direction) -> Document:
    return {
        "queries": found.queries,
        "database": found.database,
        "without_relevant": found.without_relevant,
        "figures": {name: _rounded(asdict(figure)) for name, figure in found.figures.items()},
        "radius": _rounded(found.radius),
        "curves": {
            name: [round(float(value), 6) for value in getattr(found, name)]
            for name in ("precision", "recall", "precision_at")
        },
    }


def _compared(first: Measured, second: Measured) -> Iterator[Document]:
    """Paired bootstrap of the average precision, in every direction that both were measured in."""
    for name in [name for name in first.directions if name in second.directions]:
        before, after = (one.directions[name].average_precision for one in (first, second))
        difference = asdict(paired(before, after))
        yield {"direction": name, "first": first.reference, "second": second.reference, "map": _rounded(difference)}


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in numbers.items()}
