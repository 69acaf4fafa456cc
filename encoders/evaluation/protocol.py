"""The protocol: four directions, each measured query by query, with intervals and with what chance would give."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encoders.data.api import DataSet, Rows
from encoders.evaluation import Ties, measures
from encoders.evaluation.bootstrap import intervals
from encoders.evaluation.coding import Coded
from encoders.evaluation.counts import Chunk, Codes, Counts, Numbers, chunks
from encoders.evaluation.rankings import Ordered, Ranking, Tied, precision_at, recall_at
from encoders.evaluation.relevance import relevance
from mappings.errors import RequestError

Doubles = NDArray[np.float64]
DIRECTIONS = {
    "image-text": ("images", "texts"),
    "text-image": ("texts", "images"),
    "text-text": ("texts", "texts"),
    "image-image": ("images", "images"),
}
AP_CUTS = (50, 1000, 5000)  # as published tables have them
CUTS = (1, 5, 10, 50, 100, 1000)
LONGEST = 1000  # of the curve of precision@N
NDCG_CUT = 100
F1_RADIUS = 2
BLOCK = 1 << 17  # counts that are summed up at once


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over all queries with its 95 % bootstrap interval, and the mean that random orders would give."""

    value: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True, eq=False)
class Direction:
    """What was measured in one direction. `average_precision` [queries] is what two encoders are compared by."""

    queries: int
    database: int
    without_relevant: int
    figures: dict[str, Figure]
    radius: dict[str, float]  # figures of the mean curve, which no single query has
    precision: Doubles  # within radius 0 … bits
    recall: Doubles
    precision_at: Doubles  # of the first 1 … 1000, or as many as there are
    average_precision: Doubles


@dataclass(frozen=True, eq=False)
class Sides:
    """Rows that ask and rows that are searched, with their codes; a picture of several captions stands once."""

    query: Rows
    stored: Rows
    queries: Codes
    database: Codes
    own: Rows | None  # place in `stored` of each query itself, or -1


def measured(
    dataset: DataSet, codes: Coded, *, ties: Ties = "average", learned: Codes | None = None
) -> dict[str, Direction]:
    """Every direction that the set allows, by name; those in which no query has anything to find are left out.

    `learned` [train, bits / 8] are the codes that a method gave its training pairs. They then are the database, and as
    they stand for both modalities, only the directions across are measured. Raises RequestError where they are of
    another number of rows.
    """
    if learned is not None and len(learned) != len(dataset.split.train):
        raise RequestError(
            f"{len(learned)} learned codes came for {len(dataset.split.train)} training pairs of {dataset.name}; they "
            "can only stand for the database that the encoder was trained on"
        )
    found = {}
    for name in DIRECTIONS:
        meeting = sides(dataset, codes, name, learned)
        direction = None if meeting is None else _direction(dataset, meeting, codes.bits, ties)
        if direction is not None and direction.without_relevant < direction.queries:
            found[name] = direction
    return found


def sides(dataset: DataSet, codes: Coded, name: str, learned: Codes | None = None) -> Sides | None:
    """What meets in one direction. None where the set lacks a side."""
    asking, answering = DIRECTIONS[name]
    queries, database = getattr(codes, asking), getattr(codes, answering)
    if queries is None or (database is None if learned is None else asking == answering):
        return None
    query = _once(dataset, dataset.split.query, asking)
    if learned is not None:
        return Sides(query, dataset.split.train, queries[query], learned, None)
    stored = _once(dataset, dataset.split.database, answering)
    own = _places(query, stored) if asking == answering else None
    return Sides(query, stored, queries[query], database[stored], own)


def _once(dataset: DataSet, rows: Rows, side: str) -> Rows:
    """A record's picture stands in as many rows as it has captions: its first one is kept."""
    if side == "texts":
        return rows
    _, first = np.unique(dataset.pairs.records[rows], return_index=True)
    return rows[np.sort(first)]


def _places(query: Rows, stored: Rows) -> Rows:
    """Where in `stored` each of `query` stands, -1 where it does not."""
    place = np.full(max(query.max(), stored.max()) + 1, -1, dtype=np.int64)
    place[stored] = np.arange(len(stored))
    return place[query]


def _permuted(meeting: Sides) -> Sides:
    """The database in another order, by seed 0: that of the files may give the pairing away."""
    order = np.random.default_rng(0).permutation(len(meeting.stored))
    own = meeting.own
    if own is not None:
        place = np.append(np.argsort(order), -1)  # -1 stays
        own = place[own]
    return replace(meeting, stored=meeting.stored[order], database=meeting.database[order], own=own)


def _direction(dataset: DataSet, meeting: Sides, bits: int, ties: Ties) -> Direction:
    meeting = _permuted(meeting) if ties == "order" else meeting
    wanted = relevance(dataset.pairs.take(meeting.query), dataset.pairs.take(meeting.stored))
    values: list[dict[str, Doubles]] = []
    shared = []
    sums = np.zeros((2, bits + 1))
    heads = []
    sizes = np.arange(1, min(LONGEST, len(meeting.stored)) + 1)
    for radius, ranked in _blocks(chunks(meeting.queries, meeting.database, wanted, own=meeting.own), ties):
        sums += np.stack(measures.curve(radius)).sum(axis=1)
        heads.append(precision_at(ranked, sizes).sum(axis=0))
        values.append(_values(ranked, len(meeting.stored)))
        shared.append(radius.shared)
    each, random = _joined(values), _chances(np.concatenate(shared), len(meeting.stored))
    count = len(meeting.query)
    precision, recall = sums / count
    f1 = measures.f1(precision, recall)
    within = {
        "f1": float(f1.max()),
        "f1_radius": float(f1.argmax()),
        f"f1@radius{F1_RADIUS}": float(f1[F1_RADIUS]),
        f"precision@radius{F1_RADIUS}": float(precision[F1_RADIUS]),
        "pr_auc": measures.area(precision, recall),
    }
    nothing = int((random["hit@all"] == 0).sum())
    names = [name for name in each if name != "hit@all"]
    low, high = intervals(np.stack([each[name] for name in names], axis=1))
    figures = {
        name: Figure(float(each[name].mean()), float(low[at]), float(high[at]), float(random[name].mean()))
        for at, name in enumerate(names)
    }
    return Direction(
        count, len(meeting.stored), nothing, figures, within, precision, recall, sum(heads) / count, each["map"]
    )


def _blocks(parts: Iterator[Chunk], ties: Ties) -> Iterator[tuple[Counts, Ranking]]:
    """Counts by radius, and the ranking (of these where ties are averaged), of as many queries as are summed up at
    once."""
    waiting: list[Counts] = []
    for part in parts:
        radius = part.by_radius()
        if ties == "order":
            yield radius, Ordered(part.in_order())
            continue
        waiting.append(radius)
        if sum(counts.found.size for counts in waiting) > BLOCK:
            joined = _stacked(waiting)
            yield joined, Tied(joined)
            waiting = []
    if waiting:
        joined = _stacked(waiting)
        yield joined, Tied(joined)


def _stacked(parts: list[Counts]) -> Counts:
    names = ("found", "relevant", "gains", "shared")
    return Counts(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _values(ranked: Ranking, database: int) -> dict[str, Doubles]:
    """Every figure of every query, by name."""
    cuts = np.array([cut for cut in CUTS if cut <= database], dtype=np.int64)
    result = {"map": ranked.average_precision()}
    for cut in (cut for cut in AP_CUTS if cut < database):
        result[f"map@{cut}"] = ranked.average_precision_at(cut)
        result[f"map@{cut}/possible"] = ranked.average_precision_of_possible(cut)
    for name, measure in (("precision", precision_at), ("recall", recall_at)):
        result |= {f"{name}@{cut}": row for cut, row in zip(cuts, measure(ranked, cuts).T, strict=True)}
    result |= {f"hit@{cut}": ranked.hit_at(int(cut)) for cut in cuts}
    result["hit@all"] = ranked.hit_at(database)
    return result | {"ndcg": ranked.ndcg(), f"ndcg@{NDCG_CUT}": ranked.ndcg(NDCG_CUT)}


def _chances(shared: Numbers, database: int) -> dict[str, Doubles]:
    """The same of random orders; they hang on the items by gain alone, which many queries have in common."""
    kinds, which = np.unique(shared, axis=0, return_inverse=True)
    return {name: each[which] for name, each in _values(Tied(measures.chance(kinds)), database).items()}


def _joined(parts: list[dict[str, Doubles]]) -> dict[str, Doubles]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
