"""Bands: each code shares a band with every code that the pigeonhole principle promises."""

import json
import random

import numpy as np
import pytest

from mappings.bands import REACH, Banding, Reach, by_chance, field_name, fitting_order, fitting_width, space_mapping
from mappings.code import SUPPORTED_BITS, HashCode, codes_of
from mappings.errors import CodeLengthError
from mappings.fields import StoredCodes


def code(rng: random.Random, bits: int) -> HashCode:
    return HashCode(bits, rng.randbytes(bits // 8))


def changed(code: HashCode, bits: list[int]) -> HashCode:
    whole = int.from_bytes(code.packed)
    for bit in bits:
        whole ^= 1 << (code.bits - 1 - bit)
    return HashCode(code.bits, whole.to_bytes(code.bits // 8))


def test_a_hand_cut_code() -> None:
    """0xA5F0 in bands of 8 bits: 10100101 and 11110000; with the bits turned round, 00001111 and 10100101."""
    assert Banding(16, 8).values(HashCode(16, b"\xa5\xf0")) == [0b10100101, 0b11110000]
    assert Banding(16, 8, tuple(reversed(range(16)))).values(HashCode(16, b"\xa5\xf0")) == [0b00001111, 0b10100101]


def test_a_sixteenth_of_the_bits_are_bands() -> None:
    assert [(Banding(bits, 14).count, len(Banding(bits, 14).order)) for bits in (64, 128, 256)] == [
        (4, 56),
        (8, 112),
        (16, 224),
    ]
    assert [Banding(bits, 8).count for bits in SUPPORTED_BITS] == [2, 4, 4, 4, 6, 8, 12, 16, 32]


@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_what_a_document_holds_are_the_terms_of_radius_0(bits: int) -> None:
    rng = random.Random(bits)
    width = min(11, bits // 2)
    cut = Banding(bits, width, tuple(rng.sample(range(bits), bits // width * width)))
    for _ in range(20):
        one = code(rng, bits)
        assert cut.line(one).split(" ") == [band[0] for band in cut.terms(one, 2)]
        assert json.dumps(cut.line(one)) == f'"{cut.line(one)}"'


def test_no_two_bands_share_a_term_and_none_is_told_twice() -> None:
    cut = Banding(32, 8)
    every = [term for band in cut.terms(HashCode(32, bytes(4)), 8) for term in band]
    assert len(every) == len(set(every)) == 4 * 256


@pytest.mark.parametrize("width", [6, 8, 11, 14, 20])
def test_no_term_is_a_word_of_a_text(width: int) -> None:
    """It begins with a sign, and a band's terms are all of one length, of as few signs as there must be."""
    cut, rng = Banding(128, width), random.Random(width)
    terms = {term for _ in range(200) for term in cut.line(code(rng, 128)).split(" ")}
    assert not any(term[0].isalnum() for term in terms)
    [length] = {len(term) for term in terms}
    assert 26 * 88 ** (length - 2) < cut.count << width <= 26 * 88 ** (length - 1)


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_a_code_as_near_as_promised_shares_a_band(radius: int) -> None:
    rng = random.Random(radius)
    cut = Banding(64, 9, tuple(rng.sample(range(64), 54)))
    for _ in range(200):
        one = code(rng, 64)
        other = changed(one, rng.sample(range(64), cut.proven(Reach(radius))))
        stored = cut.line(other).split(" ")
        assert any(term in terms for term, terms in zip(stored, cut.terms(one, radius), strict=True))


def test_a_code_one_bit_farther_need_not() -> None:
    cut = Banding(32, 8)
    one = HashCode(32, bytes(4))
    spread = [0, 1, 8, 9, 16, 17, 24, 25]  # two bits in every band: one more than radius 1 promises
    assert len(spread) == cut.proven(Reach(1)) + 1
    stored = cut.line(changed(one, spread)).split(" ")
    assert not any(term in terms for term, terms in zip(stored, cut.terms(one, 1), strict=True))


@pytest.mark.parametrize("reach", [Reach(0, 2), Reach(1, 2), Reach(1, 3), Reach(2, 9)])
def test_a_code_as_near_as_promised_agrees_in_as_many_bands(reach: Reach) -> None:
    """Of the eight bands that there are, where more are asked for."""
    rng = random.Random(reach.agree)
    cut, agree = Banding(64, 8, tuple(rng.sample(range(64), 64))), min(reach.agree, 8)
    assert cut.proven(reach) == (8 - agree + 1) * (reach.radius + 1) - 1
    for _ in range(200):
        one = code(rng, 64)
        stored = cut.line(changed(one, rng.sample(range(64), cut.proven(reach)))).split(" ")
        near = [term in terms for term, terms in zip(stored, cut.terms(one, reach.radius), strict=True)]
        assert sum(near) >= agree


def test_members_name_their_banding() -> None:
    rng = random.Random(1)
    cut = Banding(16, 8)
    one, two, three = (code(rng, 16) for _ in range(3))
    members = cut.members(StoredCodes(one, ((0, two), (3, three)), None))
    assert members == {"t": cut.line(one), "i": [cut.line(two), cut.line(three)], "of": cut.name}
    assert cut.members(StoredCodes()) == {}
    assert Banding.read(cut.listed()) == cut
    assert Banding(16, 8, tuple(reversed(range(16)))).name != cut.name


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(CodeLengthError, match="a band of 5 bits came; expected 6 to 20 of 128"):
        Banding(128, 5)
    with pytest.raises(
        CodeLengthError, match="an order of 16 bits came; expected bits of 16, each once, in bands of 8"
    ):
        Banding(16, 8, (0,) * 16)
    with pytest.raises(CodeLengthError, match="a code of 16 bits came; the bands are cut from codes of 32 bits"):
        Banding(32, 8).values(HashCode(16, bytes(2)))


def test_the_width_follows_from_size_and_bits() -> None:
    """At a million: C(8, 2) * 10^6 * (106 / 2^14)^2 = 1172 is below 1,500; at 13 bits it is 3532."""
    assert [fitting_width(n, 128) for n in (0, 10_000, 100_000, 1_000_000, 10_000_000)] == [6, 10, 12, 14, 16]
    assert fitting_width(10**9, 16) == 16
    widths = [fitting_width(n, 256) for n in (10**3, 10**4, 10**5, 10**6)]
    assert widths == sorted(widths)


def test_what_is_found_by_chance_is_what_evenly_spread_codes_give() -> None:
    """All 2^16 codes of two bands of 8 bits, against one of them: 37 of 256 values are within two bits."""
    assert by_chance(16, 8, Reach(2, 2)) == pytest.approx((37 / 256) ** 2)
    assert by_chance(16, 8, Reach(2)) == pytest.approx(1 - (219 / 256) ** 2)
    assert by_chance(16, 16, REACH) == pytest.approx(137 / 2**16), "a code has one such band"


def test_the_order_parts_bits_that_say_the_same() -> None:
    """Eight bits, each twice: no band may hold both of a pair, or half of its values would never come."""
    rng = np.random.default_rng(3)
    free = rng.integers(0, 2, (2000, 8), dtype=np.uint8)
    packed = np.packbits(np.concatenate([free, free], axis=1), axis=1)
    order = fitting_order(packed, 8)
    assert sorted(bit % 8 for bit in order[:8]) == sorted(bit % 8 for bit in order[8:]) == list(range(8))
    plain, learnt = (
        len({cut.values(one)[0] for one in codes_of(packed)})
        for cut in (Banding(16, 8, (0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)), Banding(16, 8, order))
    )
    assert (plain, learnt > 240) == (16, True)


def test_the_mapping_holds_postings_alone() -> None:
    inner = space_mapping("s")["properties"]["_crosshatch"]["properties"]["s"]["properties"]
    assert inner["i"] == {"type": "text", "analyzer": "whitespace", "index_options": "docs", "norms": False}
    assert field_name("s", "image") == "_crosshatch.s.i"
