"""Bits and bytes: the fast ways against slow ones, and every error word for word."""

import random

import numpy as np
import pytest

from mappings.code import SUPPORTED_BITS, HashCode, check_bits, codes_of, distances, pack_signs
from mappings.errors import CodeLengthError

LENGTHS = pytest.mark.parametrize("bits", SUPPORTED_BITS)


def relaxed(bits: int, rows: int = 12) -> np.ndarray:
    """Values around zero, with exact zeros, minus zeros, NaN and infinities among them."""
    values = np.random.default_rng(bits).normal(size=(rows, bits)).astype(np.float32)
    odd = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45], dtype=np.float32)
    values[:, :7] = odd
    return values


def slow_distance(one: bytes, two: bytes) -> int:
    """Bit by bit."""
    return sum((a >> bit & 1) != (b >> bit & 1) for a, b in zip(one, two, strict=True) for bit in range(8))


def test_bit_0_is_the_highest_of_byte_0() -> None:
    assert HashCode.from_signs([1.0] + [-1.0] * 15).hex() == "8000"
    assert HashCode.from_signs([0.0] * 15 + [0.1]).hex() == "0001"
    assert HashCode.from_signs([-1, 2, 0, 4, 5, -6, 7, 8] * 2).packed == bytes([0b01011011] * 2)


@LENGTHS
def test_one_by_one_and_in_a_batch_give_the_same_code(bits: int) -> None:
    values = relaxed(bits)
    packed = pack_signs(values)
    assert (packed.shape, packed.dtype) == ((12, bits // 8), np.uint8)
    assert codes_of(packed) == [HashCode.from_signs(row.tolist()) for row in values]
    assert codes_of(packed[:0]) == []


@LENGTHS
def test_distances_against_a_slow_twin(bits: int) -> None:
    queries, database = pack_signs(relaxed(bits, 3)), pack_signs(-relaxed(bits, 5))
    measured = distances(queries, database)
    assert (measured.shape, measured.dtype) == ((3, 5), np.uint16)
    slow = [[slow_distance(q.tobytes(), d.tobytes()) for d in database] for q in queries]
    assert measured.tolist() == slow
    objects = [[q.distance(d) for d in codes_of(database)] for q in codes_of(queries)]
    assert objects == slow


@LENGTHS
def test_the_farthest_codes_are_all_bits_apart(bits: int) -> None:
    none, all_ = HashCode(bits, bytes(bits // 8)), HashCode(bits, b"\xff" * (bits // 8))
    assert (none.distance(all_), all_.distance(none), all_.distance(all_)) == (bits, bits, 0)
    assert distances(*(np.frombuffer(c.packed, np.uint8)[None] for c in (none, all_))).tolist() == [[bits]]


@LENGTHS
def test_base64_and_back(bits: int) -> None:
    code = HashCode(bits, random.Random(bits).randbytes(bits // 8))
    assert HashCode.from_base64(code.base64()) == code
    assert bytes.fromhex(code.hex()) == code.packed
    assert check_bits(bits) == bits


@pytest.mark.parametrize("text", ["abc", "ab cd===", "äöüß", "a\nb=", "\ud800abc", "=" * 8, "AAAA\0AAA", "-_-_"])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(CodeLengthError) as raised:
        HashCode.from_base64(text)
    assert str(raised.value) == f"a code must be base64; {text!r} came"


def test_a_long_value_is_not_repeated_whole() -> None:
    with pytest.raises(CodeLengthError) as raised:
        HashCode.from_base64("!" * 1000)
    assert str(raised.value) == f"a code must be base64; {'!' * 40!r} came"


def test_errors_say_what_came() -> None:
    with pytest.raises(CodeLengthError) as length:
        HashCode(16, b"abc")
    assert str(length.value) == "3 bytes came for a code of 16 bits; expected 2"
    with pytest.raises(CodeLengthError) as odd:
        HashCode.from_signs([1.0] * 12)
    assert str(odd.value) == "2 bytes came for a code of 12 bits; expected 1.5"
    with pytest.raises(CodeLengthError) as two:
        HashCode(16, b"ab").distance(HashCode(32, b"abcd"))
    assert str(two.value) == "cannot compare a 16-bit code with a 32-bit code"
    with pytest.raises(CodeLengthError) as batch:
        distances(np.zeros((1, 2), np.uint8), np.zeros((1, 4), np.uint8))
    assert str(batch.value) == "cannot compare 16-bit codes with 32-bit codes"


@pytest.mark.parametrize("bits", [0, 8, 17, 100, 1024, -16])
def test_other_lengths_are_refused(bits: int) -> None:
    with pytest.raises(CodeLengthError) as raised:
        check_bits(bits)
    assert str(raised.value) == (
        f"codes of {bits} bits are not supported; use one of 16, 32, 48, 64, 96, 128, 192, 256, 512"
    )
    if bits > 0:
        with pytest.raises(CodeLengthError, match="not supported"):
            pack_signs(np.zeros((1, bits)))
