"""Binary hash codes: the one place that knows how bits become bytes."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mappings.errors import CodeLengthError

SUPPORTED_BITS = (16, 32, 48, 64, 96, 128, 192, 256, 512)


def check_bits(bits: int) -> int:
    """Return `bits` if codes of this length are supported. Raises CodeLengthError."""
    if bits not in SUPPORTED_BITS:
        known = ", ".join(map(str, SUPPORTED_BITS))
        raise CodeLengthError(f"codes of {bits} bits are not supported; use one of {known}")
    return bits


@dataclass(frozen=True, slots=True)
class HashCode:
    """A binary code. Bit 0 is the highest bit of byte 0 (`numpy.packbits` order); `packed` has `bits / 8` bytes."""

    bits: int
    packed: bytes

    def __post_init__(self) -> None:
        if len(self.packed) * 8 != self.bits:
            raise CodeLengthError(
                f"{len(self.packed)} bytes came for a code of {self.bits} bits; expected {self.bits / 8:g}"
            )

    @classmethod
    def from_signs(cls, relaxed: Sequence[float]) -> Self:
        """Bit i is 1 where relaxed[i] > 0; an exact zero counts as 0. `pack_signs` does the same for a batch."""
        ones = "".join("1" if x > 0 else "0" for x in relaxed)
        size = (len(ones) + 7) // 8
        return cls(len(ones), int(ones.ljust(size * 8, "0") or "0", 2).to_bytes(size))

    @classmethod
    def from_base64(cls, text: str) -> Self:
        """Read a code as OpenSearch stores it. Raises CodeLengthError where `text` is no base64."""
        try:
            packed = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise CodeLengthError(f"a code must be base64; {text[:40]!r} came") from error
        return cls(len(packed) * 8, packed)

    def base64(self) -> str:
        """The code as OpenSearch stores it in a `binary` field."""
        return base64.b64encode(self.packed).decode()

    def hex(self) -> str:
        """The code in hexadecimal, two digits a byte."""
        return self.packed.hex()

    def distance(self, other: Self) -> int:
        """Hamming distance in bits. Raises CodeLengthError for codes of different length."""
        if self.bits != other.bits:
            raise CodeLengthError(f"cannot compare a {self.bits}-bit code with a {other.bits}-bit code")
        return (int.from_bytes(self.packed) ^ int.from_bytes(other.packed)).bit_count()


def pack_signs(relaxed: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Pack a batch: float [n, bits] -> uint8 [n, bits / 8]; bit 1 where the value is > 0."""
    check_bits(relaxed.shape[1])
    return np.packbits(relaxed > 0, axis=1)


def codes_of(packed: NDArray[np.uint8]) -> list[HashCode]:
    """The value objects of a packed batch: uint8 [n, bits / 8] -> n codes."""
    return [HashCode(row.size * 8, row.tobytes()) for row in packed]


def distances(queries: NDArray[np.uint8], database: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Hamming distances in bits: uint8 [q, b], uint8 [n, b] -> uint16 [q, n]. Raises CodeLengthError."""
    if queries.shape[1] != database.shape[1]:
        raise CodeLengthError(f"cannot compare {queries.shape[1] * 8}-bit codes with {database.shape[1] * 8}-bit codes")
    return _counted(np.bitwise_xor, queries, database)


def shared_bits(queries: NDArray[np.uint8], database: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """How many bits are 1 in both: uint8 [q, b], uint8 [n, b] -> uint16 [q, n]."""
    return _counted(np.bitwise_and, queries, database)


def _counted(combined: np.ufunc, queries: NDArray[np.uint8], database: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The 1 bits of every query combined with every row, counted in words of 64 bits, one row of words at a time.

    A byte holds the count of three words, and bytes are the fastest to add up.
    """
    columns = np.ascontiguousarray(_words(database).T)
    result = np.empty((len(queries), len(database)), dtype=np.uint16)
    both = np.empty(len(database), dtype=np.uint64)
    ones, part = np.empty(len(database), dtype=np.uint8), np.empty(len(database), dtype=np.uint8)
    for row, query in zip(result, _words(queries), strict=True):
        row[:] = 0
        for start in range(0, len(columns), 3):
            part[:] = 0
            for word, column in zip(query[start : start + 3], columns[start : start + 3], strict=True):
                combined(word, column, out=both)
                part += np.bitwise_count(both, out=ones)
            row += part
    return result


def _words(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Rows of bytes as words of 64 bits, the last one filled up with zeros: [n, b] -> [n, ceil(b / 8)]."""
    spare = -packed.shape[1] % 8
    padded = np.pad(packed, ((0, 0), (0, spare))) if spare else packed
    return np.ascontiguousarray(padded).view(np.uint64)
