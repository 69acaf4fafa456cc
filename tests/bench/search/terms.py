"""Codes cut into bands of 16 bits that are indexed as terms, by hand: what the bands plan is to beat.

Two readings of one idea. Multi-index hashing: all 8 bands of a code, so that whatever differs by less than
8 (radius + 1) bits is certain to be found. ElasticHash (arXiv 2305.04710): a short code of 64 bits, 4 terms of 16 bits,
finds candidates, and the whole code ranks them; it keeps each term's neighbours in an index of their own and joins them
by a terms lookup, here the client lists them. Its short code is learnt from the long one's bits; those of this
collection are independent, so that any 64 are as good: the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from typing import Any

import numpy as np

from mappings.code import HashCode
from tests.bench.search.collection import Packed
from tests.bench.search.layouts import CODE, Layout, code_members

WIDTH = 16
FIELD = "terms"


@cache
def masks(radius: int) -> tuple[int, ...]:
    """What turns a band into itself and its neighbours up to `radius` bits: 1, 17 or 137 numbers."""
    turned = [bits for count in range(radius + 1) for bits in combinations(range(WIDTH), count)]
    return tuple(sum(1 << bit for bit in bits) for bits in turned)


def bands_of(code: HashCode, bands: int) -> list[int]:
    """The first `bands` bands of a code, as numbers."""
    found: list[int] = np.frombuffer(code.packed, ">u2")[:bands].tolist()
    return found


def term(band: int, value: int) -> str:
    """A letter for the band, then four hexadecimal digits."""
    return f"{'abcdefgh'[band]}{value:04x}"


def reached(code: HashCode, bands: int, radius: int) -> list[str]:
    """Terms of the records that differ from the code by at most `radius` bits in one of its bands."""
    return [term(band, value ^ mask) for band, value in enumerate(bands_of(code, bands)) for mask in masks(radius)]


def members(bands: int, codes: Packed) -> list[dict[str, Any]]:
    """The code as always, and its terms beside it."""
    pieces = codes.view(">u2")[:, :bands].tolist()
    said = [[term(band, value) for band, value in enumerate(row)] for row in pieces]
    return [{**member, FIELD: own} for member, own in zip(code_members(codes), said, strict=True)]


@dataclass(frozen=True, slots=True)
class Terms:
    """One of the two: its layout, and the query that finds candidates."""

    name: str
    bands: int

    @property
    def layout(self) -> Layout:
        """Postings alone: no doc values, norms or positions."""
        keyword = {"type": "keyword", "doc_values": False}
        return Layout(self.name, {**CODE.properties, FIELD: keyword}, partial(members, self.bands))

    def query(self, code: HashCode, radius: int) -> dict[str, Sequence[str]]:
        """A clause that finds candidates and scores nothing."""
        return {"terms": {FIELD: reached(code, self.bands, radius)}}


BY_HAND, ELASTIC_HASH = Terms("bands-by-hand", 8), Terms("elastichash", 4)
