"""Figures of retrieval: hit rate at 10 with ties shared out, its interval, and what chance would give."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.evaluation.bootstrap import interval, share
from encoders.evaluation.measures import miss
from encoders.heads import RidgeConseHead
from encoders.towers import Floats
from encoders.training.features import Collection
from mappings.code import distances, pack_signs
from mappings.errors import DataError
from mappings.weighted import WeightedCode

K = 10
ASYMMETRIC = " asymmetric"  # a query that weighs its bits, against stored bits
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value: hit rate at 10 of `queries` queries, with its 95 % bootstrap interval.

    `kept` is its share of what the floats of the same encoder reach, with that share's interval; of floats it is empty.
    `language` is that of the queries where it is another than English.
    """

    source: str
    direction: str  # text-image: words find pictures
    relevant: str  # what counts as found: the paired one, or any of the same label
    method: str
    form: str  # float, the bits of the code, or these and ASYMMETRIC
    queries: int
    database: int
    chance: float
    hit: float
    low: float
    high: float
    kept: tuple[float, ...] = ()
    language: str = ""

    def document(self) -> dict[str, object]:
        """As `model.json` keeps it."""
        return asdict(self)


@dataclass(frozen=True)
class Task:
    """One direction on one source: which items ask, which answer, and which of the pairs are relevant, bool [q, d].

    An item never finds itself where `own` is true (a picture looking for pictures).
    """

    source: str
    query: str
    stored: str
    relevant: Flags
    kind: str
    asking: NDArray[np.int64]  # rows that ask, [q]
    answering: NDArray[np.int64]  # rows that are searched, [d]
    own: bool

    @property
    def direction(self) -> str:
        """As in `Figure`."""
        return f"{'text' if self.query == 'caption' else self.query}-{'text' if self.stored in TEXTS else self.stored}"


TEXTS = ("caption", "words")


def tasks(collection: Collection) -> list[Task]:
    """All directions that the source allows."""
    source = collection.samples[0].source
    everyone = np.arange(len(collection.samples))
    paired = np.eye(len(everyone), dtype=bool)
    result = [
        Task(source, "caption", "image", paired, "pair", everyone, everyone, False),
        Task(source, "image", "caption", paired, "pair", everyone, everyone, False),
    ]
    worded = np.flatnonzero(np.abs(collection.words).sum(axis=1) > 0)
    labels = np.array([sample.label for sample in collection.samples])
    alike = (labels[:, None] == labels) & (labels != "")[:, None] & ~paired
    asking = np.flatnonzero(alike.any(axis=1))
    if len(worded) >= 100:  # Standard Ebooks has other words for its 41 paintings only
        result.append(Task(source, "caption", "words", paired[np.ix_(worded, worded)], "pair", worded, worded, False))
    else:
        result.append(Task(source, "caption", "caption", alike[asking], "label", asking, everyone, True))
    return [*result, Task(source, "image", "image", alike[asking], "label", asking, everyone, True)]


def hits(apart: Doubles, relevant: Flags) -> Doubles:
    """Chance that a relevant item stands among the first 10, ties being in random order. [q, n], [q, n] -> [q]

    Items closer than the tenth distance are all in; those at it share the places that are left, so the chance to miss
    is hypergeometric.
    """
    tenth = np.partition(apart, K - 1, axis=1)[:, K - 1 : K]
    inside, tied = apart < tenth, apart == tenth
    places = K - inside.sum(axis=1)
    return np.where(
        (inside & relevant).any(axis=1), 1.0, 1 - miss(tied.sum(axis=1), (tied & relevant).sum(axis=1), places)
    )


def measure(task: Task, found: Doubles, *, method: str, form: str, floats: Doubles | None = None) -> Figure:
    """Sum up the queries' `hits`; `floats` are the hits of the same queries before any bit is taken."""
    low, high = interval(found)
    database = len(task.answering)
    pool = np.full(len(found), database - task.own)
    chance = 1 - miss(pool, task.relevant.sum(axis=1), np.full(len(found), K)).mean()
    chance, hit, low, high = (round(float(value), 4) for value in (chance, found.mean(), low, high))
    kept = () if floats is None else tuple(round(value, 4) for value in share(floats, found))
    return Figure(
        task.source, task.direction, task.kind, method, form, len(found), database, chance, hit, low, high, kept
    )


def apart_floats(task: Task, head: RidgeConseHead, collection: Collection) -> Doubles:
    """Cosine distance before any bit is taken: the upper bound. [q, n]"""
    sides = {name: _common(head, collection, name) for name in {task.query, task.stored}}
    return _without_self(
        task, 1 - (sides[task.query][task.asking] @ sides[task.stored][task.answering].T).astype(np.float64)
    )


def apart_backbone(task: Task, collection: Collection) -> Doubles:
    """Cosine distance of texts by the backbone's own features, as they come, [q, n]; of a task between texts."""
    asked, stored = (
        collection.caption if side == "caption" else collection.words for side in (task.query, task.stored)
    )
    return _without_self(task, 1 - (asked[task.asking] @ stored[task.answering].T).astype(np.float64))


def apart_bits(task: Task, head: RidgeConseHead, collection: Collection) -> Doubles:
    """Hamming distance. [q, n]"""
    sides = {name: packed(head, collection, name) for name in {task.query, task.stored}}
    return _without_self(
        task, distances(sides[task.query][task.asking], sides[task.stored][task.answering]).astype(np.float64)
    )


def apart_weighted(task: Task, head: RidgeConseHead, collection: Collection) -> Doubles:
    """Distance in bits to queries whose bits weigh as `WeightedCode` says, what is stored being bits. [q, n]"""
    asked = _relaxed(head, collection, task.query)[task.asking]
    codes = [WeightedCode.from_floats(floats.tolist()) for floats in asked]
    if not all(isinstance(code, WeightedCode) for code in codes):
        raise DataError("a query's projections are all 0; the encoder's weights or the source are damaged")
    weighted = [code for code in codes if isinstance(code, WeightedCode)]
    weights = np.stack([np.frombuffer(code.weights, dtype=np.uint8) for code in weighted]).astype(np.float64)
    floor, unit = (np.array([[getattr(code, name)] for code in weighted]) for name in ("floor", "unit"))
    stored = np.where(np.unpackbits(packed(head, collection, task.stored)[task.answering], axis=1), 1.0, -1.0)
    agreement = (weights * np.where(asked > 0, 1, -1)) @ stored.T  # weights of equal bits less those of others
    apart = floor + unit * (weights.sum(axis=1, keepdims=True) - agreement) / 2
    return _without_self(task, apart)


def _without_self(task: Task, apart: Doubles) -> Doubles:
    if task.own:
        apart[np.arange(len(task.asking)), task.asking] = np.inf
    return apart


def _common(head: RidgeConseHead, collection: Collection, side: str) -> Floats:
    if side == "image":
        return head.image(collection.picture)
    return head.text(collection.caption if side == "caption" else collection.words)


def packed(head: RidgeConseHead, collection: Collection, side: str) -> NDArray[np.uint8]:
    """Codes of one side of the collection: uint8 [n, bits / 8]."""
    return pack_signs(_relaxed(head, collection, side))


def _relaxed(head: RidgeConseHead, collection: Collection, side: str) -> Floats:
    common = _common(head, collection, side)
    return head.relax_image(common) if side == "image" else head.relax_text(common)
