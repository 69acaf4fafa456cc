"""Features of raw pictures and texts by a bundle's own backbones, kept by content and backbone."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from encoders.bundle import LANGUAGES, Bundle, Model
from encoders.data.api import Chosen, Floats, Pairs, Rows
from encoders.data.cache import kept
from encoders.decoding import picture_features
from encoders.loading import towers
from encoders.towers import PictureTower, TextTower
from encoders.weights import file_sha256
from mappings.errors import DataError

MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Extracted:
    """The pairs with their features, and the seconds that each side takes (0 where the features came with the set)."""

    pairs: Pairs
    image_seconds: float = 0.0
    text_seconds: float = 0.0


def extracted(pairs: Pairs, bundle: Bundle, device: str) -> Extracted:
    """Features of the sides that are raw; sides that came as features stay. Raises DataError, BundleError."""
    raw_images = pairs.images is None and pairs.pictures is not None
    raw_texts = pairs.texts is None and pairs.captions is not None
    if not raw_images and not raw_texts:
        return Extracted(pairs)
    text, picture = towers(bundle, device)
    images, image_seconds = _of_pictures(pairs, picture, bundle.model) if raw_images else (pairs.images, 0.0)
    texts, text_seconds = _of_captions(pairs, text, bundle) if raw_texts else (pairs.texts, 0.0)
    return Extracted(replace(pairs, images=images, texts=texts), image_seconds, text_seconds)


def _of_pictures(pairs: Pairs, tower: PictureTower, model: Model) -> tuple[Floats, float]:
    pictures = pairs.pictures or ()

    def extract(rows: Rows) -> Floats:
        features, errors = picture_features(tower, Chosen(pictures, rows), max_pixels=MAX_PIXELS)
        for number, error in errors.items():
            raise DataError(f"{pairs.name}: picture {rows[number]} cannot be decoded: {error}; restore it") from error
        return features

    return _once(msgspec.json.encode(model.image), pictures, extract)


def _of_captions(pairs: Pairs, tower: TextTower, bundle: Bundle) -> tuple[Floats, float]:
    captions = pairs.captions or ()

    def extract(rows: Rows) -> Floats:
        return tower.features([captions[int(row)] for row in rows])[0]

    backbone = msgspec.json.encode(bundle.model.text)
    if bundle.model.multilingual is not msgspec.UNSET:
        backbone += msgspec.json.encode(bundle.model.multilingual) + file_sha256(bundle.folder / LANGUAGES).encode()
    return _once(backbone, (caption.encode("utf-8", "replace") for caption in captions), extract)


def _once(backbone: bytes, contents: Iterable[bytes], extract: Callable[[Rows], Floats]) -> tuple[Floats, float]:
    """Features of every row, [n, features], and the seconds that all would take: equal contents are extracted once.

    They are kept by the SHA-256 of each content and of `backbone`, which tells its weights and settings.
    """
    place: dict[bytes, int] = {}
    which = np.array([place.setdefault(hashlib.sha256(content).digest(), len(place)) for content in contents])
    rows = np.unique(which, return_index=True)[1]
    key = hashlib.sha256(b"".join([backbone, *place])).hexdigest()
    arrays, seconds = kept(key, len(rows), lambda count: {"features": extract(rows[:count])})
    return arrays["features"].astype(np.float32)[which], seconds * len(which) / len(rows)
