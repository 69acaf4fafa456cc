"""Put our object into a document's raw JSON and leave every other byte as it is.

A JSON round trip would turn 813.50 into 813.5 and 1E2 into 100.0, and call-number search would break: so the document
is scanned for the span of our member, and only that span is written.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from json.decoder import JSONDecoder
from typing import Any

from mappings.errors import DataError
from mappings.fields import OBJECT, PARTS

_BLANKS = frozenset(" \t\n\r")
_SPACE = re.compile(r"[ \t\n\r]*")
# numbers stay text: a 10,000-digit integer costs nothing and cannot overflow
_DECODER = JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


@dataclass(frozen=True, slots=True)
class Member:
    """Our member in a document's text: from the comma or brace before it to the end of its value."""

    start: int
    end: int
    value: Any
    first: bool


def put(source: bytes, space: str, members: Mapping[str, Any] | None) -> bytes:
    """The document `source` with our object's `space` set to `members`, or taken out where `members` is None.

    Other spaces, and members of this space that are not among `REPLACED`, stay. An object that becomes empty is
    taken out with its comma, so that attach and detach leave the bytes that were there. Raises DataError where
    `source` is no JSON object, or where our member is no object: then it is somebody else's.
    """
    text, end, member, empty = _scan(source)
    if member and _is_foreign(member):
        raise DataError(
            f"a document has a member {OBJECT!r} that is not ours (a {type(member.value).__name__}); rename it there"
        )
    ours = dict(member.value or {}) if member else {}
    if members is None:
        ours.pop(space, None)
    else:
        kept = ours.get(space)
        known = kept if isinstance(kept, dict) else {}
        ours[space] = {k: v for k, v in known.items() if k not in REPLACED} | dict(members)
    return _written(text, end, member, empty, ours).encode("utf-8", "surrogatepass")


def take_out(source: bytes) -> bytes:
    """The document `source` without our object, but for what somebody else put into it, which no space looks like.

    Raises DataError as `put`, but for no member.
    """
    text, end, member, empty = _scan(source)
    if member is None or _is_foreign(member):
        return source
    foreign = {name: entry for name, entry in (member.value or {}).items() if not _is_space(entry)}
    if foreign and foreign == member.value:
        return source
    return _written(text, end, member, empty, foreign).encode("utf-8", "surrogatepass")


def without(source: bytes, space: str) -> bytes:
    """The document `source` without `space` of our object; not a byte changes where there is none. Errors as `put`."""
    member = _scan(source)[2]
    holds = member is not None and isinstance(member.value, dict) and space in member.value
    return put(source, space, None) if holds else source


def _is_foreign(member: Member) -> bool:
    return not isinstance(member.value, dict | None)


def _is_space(entry: Any) -> bool:
    return isinstance(entry, dict) and (not entry or "source" in entry)


REPLACED = (*PARTS, "source")
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _written(text: str, end: int, member: Member | None, empty: bool, ours: dict[str, Any]) -> str:
    value = _compact(ours) if ours else ""
    if member is None:
        return text if not ours else f'{text[:end]}{"" if empty else ","}"{OBJECT}":{value}{text[end:]}'
    if ours:
        lead = "" if member.first else ","
        return f'{text[: member.start]}{lead}"{OBJECT}":{value}{text[member.end :]}'
    if not member.first:
        return text[: member.start] + text[member.end :]
    # ours came first: the comma behind it goes too
    after = _skip(text, member.end)
    return text[: member.start] + (text[after + 1 :] if text[after] == "," else text[member.end :])


def _scan(source: bytes) -> tuple[str, int, Member | None, bool]:
    """The text, where a new member goes, our member if there is one, and whether the object has no member at all."""
    try:
        text = source.decode("utf-8", "surrogatepass")
        return text, *(_bounds(text) if _cannot_hold_ours(text) else _members(text))
    except (ValueError, IndexError, RecursionError) as error:
        raise DataError(f"a document is no JSON object that can be read: {error}") from error


def _cannot_hold_ours(text: str) -> bool:
    """Whether no key can be ours: neither its name nor an escape of an ASCII letter stands anywhere."""
    return OBJECT not in text and "\\u00" not in text


def _bounds(text: str) -> tuple[int, None, bool]:
    """Where a member goes in an object that has none of ours: nothing between the braces needs reading."""
    start, end = _skip(text, 0), len(text.rstrip(" \t\n\r")) - 1
    if end <= start or text[start] != "{" or text[end] != "}":
        raise ValueError(f"it starts with {text[:1]!r} and ends with {text[-1:]!r}")
    empty = _skip(text, start + 1) == end
    return start + 1 if empty else end, None, empty  # in `{ }` before the blank, where taking out will leave it


def _members(text: str) -> tuple[int, Member | None, bool]:
    at = _skip(text, 0)
    if text[at] != "{":
        raise ValueError(f"it starts with {text[at]!r}")
    found: Member | None = None
    start = at + 1
    at = _skip(text, start)
    first = True
    while True:
        if text[at] != '"':
            raise ValueError(f"a key was expected at character {at}")
        key, after = _DECODER.raw_decode(text, at)
        colon = _skip(text, after)
        if text[colon] != ":":
            raise ValueError(f"a colon was expected at character {colon}")
        begin = _skip(text, colon + 1)
        end = _DECODER.raw_decode(text, begin)[1]
        if key == OBJECT:
            if found:
                raise ValueError(f"it has the key {OBJECT!r} twice")
            found = Member(start, end, json.loads(text[begin:end]), first)
        at = _skip(text, end)
        if text[at] == "}":
            if _skip(text, at + 1) < len(text):
                raise ValueError(f"something follows it at character {at + 1}")
            return at, found, False
        if text[at] != ",":
            raise ValueError(f"a comma was expected at character {at}")
        start, first = at, False
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    if text[at : at + 1] not in _BLANKS:  # between members there is mostly none
        return at
    match = _SPACE.match(text, at)
    return match.end() if match else at
