"""Bands: a code cut into short pieces, each an indexed term, so that near codes are found without reading every code.

Multi-index hashing (Norouzi, Punjani, Fleet: Fast Search in Hamming Space with Multi-Index Hashing, 2012): two codes
whose distance is at most m * (r + 1) - 1 agree in one of m bands up to r bits. A query therefore asks, band by band,
for the terms within radius r of its own.

    "_crosshatch": {"<space>": {"text": "<terms>", "image": ["<terms>", ...], "record": "<terms>", "of": "<banding>"}}

The terms lie in an object of their own, because a name that begins with `_` is the one kind of indexed field that
neither `*` nor a pattern of a catalogue's fields expands to. A `binary` field cannot carry them as a sub-field or by
`copy_to`: the engine's JSON reader has consumed the value by then, and indexes the string that it read before.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, combinations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mappings.code import HashCode, check_bits
from mappings.errors import CodeLengthError
from mappings.fields import PARTS, StoredCodes

OBJECT = "_crosshatch"
OF = "of"  # names the banding that made the terms, so that a scan sees those of another one
NARROWEST, WIDEST = 6, 20  # bits of a band
CANDIDATES = 10_000  # records that share a band with a query by chance, at radius 1
# printable, and written by every JSON writer as they are
_SYMBOLS = "".join(chr(sign) for sign in range(33, 127) if chr(sign) not in "\"\\<>&'")


@dataclass(frozen=True)
class Banding:
    """How codes of `bits` bits are cut: bit `order[i]` of a code is bit i of the bands laid end to end.

    There are round(bits / width) bands, whose sizes differ by one bit at most. Raises CodeLengthError for a width or
    an order that does not fit.
    """

    bits: int
    width: int
    order: tuple[int, ...] = ()
    sizes: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if not NARROWEST <= self.width <= WIDEST:
            raise CodeLengthError(f"a band of {self.width} bits came; expected {NARROWEST} to {WIDEST}")
        order = self.order or tuple(range(self.bits))
        if sorted(order) != list(range(self.bits)):
            raise CodeLengthError(f"an order of {len(order)} bits came; expected each of {self.bits} bits once")
        count = max(1, round(self.bits / self.width))
        each, wider = divmod(self.bits, count)
        object.__setattr__(self, "order", order)
        object.__setattr__(self, "sizes", (each + 1,) * wider + (each,) * (count - wider))

    @property
    def name(self) -> str:
        """Eight hexadecimal digits that no other banding has."""
        return hashlib.sha256(json.dumps(self.listed()).encode()).hexdigest()[:8]

    def listed(self) -> dict[str, Any]:
        """As JSON, for the state."""
        return {"bits": self.bits, "width": self.width, "order": list(self.order)}

    @classmethod
    def read(cls, listed: Mapping[str, Any]) -> Self:
        """What `listed` wrote."""
        return cls(listed["bits"], listed["width"], tuple(listed["order"]))

    def proven(self, radius: int) -> int:
        """The largest distance at which a code shares a band within `radius`, whatever its bits are."""
        return len(self.sizes) * (radius + 1) - 1

    def values(self, code: HashCode) -> list[int]:
        """The number that each band of a code holds. Raises CodeLengthError for another length."""
        if code.bits != self.bits:
            raise CodeLengthError(f"a code of {code.bits} bits came; the bands are cut from codes of {self.bits} bits")
        whole = int.from_bytes(code.packed)
        ordered = "".join("1" if whole >> (self.bits - 1 - bit) & 1 else "0" for bit in self.order)
        ends = list(accumulate(self.sizes))
        return [int(ordered[end - size : end], 2) for end, size in zip(ends, self.sizes, strict=True)]

    def line(self, code: HashCode) -> str:
        """What a document holds of a code: a term a band, with blanks between."""
        return " ".join(self._term(band, value) for band, value in enumerate(self.values(code)))

    def terms(self, code: HashCode, radius: int) -> list[list[str]]:
        """By band, the terms of every value within `radius` bits of the code's own; the own one comes first."""
        return [
            [self._term(band, value ^ mask) for mask in _masks(size, radius)]
            for band, (value, size) in enumerate(zip(self.values(code), self.sizes, strict=True))
        ]

    def members(self, codes: StoredCodes) -> dict[str, Any]:
        """JSON members for the space's object under `OBJECT`; parts without a code are left out."""
        members: dict[str, Any] = {}
        if codes.text:
            members["text"] = self.line(codes.text)
        if codes.image:
            members["image"] = [self.line(code) for _, code in codes.image]
        if codes.record:
            members["record"] = self.line(codes.record)
        return {**members, OF: self.name} if members else {}

    def _term(self, band: int, value: int) -> str:
        """A term of one band: no other band has it, so that all of a part may share a field."""
        number = sum(1 << size for size in self.sizes[:band]) + value
        signs = []
        for _ in range(self._signs):
            number, sign = divmod(number, len(_SYMBOLS))
            signs.append(_SYMBOLS[sign])
        return "".join(signs)

    @property
    def _signs(self) -> int:
        count, reach = 1, len(_SYMBOLS)
        while reach < sum(1 << size for size in self.sizes):
            count, reach = count + 1, reach * len(_SYMBOLS)
        return count


def field_name(space: str, part: str) -> str:
    """Full name of the field that holds the terms of `part`."""
    return f"{OBJECT}.{space}.{part}"


def space_mapping(space: str) -> dict[str, Any]:
    """Body for `PUT <index>/_mapping`: postings alone, no norms, no positions, no doc values."""
    terms = {"type": "text", "analyzer": "whitespace", "index_options": "docs", "norms": False}
    inner = {"dynamic": False, "properties": dict.fromkeys(PARTS, terms)}
    return {"properties": {OBJECT: {"dynamic": False, "properties": {space: inner}}}}


def fitting_width(documents: int, bits: int) -> int:
    """The narrowest band that no more than `CANDIDATES` records share with a query by chance, within one bit.

    Of n evenly spread codes, each of m bands of b bits shares n * (1 + b) / 2^b at radius 1. Narrower bands find more
    of what is near, wider ones leave less to score.
    """
    most = min(WIDEST, bits)
    for width in range(min(NARROWEST, most), most):
        if round(bits / width) * documents * (1 + width) / 2**width <= CANDIDATES:
            return width
    return most


def fitting_order(packed: NDArray[np.uint8], width: int) -> tuple[int, ...]:
    """Deal the bits to bands so that no band holds bits that say the same: uint8 [n, bits / 8] -> an order.

    The most balanced bits go first, each to the band with room whose bits it is least correlated with (the sum of
    squared correlations): then the records spread evenly over a band's values.
    """
    ones = np.unpackbits(packed, axis=1).astype(np.float32)
    bits = ones.shape[1]
    centred = ones - ones.mean(axis=0)
    spread = centred.std(axis=0)
    alike = (centred.T @ centred / max(len(ones), 1) / np.maximum(np.outer(spread, spread), 1e-9)) ** 2
    bands: list[list[int]] = [[] for _ in Banding(bits, width).sizes]
    for bit in np.argsort(-spread, kind="stable").tolist():
        open_ones = [band for band, size in zip(bands, Banding(bits, width).sizes, strict=True) if len(band) < size]
        least = min(open_ones, key=lambda band: (float(alike[bit, band].sum()) if band else 0.0, len(band)))
        least.append(bit)
    return tuple(bit for band in bands for bit in band)


def _masks(size: int, radius: int) -> Sequence[int]:
    """Every change of at most `radius` of `size` bits."""
    return [
        sum(1 << bit for bit in bits)
        for count in range(min(radius, size) + 1)
        for bits in combinations(range(size), count)
    ]
