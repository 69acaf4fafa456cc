"""Weights of a query's bits: how they are made, carried and written for the scripts."""

import math
import random

import pytest

from mappings.code import SUPPORTED_BITS, HashCode
from mappings.errors import CodeLengthError
from mappings.scripts import Pair, score_script
from mappings.weighted import WeightedCode

FLOATS = [0.5, -0.25, 0.1, -0.01] * 4  # the bits are 1010 four times, the weights 15, 7.5, 3 and 0.3
CODE = WeightedCode(16, b"\xaa\xaa", bytes([15, 8, 3, 0] * 4))


def unsigned(words: list[int]) -> str:
    return "".join(f"{word & (1 << 64) - 1:064b}" for word in words)


def test_weights_are_the_sizes_of_what_the_signs_were_taken_of() -> None:
    made = WeightedCode.from_floats(FLOATS)
    assert made == CODE
    assert HashCode.from_signs(FLOATS) == CODE.bare


def test_a_code_of_nothing_has_no_weights() -> None:
    assert WeightedCode.from_floats([0.0] * 16) == HashCode(16, bytes(2))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(
        CodeLengthError, match=r"^a code's projections are not all finite; the encoder's weights or inp"
    ):
        WeightedCode.from_floats([*FLOATS[:-1], wrong])


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (bytes([1] * 15), "15 weights came for a code of 16 bits; expected one for each bit"),
        (b"", "0 weights came for a code of 16 bits; expected one for each bit"),
        (bytes(16), "the largest weight of a bit is 0; expected weights of 0 to 15, not all 0"),
        (bytes([16] * 16), "the largest weight of a bit is 16; expected weights of 0 to 15, not all 0"),
    ],
)
def test_weights_of_another_form_are_refused(weights: bytes, told: str) -> None:
    with pytest.raises(CodeLengthError) as refused:
        WeightedCode(16, b"\xaa\xaa", weights)
    assert str(refused.value) == told


def test_messages_carry_weights_as_base64() -> None:
    assert WeightedCode.weighing(CODE.bare, CODE.weights_base64()) == CODE
    with pytest.raises(CodeLengthError, match=r"^weights must be base64; '-1, 2' came$"):
        WeightedCode.weighing(CODE.bare, "-1, 2")


@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_planes_hold_the_bits_of_the_weights(bits: int) -> None:
    rng = random.Random(bits)
    code = WeightedCode(bits, rng.randbytes(bits // 8), bytes(rng.choices(range(16), k=bits)))
    planes = [unsigned(plane) for plane in code.param()["planes"]]
    assert [len(plane) for plane in planes] == [-(-bits // 64) * 64] * 4
    held = [sum(int(plane[at]) << k for k, plane in enumerate(planes)) for at in range(len(planes[0]))]
    assert held == [*code.weights, *[0] * (len(held) - bits)]


@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_distances_have_the_mean_and_the_variance_of_evenly_spread_bits(bits: int) -> None:
    """Each bit differs with one chance in two, so the sum of w has mean sum(w) / 2 and variance sum(w * w) / 4."""
    rng = random.Random(bits)
    code = WeightedCode(bits, rng.randbytes(bits // 8), bytes([15, *rng.choices(range(16), k=bits - 1)]))
    assert code.floor + code.unit * sum(code.weights) / 2 == pytest.approx(bits / 2)
    assert code.unit**2 * sum(w * w for w in code.weights) / 4 == pytest.approx(bits / 4)
    assert 0 <= code.floor <= code.floor + code.unit * sum(code.weights) <= bits + 1e-9


def test_equal_weights_are_hamming_distances() -> None:
    code = WeightedCode(16, b"\xaa\xaa", bytes([7] * 16))
    assert (7 * code.unit, code.floor) == pytest.approx((1, 0))


def test_the_scripts_get_weights_only_of_codes_that_have_some() -> None:
    table = tuple(1 - d / 16 for d in range(17))
    [weighted], [bare] = (
        score_script([Pair("s", "text", code, table)], weight=1, saturation=8)["params"]["pairs"]
        for code in (CODE, CODE.bare)
    )
    assert weighted == {**bare, "bit_weights": CODE.param()}


def test_what_is_farther_is_no_more_similar_than_this() -> None:
    table = (1.0, 0.8, 0.2, *[0.0] * 14)
    pair = Pair("s", "text", CODE, table)
    assert [pair.most_similar(d) for d in (0, 1, 1.5, 2, 16)] == pytest.approx([1.0, 0.8, 0.5, 0.2, 0.0])
    rising = Pair("s", "text", CODE, (*table[:-1], 0.6))
    assert [rising.most_similar(d) for d in (0, 1.5, 16)] == pytest.approx([1.0, 0.6, 0.6])
