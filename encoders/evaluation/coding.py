"""What an encoder makes of a data set: packed codes of both sides, and how long that took."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from encoders.data.api import Floats, Pairs
from encoders.evaluation.counts import Codes
from encoders.heads import Head
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

    head: Head
    bits: int

    def encode_images(self, images: Floats) -> Codes:
        """[n, d] -> uint8 [n, bits / 8]"""
        return pack_signs(self.head.relax_image(self.head.image(images)))

    def encode_texts(self, texts: Floats) -> Codes:
        """[n, e] -> uint8 [n, bits / 8]"""
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
    """Encode both sides. Raises RequestError where the features are not those that the coder was made for."""
    began = time.perf_counter()
    images = None if pairs.images is None else _fitting(coder.encode_images, pairs.images, f"{pairs.name}: pictures")
    between = time.perf_counter()
    texts = None if pairs.texts is None else _fitting(coder.encode_texts, pairs.texts, f"{pairs.name}: texts")
    return Coded(coder.bits, images, texts, between - began, time.perf_counter() - between)


class _Encode(Protocol):
    def __call__(self, features: Floats, /) -> Codes: ...


def _fitting(encode: _Encode, features: Floats, what: str) -> Codes:
    try:
        return np.asarray(encode(features), dtype=np.uint8)
    except ValueError as error:  # numpy's word for widths that do not fit
        raise RequestError(
            f"{what} have {features.shape[1]} features, which this encoder was not made for ({error}); "
            "name a bundle that was trained on these features, or a data set with raw pictures and texts"
        ) from error
