"""An encoder that behaves like one, without weights: equal content gives equal codes, any other gives others."""

import hashlib
from collections.abc import Sequence

from encoders.api import BundleCard, Codes, Item
from mappings.code import HashCode
from mappings.errors import RecordError
from mappings.weighted import WeightedCode

BITS = 128
CARD = BundleCard("fake-128", BITS, "fa4e" * 16, ("text", "image", "record"), {}, "fake-128")


class FakeEncoder:
    """Codes are digests. A picture that starts with `broken` cannot be read; a text with `poison` breaks the batch."""

    card = CARD

    def __init__(self) -> None:
        self.encoded: list[Item] = []

    def encode(self, items: Sequence[Item]) -> list[Codes]:
        """One result an item."""
        if any("poison" in (item.text or "") for item in items):
            raise RuntimeError("poison")
        self.encoded += items
        return [self._codes(item) for item in items]

    def encode_query(self, item: Item) -> Codes:
        """The codes of one item; a bit weighs what a byte of the code says."""
        [codes] = self.encode([item])
        image = tuple(code and weighted(code) for code in codes.image)
        return Codes(codes.text and weighted(codes.text), image, problems=codes.problems)

    def _codes(self, item: Item) -> Codes:
        image = tuple(None if data.startswith(b"broken") else code_of(data) for data in item.pictures)
        broken = {n: RecordError("picture-unreadable", "broken") for n, code in enumerate(image) if code is None}
        text = code_of(item.text.encode()) if item.text else None
        both = code_of(b"both" + text.packed) if text and any(image) else None
        return Codes(text, image, both, broken)


def code_of(content: bytes) -> HashCode:
    """The code of a content."""
    return HashCode(BITS, hashlib.sha256(content).digest()[: BITS // 8])


def weighted(code: HashCode) -> WeightedCode:
    """The code with weights that follow from it."""
    return WeightedCode(code.bits, code.packed, bytes([15]) + bytes(byte % 16 for byte in code.packed * 8)[1:])


class NoWatch:
    """A job delivered for the first time."""

    again = False
    last = False

    def hopeless(self) -> set[str]:
        """Nobody died twice."""
        return set()

    def culprits(self) -> set[str]:
        """Nobody died."""
        return set()

    def trying(self, record: str) -> None:
        """Nothing to remember."""
