"""Words find pictures and pictures find words, on drawings that no training saw."""

from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.api import Codes, Item
from encoders.loading import HashEncoder
from mappings.code import HashCode, distances

COUNT = 80  # of the demo's drawings, evenly from the list; each takes 0.1 s


@pytest.fixture(scope="module")
def codes(encoder: HashEncoder) -> list[Codes]:
    drawings = pytest.importorskip("integration.demo.drawings")
    hexcodes = drawings.hexcodes()
    chosen = hexcodes[:: max(1, len(hexcodes) // COUNT)][:COUNT]
    return encoder.encode([Item(_name(drawings, code), (drawings.svg(code).encode(),)) for code in chosen])


def _name(drawings: ModuleType, hexcode: str) -> str:
    names: dict[str, str] = drawings.names(hexcode)
    return names["en"]


def packed(codes: list[HashCode | None]) -> NDArray[np.uint8]:
    return np.stack([np.frombuffer(code.packed, dtype=np.uint8) for code in codes if code])


def ranks(queries: NDArray[np.uint8], stored: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How many stand before each query's own partner, ties counting half."""
    apart = distances(queries, stored)
    own = np.diag(apart)[:, None]
    return np.asarray((apart < own).sum(axis=1) + ((apart == own).sum(axis=1) - 1) / 2)


def test_words_find_pictures_and_pictures_find_words(codes: list[Codes]) -> None:
    text, image = packed([c.text for c in codes]), packed([c.image[0] for c in codes])
    assert len(text) == len(image) == COUNT
    for found in (ranks(text, image), ranks(image, text)):
        assert np.median(found) < COUNT / 4  # chance: half
        assert (found < 10).mean() > 0.25  # chance: one in eight


def test_a_record_is_near_its_own_words_and_its_own_picture(codes: list[Codes]) -> None:
    record = packed([c.record for c in codes])
    assert (ranks(packed([c.text for c in codes]), record) < 1).mean() > 0.8
    assert (ranks(packed([c.image[0] for c in codes]), record) < 1).mean() > 0.8
