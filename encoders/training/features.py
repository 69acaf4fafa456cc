"""A source's features by the very code that encodes records, kept in a cache under the digest of all that went in."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.data.cache import holds, kept
from encoders.decoding import picture_features
from encoders.pictures import decode
from encoders.towers import Floats, PictureTower, TextTower
from encoders.training.duplicates import difference_hash, groups
from encoders.training.sources import Sample
from encoders.weights import Weights, file_sha256
from mappings.errors import DataError

MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Collection:
    """n samples of one source: tower features, and which are near-duplicates of one another."""

    samples: tuple[Sample, ...]
    picture: Floats  # [n, pooled + classes]
    caption: Floats  # [n, m]
    words: Floats  # [n, m], zero where there are none
    whole: Floats  # [n, m], caption and words as one text, as a record would have it
    group: NDArray[np.int64]  # [n]

    def take(self, rows: NDArray[np.int64] | list[int]) -> "Collection":
        """The samples of these rows."""
        return Collection(
            tuple(self.samples[row] for row in rows),
            picture=self.picture[rows],
            caption=self.caption[rows],
            words=self.words[rows],
            whole=self.whole[rows],
            group=self.group[rows],
        )

    def distinct(self, *, without: frozenset[str] = frozenset()) -> "Collection":
        """One sample of each group of near-duplicates and of each caption.

        Samples whose key is in `without` are left out, and with them their near-duplicates and namesakes.
        """
        out = [row for row, sample in enumerate(self.samples) if sample.key in without]
        seen_groups: set[int] = {int(self.group[row]) for row in out}
        seen_captions = {self.samples[row].caption.lower() for row in out}
        kept = []
        for row, sample in enumerate(self.samples):
            if int(self.group[row]) not in seen_groups and sample.caption.lower() not in seen_captions:
                kept.append(row)
                seen_groups.add(int(self.group[row]))
                seen_captions.add(sample.caption.lower())
        return self.take(kept)


@dataclass(frozen=True)
class Extractor:
    """The towers with the weights they were loaded from."""

    text: TextTower
    picture: PictureTower
    weights: tuple[Weights, Weights]

    def collect(self, samples: list[Sample]) -> Collection:
        """Features of all samples, from the cache where nothing they hang on has changed. Raises DataError."""
        a, _ = kept(self._key(samples), len(samples), lambda count: self._extract(samples[:count]))
        return Collection(tuple(samples), a["picture"], a["caption"], a["words"], a["whole"], groups(a["hashes"]))

    def remembers(self, samples: list[Sample]) -> bool:
        """Whether the cache holds these samples, so that `collect` takes seconds and not minutes."""
        return holds(self._key(samples))

    def _extract(self, samples: list[Sample]) -> dict[str, NDArray[Any]]:
        files = [sample.picture.read_bytes() for sample in samples]
        pictures, errors = picture_features(self.picture, files, max_pixels=MAX_PIXELS)
        for number, error in errors.items():
            raise DataError(f"{samples[number].picture} cannot be decoded: {error}; restore the source") from error
        joined = [f"{sample.caption}. {sample.words}" if sample.words else sample.caption for sample in samples]
        return {
            "picture": pictures,
            "caption": self.text.features([sample.caption for sample in samples])[0],
            "words": self.text.features([sample.words for sample in samples])[0],
            "whole": self.text.features(joined)[0],
            "hashes": np.stack([difference_hash(decode(file, max_pixels=MAX_PIXELS)) for file in files]),
        }

    def _key(self, samples: list[Sample]) -> str:
        state = hashlib.sha256("".join(weights.sha256 for weights in self.weights).encode())
        for sample in samples:
            state.update(f"\0{file_sha256(sample.picture)}\0{sample.caption}\0{sample.words}".encode())
        return state.hexdigest()
