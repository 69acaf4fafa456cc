"""Features of raw pictures and texts by a bundle's own backbones, kept by content and backbone."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from encoders.bundle import ImageModel, Model, TextModel
from encoders.data.api import Chosen, Floats, Pairs, Rows
from encoders.data.cache import kept
from encoders.decoding import picture_features
from encoders.loading import towers
from encoders.towers import PictureTower, TextTower
from mappings.errors import DataError

MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Extracted:
    """The pairs with their features, and the seconds that each side takes (0 where the features came with the set)."""

    pairs: Pairs
    image_seconds: float = 0.0
    text_seconds: float = 0.0


def extracted(pairs: Pairs, model: Model, device: str) -> Extracted:
    """Features of the sides that are raw; sides that came as features stay. Raises DataError, BundleError."""
    raw_images = pairs.images is None and pairs.pictures is not None
    raw_texts = pairs.texts is None and pairs.captions is not None
    if not raw_images and not raw_texts:
        return Extracted(pairs)
    text, picture = towers(model, device)
    images, image_seconds = _of_pictures(pairs, picture, model) if raw_images else (pairs.images, 0.0)
    texts, text_seconds = _of_captions(pairs, text, model) if raw_texts else (pairs.texts, 0.0)
    return Extracted(replace(pairs, images=images, texts=texts), image_seconds, text_seconds)


def _of_pictures(pairs: Pairs, tower: PictureTower, model: Model) -> tuple[Floats, float]:
    pictures = pairs.pictures or ()

    def extract(rows: Rows) -> Floats:
        features, errors = picture_features(tower, Chosen(pictures, rows), max_pixels=MAX_PIXELS)
        for number, error in errors.items():
            raise DataError(f"{pairs.name}: picture {rows[number]} cannot be decoded: {error}; restore it") from error
        return features

    return _once(model.image, pictures, extract)


def _of_captions(pairs: Pairs, tower: TextTower, model: Model) -> tuple[Floats, float]:
    captions = pairs.captions or ()

    def extract(rows: Rows) -> Floats:
        return tower.features([captions[int(row)] for row in rows])[0]

    return _once(model.text, (caption.encode("utf-8", "replace") for caption in captions), extract)


def _once(
    backbone: TextModel | ImageModel, contents: Iterable[bytes], extract: Callable[[Rows], Floats]
) -> tuple[Floats, float]:
    """Features of every row, [n, features], and the seconds that all would take: equal contents are extracted once.

    They are kept by the SHA-256 of the backbone's weights and settings, and of each content.
    """
    place: dict[bytes, int] = {}
    which = np.array([place.setdefault(hashlib.sha256(content).digest(), len(place)) for content in contents])
    rows = np.unique(which, return_index=True)[1]
    key = hashlib.sha256(b"".join([msgspec.json.encode(backbone), *place])).hexdigest()
    arrays, seconds = kept(key, len(rows), lambda count: {"features": extract(rows[:count])})
    return arrays["features"].astype(np.float32)[which], seconds * len(which) / len(rows)
