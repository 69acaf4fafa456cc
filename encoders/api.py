"""What an encoder is, for everybody who does not load one: this module and its imports stay free of torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mappings.code import HashCode
from mappings.errors import RecordError

PARTS = ("text", "image", "record")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to encode: text, pictures (encoded files as they came, untrusted), or both."""

    text: str | None = None
    pictures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of one item. `image[i]` belongs to `pictures[i]` and is None where that picture could not be decoded.

    `record` is the unified code; it exists only where both text and a picture do. `problems` holds, by picture
    number, why a picture has no code.
    """

    text: HashCode | None = None
    image: tuple[HashCode | None, ...] = ()
    record: HashCode | None = None
    problems: Mapping[int, RecordError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BundleCard:
    """What a bundle says of itself; enough to attach, plan and search without loading weights.

    `calibration["image-text"][d]` is the similarity in [0, 1] of a picture query and a record's text at distance d:
    bits + 1 values, never rising with d. A pair that is not there uses 1 - d / bits.
    """

    name: str
    bits: int
    digest: str
    parts: tuple[str, ...]
    calibration: Mapping[str, tuple[float, ...]]
    reference: str

    @property
    def space(self) -> str:
        """Default name of the space that this bundle's codes live in: `[a-z0-9_]{1,40}`, it becomes a field name."""
        name = re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")
        return f"{name[:31] or 'space'}_{self.digest[:8]}"

    def table(self, query_part: str, record_part: str) -> tuple[float, ...]:
        """Similarity by distance for one pair of parts: bits + 1 values in [0, 1]."""
        linear = tuple(1 - d / self.bits for d in range(self.bits + 1))
        return tuple(self.calibration.get(f"{query_part}-{record_part}", linear))


class Encoder(Protocol):
    """A loaded encoder: weights on a device."""

    card: BundleCard

    def encode(self, items: Sequence[Item]) -> list[Codes]:
        """One result an item, in order. Never raises for an item's content: a bad picture lands in `problems`."""
        ...

    def encode_query(self, item: Item) -> Codes:
        """The same codes of one item, but for `record`, with the weights of their bits (`mappings.weighted`)."""
        ...
