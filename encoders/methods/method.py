"""What every method has: parameters in the constructor, `fit`, codes of either modality, a folder to be kept in.

Shapes: n pairs, d picture features, e text features, c labels, k bits.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from encoders.methods import checking
from encoders.training.itq import Doubles
from mappings.code import check_bits, pack_signs
from mappings.errors import RequestError

Packed = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Learnt = dict[str, Doubles]


@dataclass
class Method(ABC):
    """A hashing method. After `fit`, `learnt` holds all that encoding needs, by name.

    `losses` is the objective in the course of the fit, where the method iterates; `training_codes` [n, k / 8] are the
    codes that it gave the training pairs, where it gives one to both sides of a pair: some published tables store
    these as the database. `save` keeps the codes, not the losses.
    """

    name: ClassVar[str]
    supervised: ClassVar[bool] = False

    bits: int
    seed: int = field(default=0, kw_only=True)
    learnt: Learnt = field(default_factory=dict, init=False, repr=False, compare=False)
    losses: list[float] = field(default_factory=list, init=False, repr=False, compare=False)
    training_codes: Packed | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_bits(self.bits)

    @property
    def parameters(self) -> dict[str, object]:
        """What the constructor was given."""
        return {part.name: getattr(self, part.name) for part in fields(self) if part.init}

    def fit(self, images: object, texts: object, labels: object = None) -> Self:
        """Learn from n pairs: images [n, d], texts [n, e], labels [n, c] in {0, 1}, rows of one pair beside each other.

        Raises RequestError where a side, or labels that the method needs, are not given; DataError where nothing can be
        learnt from what is: NaN, wrong shapes, counts that differ, one class only, a modality that says nothing.
        """
        x, y = checking.pair(images, texts)
        flags = checking.labels(labels, len(x), self.name) if self.supervised else np.empty((len(x), 0), dtype=bool)
        self.losses, self.training_codes = [], None
        self.learnt = self._learn(x, y, flags)
        return self

    def relax_images(self, images: object) -> Doubles:
        """Picture features [n, d] -> hash features before the sign, [n, k]. Raises RequestError, DataError."""
        return self._relax("image", images)

    def relax_texts(self, texts: object) -> Doubles:
        """Text features [n, e] -> hash features before the sign, [n, k]. Raises RequestError, DataError."""
        return self._relax("text", texts)

    def encode_images(self, images: object) -> Packed:
        """Picture features [n, d] -> packed codes [n, k / 8]. Raises RequestError, DataError."""
        return pack_signs(self.relax_images(images))

    def encode_texts(self, texts: object) -> Packed:
        """Text features [n, e] -> packed codes [n, k / 8]. Raises RequestError, DataError."""
        return pack_signs(self.relax_texts(texts))

    def _relax(self, side: str, features: object) -> Doubles:
        if not self.learnt:
            raise RequestError(f"{self.name} has learnt nothing yet; call fit, or load a method that was saved")
        mean = self.learnt[f"{side}_mean"]
        return self._project(side, checking.features(features, f"{side}s", width=len(mean)) - mean)

    @abstractmethod
    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        """Fit to checked features; labels are [n, 0] unless the method is supervised.

        `image_mean` [d] and `text_mean` [e] must be among the result.
        """

    def _project(self, side: str, centred: Doubles) -> Doubles:
        """Features of one side, less its mean -> [n, k]. Linear, unless a method says otherwise."""
        return centred @ self.learnt[f"{side}_projection"]


def linear(images: Doubles, texts: Doubles, image_projection: Doubles, text_projection: Doubles) -> Learnt:
    """What a linear method has learnt: each side's mean over the training rows, and its projection [width, k]."""
    return {
        "image_mean": images.mean(axis=0),
        "text_mean": texts.mean(axis=0),
        "image_projection": image_projection,
        "text_projection": text_projection,
    }
