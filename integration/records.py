"""A catalogue's document becomes what is encoded: its text and its pictures, as the target profile says."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import unescape
from typing import Any

from integration.pictures import PictureReference, from_isbn
from integration.sources.record import BibRecord
from mappings.errors import RecordError
from mappings.fields import MAX_PICTURES
from mappings.profile import MarcField, PictureField, TargetProfile

MAX_TEXT = 20_000  # characters; every backbone reads far less
_BLANK = re.compile(r"\s+")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


@dataclass(frozen=True, slots=True)
class Content:
    """What is encoded of one record. Raises nothing: a field that cannot be read is a `problem`."""

    text: str | None
    pictures: tuple[PictureReference, ...]
    problem: RecordError | None = None

    def digest(self, profile: TargetProfile, bundle_digest: str) -> str:
        """The `source` of a code: SHA-256 over text, picture references, the profile's SHA-256 and the bundle.

        A problem counts too: what cannot be read must not share the codes of what is not there.
        """
        pictures = [[reference.kind, reference.value] for reference in self.pictures]
        content = [self.text, pictures, profile.sha256, bundle_digest, *([str(self.problem)] if self.problem else [])]
        return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()


def read(document: dict[str, Any], profile: TargetProfile) -> Content:
    """Read `document` (a parsed `_source`) by `profile`."""
    record, problem = None, None
    try:
        record = marc_record(document, profile.marc) if profile.marc else None
        text = _text(document, profile, record)
    except RecordError as error:
        text, problem = None, error
    pictures = (reference for field in profile.pictures for reference in _pictures(document, field, record))
    unique = tuple(dict.fromkeys(pictures))[:MAX_PICTURES]
    return Content(text, unique, problem)


def values(document: Any, path: str) -> Iterator[Any]:
    """Every value at `path`; dots go into objects, and into each object of a list. A key with dots in it is met too."""
    for entry in _flat(document):
        if not isinstance(entry, dict):
            continue
        there = [place for place in _places(path) if place[0] in entry]
        if len(there) > 1:  # in the document's order
            there.sort(key=lambda place: list(entry).index(place[0]))
        for key, rest in there:
            yield from values(entry[key], rest) if rest else _flat(entry[key])


@cache
def _places(path: str) -> tuple[tuple[str, str], ...]:
    """Each key that may lead to `path`, and the path behind it: for a.b.c these are a, a.b and a.b.c."""
    names = path.split(".")
    return tuple((".".join(names[:n]), ".".join(names[n:])) for n in range(1, len(names) + 1))


def _flat(value: Any) -> Iterator[Any]:
    """What lists in lists hold, however deep they are nested: the engine takes them for one list, too."""
    if not isinstance(value, list):
        yield value
        return
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += reversed(value)
        else:
            yield value


def normalised(text: str) -> str:
    """NFC, control characters and lone surrogates out, blanks in one run made one; no more than `MAX_TEXT` is read."""
    text = text[:MAX_TEXT]
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)  # whose time may grow with the square
    if composed.isprintable():  # nearly always, and much faster to tell; its only blank is the space
        return " ".join(composed.split())
    kept = "".join(" " if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") else sign for sign in composed)
    return _BLANK.sub(" ", kept).strip()


def _text(document: dict[str, Any], profile: TargetProfile, record: BibRecord | None) -> str | None:
    parts = ["; ".join(lines(document, name, html=name in profile.html)) for name in profile.text]
    if record:
        parts.append(normalised(record.words))
    return ". ".join(part for part in parts if part)[:MAX_TEXT] or None


def lines(document: dict[str, Any], name: str, *, html: bool) -> list[str]:
    """What field `name` says, normalised, each value once; `html`: without its tags.

    Raises RecordError where an object lies there.
    """
    found: dict[str, None] = {}  # in order, each once
    room = MAX_TEXT
    for value in values(document, name):
        if isinstance(value, dict):
            raise RecordError(
                "text-unreadable", f"field {name} holds an object where text was expected; name its inner field"
            )
        if value is not None and room > 0:
            text = unescape(_TAG.sub(" ", str(value))) if html else str(value)
            room -= len(text)
            found[normalised(text)] = None
    return [text for text in found if text]


def marc_record(document: dict[str, Any], marc: MarcField) -> BibRecord | None:
    """The MARC record inside the document; None where there is none. Raises RecordError."""
    from integration.sources.inside import record_of  # a profile without MARC needs no MARC reader

    places = (marc.field, marc.array_field) if marc.array_field else (marc.field,)
    held = next(filter(None, (next(values(document, place), None) for place in places)), None)
    form = next(values(document, marc.format_field), None) if marc.format_field else None
    return record_of(held, form) if held else None


def _pictures(document: dict[str, Any], field: PictureField, record: BibRecord | None) -> Iterator[PictureReference]:
    for value in _named(document, field, record):
        if field.kind == "isbn":
            reference = from_isbn(str(field.template), value)
            if reference:
                yield reference
        elif value.strip():
            yield PictureReference(field.kind, value.strip())


def _named(document: dict[str, Any], field: PictureField, record: BibRecord | None) -> Iterator[str]:
    """What the profile's field, or place in the MARC record, says of pictures."""
    if field.field is None:
        yield from ((record.isbn if field.kind == "isbn" else record.picture_urls) if record else ())
        return
    for value in values(document, field.field):
        if isinstance(value, str):
            yield value
        elif field.kind == "isbn" and type(value) is int and value >= 10**6:  # a number has lost its leading zeros
            yield str(value).zfill(10)
