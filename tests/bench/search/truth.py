"""What the right answers are, by NumPy alone: the nearest codes, and the best of both sides by score or by rank.

Recall is fair to ties: whoever finds another record that is as near (as good) as the n-th of the truth found it too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mappings.code import HashCode
from tests.bench.search.collection import BITS, Packed

BLOCK = 65_536  # records compared at a time
SATURATION = 8.0
ROUNDING = 1e-6  # the engine's scores are 32-bit floats: a relative 6e-8, of scores below 1
LISTED = 100  # records of each list whose ranks are fused
Ids = NDArray[np.int64]
Scores = NDArray[np.float64]
Bm25 = Callable[[Ids], Scores]  # BM25 scores of these records for one query; 0 where no word matches


@dataclass(frozen=True, slots=True)
class Truth:
    """The right answer of one query: `ids` best first, ties by id, with all that are as good as the last asked for.

    A value is better where it is higher.
    """

    ids: Ids
    values: Scores

    def worst(self, size: int) -> float:
        """The value that a record needs to be among the best `size`."""
        return float(self.values[min(size, len(self.values)) - 1])

    def among(self, size: int) -> Ids:
        """All records that may stand among the best `size`: more than that where some are as good as the last."""
        return self.ids[self.values >= self.worst(size) - ROUNDING]


def distances(code: HashCode, codes: Packed) -> NDArray[np.uint16]:
    """Hamming distances in bits: uint8 [n, 16] -> uint16 [n], eight bytes at a time."""
    query = np.frombuffer(code.packed, np.uint64)
    found = np.empty(len(codes), np.uint16)
    for at in range(0, len(codes), BLOCK):
        differing = np.bitwise_count(codes[at : at + BLOCK].view(np.uint64) ^ query)
        differing.sum(axis=1, dtype=np.uint16, out=found[at : at + BLOCK])
    return found


def best(values: Scores, size: int) -> Truth:
    """The `size` highest values with their positions, and all that are as high as the last of them."""
    last = len(values) - min(size, len(values))
    ids = np.flatnonzero(values >= np.partition(values, last)[last] - ROUNDING)
    order = np.lexsort((ids, -values[ids]))
    return Truth(ids[order], values[ids[order]])


def nearest(code: HashCode, codes: Packed, size: int) -> Truth:
    """The `size` nearest codes; a value is minus the distance in bits."""
    return best(-distances(code, codes).astype(np.float64), size)


def fused(words: Scores, similar: Scores, weight: float) -> Scores:
    """(1 - w) s / (s + c) + w similarity, as the stored script has it."""
    return (1 - weight) * words / (words + SATURATION) + weight * similar


def similarity(code: HashCode, codes: Packed) -> Scores:
    """1 - d / bits."""
    return 1 - distances(code, codes) / BITS


def best_fused(similar: Scores, top: tuple[Ids, Scores], rest: float, bm25: Bm25, weight: float, size: int) -> Truth:
    """The best by the fused score over every record, proven with few BM25 scores.

    `top` are records with their BM25 scores, and no other record scores more than `rest`: those that could then be
    among the best are asked for with `bm25`, the others cannot reach the `size`-th of what is certain.
    """
    words = np.zeros(len(similar))
    known = np.zeros(len(similar), bool)
    words[top[0]], known[top[0]] = top[1], True
    at_most = np.where(known, words, rest)
    least = best(fused(words, similar, weight), size).worst(size)  # unknown scores count as 0: a lower bound
    possible = known | (fused(at_most, similar, weight) >= least - ROUNDING)
    asked = np.flatnonzero(possible & ~known) if rest else np.empty(0, np.int64)
    words[asked] = bm25(asked)
    return best(np.where(possible, fused(words, similar, weight), -1.0), size)


def by_ranks(words: Ids, codes: Ids, weight: float) -> Truth:
    """Every record of two lists, best first, by (1 - w) / (60 + rank in `words`) + w / (60 + rank in `codes`).

    Reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009. Ranks count from 1.
    """
    ids = np.union1d(words, codes)
    values = np.zeros(len(ids))
    for share, listed in ((1 - weight, words), (weight, codes)):
        values[np.searchsorted(ids, listed)] += share / (60 + np.arange(1, len(listed) + 1))
    found = best(values, len(ids))
    return Truth(ids[found.ids], found.values)


def recall(answer: Sequence[int], truth: Truth, size: int) -> float:
    """Share of the best `size` that the first `size` of `answer` find; a record counts once."""
    wanted = min(size, len(truth.ids))
    return min(wanted, len(set(answer[:size]) & set(truth.among(size).tolist()))) / wanted
