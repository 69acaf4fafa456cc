"""What an encoder makes of a data set: packed codes of both sides, and how long that took."""

import time
from dataclasses import dataclass
from typing import Protocol

from encoders.data.api import Floats, Pairs
from encoders.evaluation.counts import Codes
from encoders.heads import HashHead
from mappings.code import pack_signs
from mappings.errors import RequestError


class Coder(Protocol):
    """A fitted method on features: a bundle's head, or any of `encoders.methods`."""

    @property
    def bits(self) -> int:
        """Length of a code."""
        ...

    def encode_images(self, images: Floats) -> Codes:
        """[n, d] -> uint8 [n, bits / 8]"""
        ...

    def encode_texts(self, texts: Floats) -> Codes:
        """[n, e] -> uint8 [n, bits / 8]"""
        ...


@dataclass(frozen=True)
class HeadCoder:
    """A bundle's head on the features of its backbones."""

    head: HashHead
    bits: int

    def encode_images(self, images: Floats) -> Codes:
        """[n, d] -> uint8 [n, bits / 8]. Raises RequestError where these are other features than its backbone's."""
        _fits("picture", images, self.head.image_width)
        return pack_signs(self.head.relax_image(self.head.image(images)))

    def encode_texts(self, texts: Floats) -> Codes:
        """[n, e] -> uint8 [n, bits / 8]. Raises RequestError where these are other features than its backbone's."""
        _fits("text", texts, self.head.text_width)
        return pack_signs(self.head.relax_text(self.head.text(texts)))


@dataclass(frozen=True, eq=False)
class Coded:
    """Codes of all pairs of a data set; None where the set has no such side. Seconds are of features to codes."""

    bits: int
    images: Codes | None
    texts: Codes | None
    image_seconds: float
    text_seconds: float


def coded(coder: Coder, pairs: Pairs) -> Coded:
    """Encode both sides. Raises RequestError or DataError where the features are not those of the coder."""
    began = time.perf_counter()
    images = None if pairs.images is None else coder.encode_images(pairs.images)
    between = time.perf_counter()
    texts = None if pairs.texts is None else coder.encode_texts(pairs.texts)
    return Coded(coder.bits, images, texts, between - began, time.perf_counter() - between)


def _fits(side: str, features: Floats, width: int) -> None:
    if features.shape[1] != width:
        raise RequestError(
            f"the data set's {side} features are {features.shape[1]} wide, this bundle's {width}: name an encoder that "
            "was trained on these features, or a data set with raw pictures and texts"
        )
