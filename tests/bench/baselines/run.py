"""One method, length and seed on one data set: MAP in both directions against three databases, and times."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders import methods
from encoders.data.api import DataSet, Pairs
from encoders.evaluation.counts import chunks
from encoders.evaluation.measures import average_precision
from encoders.evaluation.relevance import relevance
from encoders.methods.method import Method

Packed = NDArray[np.uint8]


@dataclass(frozen=True)
class Cell:
    """What is measured once."""

    method: str
    bits: int
    seed: int

    @property
    def key(self) -> str:
        """Its name in the JSON."""
        return f"{self.method}/{self.bits}/{self.seed}"


def measured(cell: Cell, folds: Sequence[DataSet]) -> dict[str, object]:
    """Fit on each training part; MAP over the queries of all folds, and the mean seconds of a fold."""
    parts = [of_fold(cell, dataset) for dataset in folds]
    sizes = [len(dataset.query) for dataset in folds]

    def pooled(name: str) -> dict[str, float]:
        return {
            direction: round(float(np.average([part[name][direction] for part in parts], weights=sizes)), 5)
            for direction in parts[0][name]
        }

    tables = [name for name in ("projected", "unseen", "learned") if name in parts[0]]
    numbers = {name: float(np.mean([part[name] for part in parts])) for name in ("fit_s", "codes_per_s")}
    return {
        **{name: parts[0][name] for name in ("parameters", "losses") if name in parts[0]},
        **{name: pooled(name) for name in tables},
        "fit_s": round(numbers["fit_s"], 3),
        "codes_per_s": round(numbers["codes_per_s"]),
    }


def of_fold(cell: Cell, dataset: DataSet) -> dict[str, Any]:
    """Fit on the training part; MAP of the queries. Seconds are processor time of the whole process."""
    train, query, database = dataset.train, dataset.query, dataset.database
    method = methods.named(cell.method)(cell.bits, seed=cell.seed)
    start = time.process_time()
    method.fit(*train.features(), train.labels)
    fitted = time.process_time() - start
    stored = Stored(method, database)
    start = time.process_time()
    asked = Stored(method, query)
    encoded = time.process_time() - start
    document: dict[str, Any] = {
        "parameters": method.parameters,
        "projected": both(asked, stored, query, database),
        "unseen": unseen(asked, query),
        "fit_s": fitted,
        "codes_per_s": 2 * len(query) / max(encoded, 1e-6),
    }
    if method.training_codes is not None:
        learnt = Stored.same(method.training_codes)
        document["learned"] = both(asked, learnt, query, train)
    if method.losses:
        document["losses"] = [method.losses[0], method.losses[-1]]
    return document


class Stored:
    """Codes of both sides of some pairs."""

    def __init__(self, method: Method, pairs: Pairs) -> None:
        images, texts = pairs.features()
        self.images, self.texts = method.encode_images(images), method.encode_texts(texts)

    @classmethod
    def same(cls, codes: Packed) -> "Stored":
        """One code for both sides of each pair."""
        stored = cls.__new__(cls)
        stored.images = stored.texts = codes
        return stored


def both(asked: Stored, stored: Stored, query: Pairs, database: Pairs) -> dict[str, float]:
    """MAP of pictures that look for texts, and of texts that look for pictures."""
    return {
        "image-text": precision(asked.images, stored.texts, query, database),
        "text-image": precision(asked.texts, stored.images, query, database),
    }


def unseen(asked: Stored, query: Pairs) -> dict[str, float]:
    """The same with pairs as the database that the method never saw: the odd queries, asked by the even ones."""
    even, odd = np.arange(0, len(query), 2), np.arange(1, len(query), 2)
    halves = []
    for rows in (even, odd):
        half = Stored.same(asked.images[rows])
        half.texts = asked.texts[rows]
        halves.append(half)
    return both(halves[0], halves[1], query.take(even), query.take(odd))


def precision(queries: Packed, stored: Packed, query: Pairs, database: Pairs) -> float:
    """Tie-averaged MAP over the whole ranking, exact from the counts at each distance."""
    parts = [average_precision(chunk.by_radius()) for chunk in chunks(queries, stored, relevance(query, database))]
    return round(float(np.concatenate(parts).mean()), 5)


def by_chance(folds: Sequence[DataSet]) -> float:
    """MAP of a random order: codes that are all the same tie everywhere."""
    found = []
    for dataset in folds:
        codes = (np.zeros((len(pairs), 2), dtype=np.uint8) for pairs in (dataset.query, dataset.database))
        found.append(precision(*codes, dataset.query, dataset.database))
    return round(float(np.average(found, weights=[len(dataset.query) for dataset in folds])), 5)
