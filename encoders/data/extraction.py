"""Features of raw pictures and texts by a bundle's own backbones, kept by content and backbone."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from encoders.bundle import ImageModel, Model, TextModel
from encoders.data.api import Chosen, Floats, Pairs
from encoders.data.cache import Arrays, kept
from encoders.decoding import picture_features
from encoders.loading import towers
from encoders.towers import PictureTower, TextTower
from mappings.errors import DataError

MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Extracted:
    """The pairs with their features, and the seconds that each side took (0 where the features came with the set)."""

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

    def extract(count: int) -> Arrays:
        some = Chosen(pictures, np.arange(min(count, len(pictures))))
        features, errors = picture_features(tower, some, max_pixels=MAX_PIXELS)
        for number, error in errors.items():
            raise DataError(f"{pairs.name}: picture {number} cannot be decoded: {error}; restore it") from error
        return {"features": features}

    arrays, seconds = kept(_key(model.image, pictures), len(pictures), extract)
    return arrays["features"].astype(np.float32), seconds


def _of_captions(pairs: Pairs, tower: TextTower, model: Model) -> tuple[Floats, float]:
    captions = list(pairs.captions or ())

    def extract(count: int) -> Arrays:
        return {"features": tower.features(captions[:count])[0]}

    contents = (caption.encode("utf-8", "replace") for caption in captions)
    arrays, seconds = kept(_key(model.text, contents), len(captions), extract)
    return arrays["features"].astype(np.float32), seconds


def _key(backbone: TextModel | ImageModel, contents: Iterable[bytes]) -> str:
    """SHA-256 over the backbone's weights and settings, and each row's content."""
    state = hashlib.sha256(msgspec.json.encode(backbone))
    for content in contents:
        state.update(hashlib.sha256(content).digest())
    return state.hexdigest()
