"""What a record says of its pictures, before anything is read."""

import re
from dataclasses import dataclass
from typing import Literal

_ISBN = re.compile(r"[0-9](?:[ -]?[0-9]){12}(?![0-9])|[0-9](?:[ -]?[0-9]){8}[ -]?[0-9Xx](?![0-9])")


@dataclass(frozen=True, slots=True)
class PictureReference:
    """One picture of a record: a URL, a path under the picture roots, or the picture itself in base64. Untrusted."""

    kind: Literal["url", "file", "base64"]
    value: str


def from_isbn(template: str, isbn: str) -> PictureReference | None:
    """The cover of a book: `template`, a URL, with its `{isbn}` filled in by the 13 digits.

    `isbn` is a catalogue's field, of old or new form: hyphens, spaces and words around the number are left out.
    None where it holds no ISBN with a right check digit.
    """
    for found in _ISBN.finditer(isbn):
        digits = isbn13(found[0])
        if digits is not None:
            return PictureReference("url", template.replace("{isbn}", digits))
    return None


def isbn13(isbn: str) -> str | None:
    """The 13 digits of an ISBN-10 or ISBN-13, hyphens and spaces allowed; None where the check digit is wrong."""
    digits = isbn.replace("-", "").replace(" ", "").upper()
    if len(digits) == 10 and _check10(digits[:9]) == digits[9]:
        return f"978{digits[:9]}{_check13('978' + digits[:9])}"
    if len(digits) == 13 and digits[:3] in ("978", "979") and _check13(digits[:12]) == digits[12]:
        return digits
    return None


def _check10(nine: str) -> str:
    """Weights 10 down to 2, sum to a multiple of 11; ten is written X (ISO 2108:1992)."""
    rest = -sum((10 - place) * int(digit) for place, digit in enumerate(nine)) % 11
    return "X" if rest == 10 else str(rest)


def _check13(twelve: str) -> str:
    """Weights 1 and 3 in turn, sum to a multiple of 10 (ISO 2108:2005)."""
    return str(-sum((1, 3)[place % 2] * int(digit) for place, digit in enumerate(twelve)) % 10)
