"""What a query could find, and in which order it would by any weights: the engine's own formula, without the engine."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from integration.tuning.ndcg import Floats, ndcg
from mappings.fields import PARTS


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers that are fitted: w, c, and the weights of the stored parts in the order of PARTS."""

    weight: float
    saturation: float
    parts: tuple[float, ...] = (1.0,) * len(PARTS)

    def with_part(self, at: int, weight: float) -> "Numbers":
        """The same with another weight of one part; the largest is 1, since w says how much all of them count."""
        parts = (*self.parts[:at], weight, *self.parts[at + 1 :])
        return replace(self, parts=tuple(round(one / max(parts), 3) for one in parts))


@dataclass(frozen=True, slots=True)
class Limits:
    """Which records the code alone finds: at most `k`, with at least `min_similarity`."""

    k: int
    min_similarity: float


@dataclass(frozen=True)
class Pool:
    """The records that a query could find, in the order of their ids.

    `words` [n] are BM25 scores, 0 where the words do not match; `worded`: the query has words. `similar` [3, n] are
    similarities by stored part, not yet weighted, -1 where there is no code. `grades` [n] are 0 where nothing is known;
    `known` [n] tells where something is.
    `judged` are the grades of all judged records, in the pool or not. `condensed`: only judged records are ranked
    (Sakai, Alternatives to bpref, SIGIR 2007), since of the others it is not known whether they are relevant.
    """

    words: Floats
    similar: Floats
    grades: Floats
    known: NDArray[np.bool_]
    judged: Floats
    worded: bool = True
    condensed: bool = False

    def ndcg(self, numbers: Numbers, limits: Limits) -> float:
        """How well these numbers rank the pool."""
        order = ranked(self, numbers, limits)
        if self.condensed:
            order = order[self.known[order]]
        return ndcg(self.grades[order], self.judged)


def ranked(pool: Pool, numbers: Numbers, limits: Limits) -> NDArray[np.intp]:
    """The places in the pool of its hits, best first: what the words find and, of the others, the k most similar.

    As the engine does it: scores are rounded to single precision, and ties are broken by id.
    """
    compared = [part * of_part for part, of_part in zip(numbers.parts, pool.similar, strict=True) if part > 0]
    similar = np.maximum.reduce(compared)  # below 0 where no compared part has a code
    found = pool.words > 0
    others = np.flatnonzero(~found & (similar >= limits.min_similarity))
    hits = np.sort(np.concatenate([np.flatnonzero(found), others[_falling(similar[others])[: limits.k]]]))
    words, similar = pool.words[hits], np.maximum(similar[hits], 0.0)
    weight = numbers.weight if pool.worded else 1.0
    score = words if weight == 0 else (1 - weight) * words / (words + numbers.saturation) + weight * similar
    return hits[_falling(score)]


def _falling(scores: Floats) -> NDArray[np.intp]:
    return np.argsort(-scores.astype(np.float32), kind="stable")
