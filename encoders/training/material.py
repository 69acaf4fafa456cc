"""What a method is trained on: a data set that was checked, its features, and which rows are learnt from."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from encoders.bundle import Bundle
from encoders.data.api import DataSet, Rows
from encoders.data.extraction import extracted
from encoders.method_head import preparation, prepared
from encoders.methods.method import Method
from encoders.training.validation import held_out
from mappings.errors import DataError, RequestError


@dataclass(frozen=True, eq=False)
class Material:
    """A data set with features of both sides; `learning` and `checking` are rows of its training part."""

    dataset: DataSet
    learning: Rows
    checking: Rows  # empty where the pairs are too few to spare some, or none are needed
    wordless: int  # training pairs without a word, which take no part
    preparation: str  # of the picture features
    backbones: Bundle | None  # whose towers saw the set; None: it came as features

    @property
    def whole(self) -> bool:
        """Whether every training pair is learnt from, in its order."""
        return np.array_equal(self.learning, self.dataset.split.train)


def check(dataset: DataSet, method: Method) -> None:
    """What can be told before a picture is read. Raises RequestError, DataError."""
    pairs = dataset.pairs
    for name, features, items in (("pictures", pairs.images, pairs.pictures), ("texts", pairs.texts, pairs.captions)):
        if features is None and items is None:
            raise RequestError(f"{dataset.name} has no {name}; {method.name} learns from pictures with their texts")
    if (pairs.images is None) != (pairs.texts is None):
        raise RequestError(
            f"{dataset.name} has features of one side and raw items of the other; give both raw, or both as features"
        )
    if method.supervised:
        dataset.train.needed_labels(method.name)


def raw(dataset: DataSet) -> bool:
    """Whether the set's pictures and texts go through backbones."""
    return dataset.pairs.images is None


def gathered(
    dataset: DataSet, backbones: Bundle | None, *, share: float, seed: int, device: str, tell: Callable[[str], None]
) -> Material:
    """Features of a checked data set, `share` of the training pairs held out. Raises DataError, BundleError."""
    kind, pairs, rows = "none", dataset.pairs, dataset.split.train
    if backbones is not None:
        model = backbones.model
        tell(f"features of {len(pairs)} pictures and texts by {model.image.package} and {model.text.package}")
        kind = preparation(model)
        pairs = extracted(pairs, backbones, device).pairs
        pairs = replace(pairs, images=None if pairs.images is None else prepared(pairs.images, kind))
        _, texts = pairs.features()
        rows = rows[texts[rows].any(axis=1)]
        if not len(rows):
            raise DataError(f"{dataset.name}: no training pair has a word in its text; the modality is empty")
    learning, checking = held_out(pairs.take(rows), share=share, seed=seed)
    wordless = len(dataset.split.train) - len(rows)
    return Material(replace(dataset, pairs=pairs), rows[learning], rows[checking], wordless, kind, backbones)
