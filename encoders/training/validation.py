"""The validation part: some of the training pairs that a method does not learn from, and how well it does on them."""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from encoders.data.api import Pairs, Rows
from encoders.evaluation.counts import Codes, chunks
from encoders.evaluation.measures import average_precision
from encoders.evaluation.relevance import relevance
from encoders.training.duplicates import together, whole_groups

LEAST = 20  # pairs: fewer say too little to stop by, or to calibrate with


def held_out(pairs: Pairs, *, share: float, seed: int) -> tuple[Rows, Rows]:
    """Rows to learn from, and about `share` of all, at least 20, to validate with; none where 20 are over a third.

    Pairs of one record, or of one picture by its features, stay together. Those of one text need not: a subject
    heading is a text of many records.
    """
    wanted = max(LEAST, round(share * len(pairs)))
    everything = np.arange(len(pairs))
    if not share or wanted > len(pairs) / 3:
        return everything, everything[:0]
    checking = whole_groups(together(pairs.records, _same(pairs.features()[0])), wanted, seed=seed)
    if checking.sum() < LEAST:
        return everything, everything[:0]
    return np.flatnonzero(~checking), np.flatnonzero(checking)


def agreement(images: Codes, texts: Codes, pairs: Pairs) -> float:
    """Mean of the MAP of both directions among n pairs, ties averaged. images, texts uint8 [n, bits / 8].

    What to find is what shares a label, a pair's own other side among it: few pairs may have no other. Without labels
    it is the record's own.
    """
    wanted = relevance(pairs, pairs)
    found = [
        average_precision(part.by_radius())
        for asked, stored in ((images, texts), (texts, images))
        for part in chunks(asked, stored, wanted)
    ]
    return float(np.concatenate(found).mean())


def _same(features: NDArray[np.float32]) -> NDArray[np.int64]:
    """A number for each distinct row, [n, d] -> [n]; a row of zeros says nothing and is like no other."""
    place: dict[bytes, int] = {}
    numbers = np.array([place.setdefault(sha256(row.tobytes()).digest(), len(place)) for row in features])
    empty = np.flatnonzero(~features.any(axis=1))
    numbers[empty] = len(features) + np.arange(len(empty))
    return numbers
