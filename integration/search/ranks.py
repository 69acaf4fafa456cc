"""Reciprocal rank fusion, without any input or output: two lists become scores, and these a query of the engine's own.

A record scores (1 - w) / (60 + its rank among what the words find) + w / (60 + its rank among the nearest codes):
Cormack, Clarke and Büttcher, SIGIR 2009, with a weight for each list. Ranks count from 1; a list that does not hold
the record adds nothing. Since the scores become a query, filters, facets, highlights, paging and totals stay the
engine's own.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.errors import RequestError

CONSTANT = 60  # of the paper: how little the first places count more than those behind them
LONGEST = 300  # list: each of its records is a clause of the query, and the engine takes 1024 together
# what the words find beyond their list comes after all that is listed, by BM25; a power of two changes no digit of it
BEYOND = 2.0**-60
Record = tuple[str, str]  # (index, id); the index is empty where only one is searched
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ranks:
    """The two lists, best first. `weight` is that of the codes."""

    words: Sequence[Record]
    codes: Sequence[Record]
    weight: float

    def places(self, record: Record) -> tuple[int | None, int | None]:
        """Its rank in both lists, from 1."""
        words, codes = (one.index(record) + 1 if record in one else None for one in (self.words, self.codes))
        return words, codes

    def scores(self) -> dict[Record, float]:
        """The score of every record that is listed, in single precision as the engine keeps it."""
        found: dict[Record, float] = {}
        for share, records in ((1 - self.weight, self.words), (self.weight, self.codes)):
            for rank, record in enumerate(records, 1):
                found[record] = found.get(record, 0.0) + part(share, rank)
        return {record: struct.unpack("f", struct.pack("f", score))[0] for record, score in found.items()}

    def query(self, words: Body) -> Body:
        """What `words` find or a list holds, scored by the ranks."""
        by_index: dict[str, dict[float, list[str]]] = {}
        for (index, record), score in self.scores().items():
            by_index.setdefault(index, {}).setdefault(score, []).append(record)
        listed = [_of_index(index, by_score) for index, by_score in by_index.items()]
        return {"dis_max": {"queries": [{"bool": {"must": [words], "boost": BEYOND}}, *listed]}}


def part(share: float, rank: int | None) -> float:
    """What a rank adds to a score."""
    return 0.0 if rank is None else share / (CONSTANT + rank)


def check_length(k: int) -> int:
    """The length of both lists. Raises RequestError where they could not become one query."""
    if k > LONGEST:
        raise RequestError(f"k is {k}; with fusion rrf both lists have k records, at most {LONGEST}: give a smaller k")
    return k


def _of_index(index: str, by_score: Mapping[float, Sequence[str]]) -> Body:
    """The records of one index; the same id may stand in several."""
    each: list[Body] = [
        {"constant_score": {"filter": {"ids": {"values": list(ids)}}, "boost": score}}
        for score, ids in by_score.items()
    ]
    best: Body = {"dis_max": {"queries": each}}
    return {"bool": {"must": [best], "filter": [{"term": {"_index": index}}]}} if index else best
