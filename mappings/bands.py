"""Bands: a code cut into short pieces, each an indexed term, so that near codes are found without reading every code.

Multi-index hashing (Norouzi, Punjani, Fleet: Fast Search in Hamming Space with Multi-Index Hashing, 2012): two codes
whose distance is at most m * (r + 1) - 1 agree in one of m bands up to r bits. A query therefore asks, band by band,
for the terms within radius r of its own. Where two bands must agree and not one, chance brings far fewer records
together, so that each may differ in one bit more: hardly a near record is lost then.

    "_crosshatch": {"<space>": {"t": "<terms>", "i": ["<terms>", ...], "r": "<terms>", "of": "<banding>"}}

The terms lie in an object of their own, because a name that begins with `_` is the one kind of indexed field that
`*` does not expand to, nor a pattern such as `c*`. One that begins with `*` does, so parts have names that no `*.text`
or `*_t` of a catalogue meets. A `binary` field cannot carry the terms as a sub-field or by `copy_to`: the engine's JSON
reader has consumed the value by then, and indexes the string that it read before.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import comb
from operator import itemgetter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mappings.code import HashCode, check_bits
from mappings.errors import CodeLengthError
from mappings.fields import StoredCodes

OBJECT = "_crosshatch"
LEAVES = {"text": "t", "image": "i", "record": "r"}  # what a part is called there
OF = "of"  # names the banding that made the terms, so that a scan sees those of another one
MEMBERS = (*LEAVES.values(), OF)
NARROWEST, WIDEST = 6, 20  # bits of a band
CANDIDATES = 1_500  # records that a search finds by chance
# printable, and written by every JSON writer as they are
_SYMBOLS = "".join(chr(sign) for sign in range(33, 127) if chr(sign) not in "\"\\<>&'")
_FIRST = "".join(sign for sign in _SYMBOLS if not sign.isalnum())  # so that no term is a word of a text


@dataclass(frozen=True, slots=True)
class Reach:
    """What a search asks of a record's bands: that `agree` of them come within `radius` bits of the query's."""

    radius: int
    agree: int = 1


REACH = Reach(radius=2, agree=2)  # found the most for its time of all that were measured (docs/plans.md)


@dataclass(frozen=True, slots=True)
class Banding:
    """How codes of `bits` bits are cut: band j holds the code's bits `order[j * width : (j + 1) * width]`.

    The order need not name every bit: each band costs about six bytes of index a record, and some eight of them find
    enough. Without an order the code is cut from its front, into `usual_count` bands. Raises CodeLengthError for a
    width or an order that does not fit.
    """

    bits: int
    width: int
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if not NARROWEST <= self.width <= min(WIDEST, self.bits):
            raise CodeLengthError(
                f"a band of {self.width} bits came; expected {NARROWEST} to {min(WIDEST, self.bits)} of {self.bits}"
            )
        order = self.order or tuple(range(usual_count(self.bits, self.width) * self.width))
        if len(order) % self.width or len(set(order)) < len(order) or not set(order) <= set(range(self.bits)):
            raise CodeLengthError(
                f"an order of {len(order)} bits came; expected bits of {self.bits}, each once, in bands of {self.width}"
            )
        object.__setattr__(self, "order", order)

    @property
    def count(self) -> int:
        """How many bands a code has."""
        return len(self.order) // self.width

    @property
    def name(self) -> str:
        """Eight hexadecimal digits that no other banding has."""
        return _name(self)

    def listed(self) -> dict[str, Any]:
        """As JSON, for the state."""
        return {"bits": self.bits, "width": self.width, "order": list(self.order)}

    @classmethod
    def read(cls, listed: Mapping[str, Any]) -> Self:
        """What `listed` wrote."""
        return cls(listed["bits"], listed["width"], tuple(listed["order"]))

    def apart(self, reach: Reach) -> int:
        """How many bands must be farther than the radius for a code not to be found."""
        return max(self.count - reach.agree, 0) + 1

    def proven(self, reach: Reach) -> int:
        """The largest distance at which a code is found, whatever its bits are."""
        return self.apart(reach) * (reach.radius + 1) - 1

    def values(self, code: HashCode) -> list[int]:
        """The number that each band of a code holds. Raises CodeLengthError for another length."""
        if code.bits != self.bits:
            raise CodeLengthError(f"a code of {code.bits} bits came; the bands are cut from codes of {self.bits} bits")
        ordered = "".join(_picked(self.order)(f"{int.from_bytes(code.packed):0{self.bits}b}"))
        return [int(ordered[at : at + self.width], 2) for at in range(0, len(ordered), self.width)]

    def line(self, code: HashCode) -> str:
        """What a document holds of a code: a term a band, with blanks between."""
        return " ".join(self._term(band, value) for band, value in enumerate(self.values(code)))

    def terms(self, code: HashCode, radius: int) -> list[list[str]]:
        """By band, the terms of every value within `radius` bits of the code's own; the own one comes first."""
        return [
            [self._term(band, value ^ mask) for mask in _masks(self.width, radius)]
            for band, value in enumerate(self.values(code))
        ]

    def members(self, codes: StoredCodes) -> dict[str, Any]:
        """JSON members for the space's object under `OBJECT`; parts without a code are left out."""
        members: dict[str, Any] = {}
        if codes.text:
            members[LEAVES["text"]] = self.line(codes.text)
        if codes.image:
            members[LEAVES["image"]] = [self.line(code) for _, code in codes.image]
        if codes.record:
            members[LEAVES["record"]] = self.line(codes.record)
        return {**members, OF: self.name} if members else {}

    def _term(self, band: int, value: int) -> str:
        """A term of one band: no other band has it, so that all of a part may share a field."""
        number, first = divmod((band << self.width) + value, len(_FIRST))
        signs = [_FIRST[first]]
        for _ in range(_signs(self.count << self.width) - 1):
            number, sign = divmod(number, len(_SYMBOLS))
            signs.append(_SYMBOLS[sign])
        return "".join(signs)


def field_name(space: str, part: str) -> str:
    """Full name of the field that holds the terms of `part`."""
    return f"{OBJECT}.{space}.{LEAVES[part]}"


def space_mapping(space: str) -> dict[str, Any]:
    """Body for `PUT <index>/_mapping`: postings alone, no norms, no positions, no doc values."""
    terms = {"type": "text", "analyzer": "whitespace", "index_options": "docs", "norms": False}
    inner = {"dynamic": False, "properties": dict.fromkeys(LEAVES.values(), terms)}
    return {"properties": {OBJECT: {"dynamic": False, "properties": {space: inner}}}}


def usual_count(bits: int, width: int) -> int:
    """How many bands are cut from a code: a sixteenth of its bits, four of a short one, or what there is room for."""
    return max(1, min(max(4, bits // 16), bits // width))


def fitting_width(documents: int, bits: int) -> int:
    """The narrowest bands by which no more than `CANDIDATES` records are found by chance.

    Narrower bands find more of what is near, wider ones leave less to score.
    """
    widest = min(WIDEST, bits)
    for width in range(NARROWEST, widest):
        if documents * by_chance(bits, width, REACH) <= CANDIDATES:
            return width
    return widest


def by_chance(bits: int, width: int, reach: Reach) -> float:
    """The share of evenly spread codes that a search finds: a band comes near with p = (its near values) / 2^width.

    Of m bands at least a agree with Σ_{i >= a} C(m, i) p^i (1 - p)^(m - i).
    """
    bands, near = usual_count(bits, width), len(_masks(width, reach.radius)) / 2**width
    least = min(reach.agree, bands)
    share: float = sum(
        comb(bands, some) * near**some * (1 - near) ** (bands - some) for some in range(least, bands + 1)
    )
    return share


def fitting_order(packed: NDArray[np.uint8], width: int) -> tuple[int, ...]:
    """Deal bits to bands so that no band holds bits that say the same: uint8 [n, bits / 8] -> an order.

    The most balanced bits go first, each to the band with room whose bits it is least correlated with (the sum of
    squared correlations): then the records spread evenly over a band's values.
    """
    ones = np.unpackbits(packed, axis=1).astype(np.float32)
    bits = ones.shape[1]
    centred = ones - ones.mean(axis=0)
    spread = centred.std(axis=0)
    alike = (centred.T @ centred / len(ones) / np.maximum(np.outer(spread, spread), 1e-9)) ** 2
    bands: list[list[int]] = [[] for _ in range(usual_count(bits, width))]
    for bit in np.argsort(-spread, kind="stable")[: len(bands) * width].tolist():
        free = [band for band in bands if len(band) < width]
        min(free, key=lambda band: (float(alike[bit, band].sum()), len(band))).append(bit)
    return tuple(bit for band in bands for bit in band)


def terms_within(banding: Banding, radius: int) -> int:
    """How many terms a query of this radius has."""
    return banding.count * len(_masks(banding.width, radius))


@cache  # a scan asks for every record
def _name(banding: Banding) -> str:
    return hashlib.sha256(json.dumps(banding.listed()).encode()).hexdigest()[:8]


@cache
def _picked(order: tuple[int, ...]) -> Callable[[str], tuple[str, ...]]:
    """What picks the bits of a code, written as noughts and ones, in this order."""
    return itemgetter(*order)


@cache
def _signs(terms: int) -> int:
    """How many signs tell so many terms apart."""
    count = 1
    while len(_FIRST) * len(_SYMBOLS) ** (count - 1) < terms:
        count += 1
    return count


@cache
def _masks(width: int, radius: int) -> tuple[int, ...]:
    """Every change of at most `radius` of `width` bits; none comes first."""
    return tuple(
        sum(1 << bit for bit in bits)
        for count in range(min(radius, width) + 1)
        for bits in combinations(range(width), count)
    )
