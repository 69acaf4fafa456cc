"""A request's body: bytes and headers to a tree, and a changed tree back to bytes of the same form.

Forms: JSON, CBOR and SMILE, plain, gzip or deflate. YAML, and whatever cannot be read with certainty, is `None`: such
a body passes through untouched, and the engine says what it thinks of it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from integration.gateway import cbor, json_text, packing, smile, smile_writer
from integration.gateway.trees import MEMBERS, Unreadable

LINES = 20_000  # of a multi-search that is decoded
SMILE_LINES = 1_000_000  # bytes of such a one in SMILE, whose values cannot be counted beforehand
LIMIT = 10_000_000  # bytes of a body that is decoded, after unpacking; a search is a few thousand
Headers = Iterable[tuple[bytes, bytes]]
JSON, CBOR, SMILE = "json", "cbor", "smile"
_READERS = {JSON: json_text.loads, CBOR: cbor.loads, SMILE: smile.loads}
_WRITERS = {JSON: json_text.dumps, CBOR: cbor.dumps, SMILE: smile_writer.dumps}
_SEPARATORS = {JSON: b"\n", SMILE: smile.END}  # between the lines of _bulk and _msearch; CBOR has none
# application/vnd.elasticsearch+json is what Elasticsearch's clients of version 8 say
_MEDIA = re.compile(rb"application/(?:vnd\.[a-z]+\+)?(x-ndjson|json|cbor|smile)\Z")


@dataclass(frozen=True, slots=True)
class Form:
    """How a body is written: `media` is json, cbor or smile; `packing` how it was packed, empty where it was not."""

    media: str
    packing: str = ""

    def encode(self, tree: Any) -> bytes:
        """`tree` in this form, packed as the body was. Raises Unreadable for what the form cannot say."""
        return packing.pack(_WRITERS[self.media](tree), self.packing)


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was decoded. `plain` are its bytes unpacked."""

    tree: Any
    form: Form
    plain: bytes

    def encode(self, tree: Any) -> bytes:
        """`tree` as this body was written. Raises Unreadable for what the form cannot say."""
        return self.form.encode(tree)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bulk or multi-search body: its own bytes, without the separator."""

    raw: bytes
    media: str

    def tree(self) -> Any:
        """What it says; None for an empty line. Raises Unreadable."""
        return _READERS[self.media](self.raw) if self.raw.strip(b" \t\r\n") else None


@dataclass(frozen=True, slots=True)
class Lines:
    """A body of lines. `ended` tells whether the last one had its separator."""

    lines: Sequence[Line]
    form: Form
    ended: bool

    def encode(self, changed: dict[int, Any]) -> bytes:
        """The body with the lines of these numbers replaced by trees; every other goes out byte for byte."""
        separator = _SEPARATORS[self.form.media]
        write = _WRITERS[self.form.media]
        parts = [write(changed[at]) if at in changed else line.raw for at, line in enumerate(self.lines)]
        return packing.pack(separator.join(parts) + (separator if self.ended else b""), self.form.packing)


def form_of(headers: Headers) -> Form | None:
    """The form that the headers name; None where they name none that we read, or two."""
    types = [value for name, value in headers if name.lower() == b"content-type"]
    packed = [value for name, value in headers if name.lower() == b"content-encoding"]
    match = _MEDIA.match(types[0].partition(b";")[0].strip().lower()) if len(types) == 1 else None
    how = packing.named(packed[0]) if len(packed) == 1 else "" if not packed else None
    if match is None or how is None:
        return None
    media = match[1].decode()
    return Form(JSON if media == "x-ndjson" else media, how)


def unpacked(raw: bytes, headers: Headers, *, limit: int = LIMIT) -> tuple[bytes, Form] | None:
    """The body unpacked, and its form: cheap, so that a word can be looked for before anything is decoded."""
    form = form_of(headers)
    try:
        return (packing.unpack(raw, form.packing, limit), form) if form else None
    except Unreadable:
        return None


def decode(raw: bytes, headers: Headers, *, limit: int = LIMIT, members: int = MEMBERS) -> Body | None:
    """The body, decoded; None where that cannot be done with certainty, or where it has more than `members` values."""
    headers = list(headers)
    if (found := unpacked(raw, headers, limit=limit)) is None:
        return None
    plain, form = found
    try:
        return Body(_READERS[form.media](plain, members), form, plain)
    except Unreadable:
        return None


def decode_lines(raw: bytes, headers: Headers, *, limit: int = LIMIT) -> Lines | None:
    """The lines of a bulk or multi-search body, none of them decoded yet; None as `decode`."""
    headers = list(headers)
    if (found := unpacked(raw, headers, limit=limit)) is None or found[1].media not in _SEPARATORS:
        return None
    plain, form = found
    if (form.media == SMILE and len(plain) > SMILE_LINES) or (form.media == JSON and json_text.signs(plain) > MEMBERS):
        return None
    if plain.count(_SEPARATORS[form.media]) > LINES:
        return None
    parts = plain.split(_SEPARATORS[form.media])
    ended = not parts[-1]
    return Lines([Line(part, form.media) for part in (parts[:-1] if ended else parts)], form, ended)


def may_say(plain: bytes, word: str, media: str) -> bool:
    """Whether a body may hold `word`, an ASCII one, as a name: False is certain, and costs no decoding."""
    if word.encode() in plain:
        return True
    if media == JSON:
        return b"\\u00" in plain  # an escaped letter
    return media == CBOR and b"\x7f" in plain  # a text in pieces
