"""The words of a record as a reader would write them: no control characters, no cataloguing punctuation."""

import re
import unicodedata
from collections.abc import Iterable

# C0 and C1 controls (U+0098 and U+009C mark articles to be skipped in sorting), marks of writing direction, which
# MARC needs in its left-to-right fields and nobody after it, lone surrogates and non-characters.
_CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_SPACE = re.compile(r"\s+")
_ISBD_END = re.compile(r"[\s/:;=,]+$")
# A full stop stays after an initial (`Poe, Edgar A.`), a short abbreviation (`Jr.`, `etc.`) and dots of omission.
_STOP_STAYS = re.compile(r"(?:\b\w|\b[Jj]r|\b[Ss]r|\betc|\bInc|\bLtd|\bCo|\bed|\bv(?:ol)?|\.\.)\.$")
_YEAR = re.compile(r"(?<!\d)(1[0-9]{3}|20[0-9]{2})(?!\d)")
_ISBN = re.compile(r"(?<![0-9])(97[89][- ]?(?:[0-9][- ]?){9}[0-9]|(?:[0-9][- ]?){9}[0-9Xx])(?![0-9])")


def clean(text: str) -> str:
    """NFC, one space between words, without control characters and lone surrogates."""
    return _SPACE.sub(" ", unicodedata.normalize("NFC", _CONTROL.sub("", text))).strip()


def plain(text: str) -> str:
    """`clean`, without the ISBD punctuation that leads over to the next element and without the closing full stop."""
    text = _ISBD_END.sub("", clean(text))
    return text if not text.endswith(".") or _STOP_STAYS.search(text) else text[:-1].rstrip()


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts that are not empty, each once, in the order they came."""
    return tuple(dict.fromkeys(text for text in texts if text))


def year(statement: str) -> str | None:
    """The first year from 1000 to 2099 in a date statement (`c1851.` -> `1851`)."""
    found = _YEAR.search(statement)
    return found[1] if found else None


def isbns(text: str) -> tuple[str, ...]:
    """The ISBNs of 10 or 13 digits in `text`, without hyphens; the check digit is not looked at."""
    return distinct(re.sub("[- ]", "", found).upper() for found in _ISBN.findall(text))
