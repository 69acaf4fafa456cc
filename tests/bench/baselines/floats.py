"""What the same features give without hashing: float directions with cosine, above the tables as the upper bound."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.data.api import DataSet
from encoders.evaluation.relevance import relevance
from encoders.methods.cca import canonical
from encoders.training.ridge import ridge

Doubles = NDArray[np.float64]
PENALTY = 0.1  # of ridge, a share of the features' mean variance
HEADS = {
    "cca": "CCA",
    "ridge": "ridge regression of pictures onto texts",
    "labels": "ridge regressions of both onto the labels",
}


def bounds(folds: Sequence[DataSet]) -> dict[str, dict[str, float]]:
    """MAP by head and direction, pooled over the queries of all folds; the database is the same as for the codes."""
    found: dict[str, dict[str, list[Doubles]]] = {head: {"image-text": [], "text-image": []} for head in HEADS}
    for dataset in folds:
        for head, (query, stored) in projected(dataset).items():
            for direction, asking, answering in (("image-text", 0, 1), ("text-image", 1, 0)):
                found[head][direction].append(precisions(query[asking], stored[answering], dataset))
    return {
        head: {direction: round(float(np.concatenate(each).mean()), 5) for direction, each in by_direction.items()}
        for head, by_direction in found.items()
    }


def projected(dataset: DataSet) -> dict[str, tuple[tuple[Doubles, Doubles], tuple[Doubles, Doubles]]]:
    """Queries and stored pairs, pictures and texts of each, in the space of each head."""
    x, y = (side.astype(np.float64) for side in dataset.train.features())
    labels = dataset.train.needed_labels("the bound with labels").astype(np.float64)
    first, second, _ = canonical(x, y, penalty=1e-3)
    even = np.ones(len(x))
    onto, of_x, of_y = (
        ridge(side, target, penalty=PENALTY, weights=even) for side, target in ((x, y), (x, labels), (y, labels))
    )
    heads = {"cca": (first, second), "ridge": (onto[:-1], np.eye(y.shape[1])), "labels": (of_x[:-1], of_y[:-1])}
    means = x.mean(axis=0), y.mean(axis=0)
    made = {}
    for head, matrices in heads.items():
        query, stored = (
            tuple((side - mean) @ matrix for side, mean, matrix in zip(part.features(), means, matrices, strict=True))
            for part in (dataset.query, dataset.database)
        )
        made[head] = ((query[0], query[1]), (stored[0], stored[1]))
    return made


def precisions(asking: Doubles, stored: Doubles, dataset: DataSet) -> Doubles:
    """Average precision of each query over the whole ranking by cosine, 0 where nothing is relevant. -> [q]"""
    wanted = relevance(dataset.query, dataset.database).gains(slice(0, len(asking))) > 0
    order = np.argsort(-unit(asking) @ unit(stored).T, axis=1, kind="stable")
    relevant = np.take_along_axis(wanted, order, axis=1)
    share = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    return np.asarray((share * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1))


def unit(rows: Doubles) -> Doubles:
    """Rows at length 1."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
