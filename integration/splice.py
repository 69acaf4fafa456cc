"""Put our objects into a document's raw JSON and leave every other byte as it is.

There are two: `crosshatch` with the codes and, where a space has bands or vectors, `_crosshatch` with these. A JSON
round trip would turn 813.50 into 813.5 and 1E2 into 100.0, and call-number search would break: so the document is
scanned for the span of our member, and only that span is written.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from json.decoder import JSONDecoder
from typing import Any

from mappings.bands import MEMBERS, OF
from mappings.bands import OBJECT as BESIDE
from mappings.errors import DataError
from mappings.fields import OBJECT, PARTS
from mappings.vectors import NAMES

_UNREADABLE = "a document is no JSON object that can be read"
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


def put(source: bytes, space: str, members: Mapping[str, Any] | None, beside: Mapping[str, Any] | None = None) -> bytes:
    """The document `source` with `space` of our objects set to `members` and `beside`, or taken out where None.

    Other spaces, and members of this space that are not among `REPLACED`, stay. An object that becomes empty is
    taken out with its comma, so that attach and detach leave the bytes that were there. Raises DataError where
    `source` is no JSON object, or where our member is no object: then it is somebody else's.
    """
    text = _text(source)
    if beside is None:  # first, as it was put last: so the blanks of `{ }` come out where they were
        text = _without(text, space, REPLACED[BESIDE])
    text = _set(text, OBJECT, space, members)
    return _bytes(text if beside is None else _set(text, BESIDE, space, beside))


def take_out(source: bytes) -> bytes:
    """The document `source` without our objects, but for what somebody else put into them, which no space looks like.

    Raises DataError as `put`, but for no member.
    """
    return _bytes(_emptied(_emptied(_text(source), BESIDE, is_beside), OBJECT, _is_space))


def without(source: bytes, space: str) -> bytes:
    """The document `source` without `space` of our objects; not a byte changes where there is none. Errors as `put`."""
    text = _unset(_text(source), BESIDE, space, is_beside)
    return _bytes(_unset(text, OBJECT, space, lambda _: True))


def without_beside(source: bytes, space: str, names: Collection[str]) -> bytes:
    """The document `source` without these members that lie beside the codes of `space`: its bands, or its vectors.

    Not a byte changes where there are none. Errors as `put`.
    """
    return _bytes(_without(_text(source), space, names))


def is_beside(entry: Any) -> bool:
    """Whether an entry of the second object is ours: bands name their banding, vectors are known by their names."""
    return isinstance(entry, dict) and not entry.keys().isdisjoint((OF, *NAMES))


def _without(text: str, space: str, names: Collection[str]) -> str:
    end, member, empty = _scan(text, BESIDE)
    if member is None or not isinstance(member.value, dict) or not is_beside(member.value.get(space)):
        return text
    rest = {name: value for name, value in member.value[space].items() if name not in names}
    if len(rest) == len(member.value[space]):
        return text
    ours = {other: entry for other, entry in member.value.items() if other != space} | ({space: rest} if rest else {})
    return _written(text, BESIDE, end, member, empty, ours)


def _is_space(entry: Any) -> bool:
    return isinstance(entry, dict) and (not entry or "source" in entry)


def _set(text: str, name: str, space: str, members: Mapping[str, Any] | None) -> str:
    """`text` with the entry `space` of our object `name`; members of it that are not among `REPLACED` stay."""
    end, member, empty = _scan(text, name)
    if member and _is_foreign(member):
        raise DataError(
            f"a document has a member {name!r} that is not ours (a {type(member.value).__name__}); rename it there"
        )
    ours = dict(member.value or {}) if member else {}
    if members is None:
        ours.pop(space, None)
    else:
        kept = ours.get(space)
        known = kept if isinstance(kept, dict) else {}
        ours[space] = {k: v for k, v in known.items() if k not in REPLACED[name]} | dict(members)
    return _written(text, name, end, member, empty, ours)


def _unset(text: str, name: str, space: str, is_ours: Callable[[Any], bool]) -> str:
    """`text` without the entry `space` of our object `name`, where there is one and it is ours."""
    end, member, empty = _scan(text, name)
    if member is None or not isinstance(member.value, dict) or not is_ours(member.value.get(space)):
        return text
    ours = {other: entry for other, entry in member.value.items() if other != space}
    return text if len(ours) == len(member.value) else _written(text, name, end, member, empty, ours)


def _emptied(text: str, name: str, is_ours: Callable[[Any], bool]) -> str:
    """`text` without the entries of our object `name` that are ours."""
    end, member, empty = _scan(text, name)
    if member is None or _is_foreign(member) or (name == BESIDE and not member.value):
        return text
    foreign = {other: entry for other, entry in (member.value or {}).items() if not is_ours(entry)}
    if foreign and foreign == member.value:
        return text
    return _written(text, name, end, member, empty, foreign)


def _is_foreign(member: Member) -> bool:
    return not isinstance(member.value, dict | None)


REPLACED = {OBJECT: (*PARTS, "source"), BESIDE: (*MEMBERS, *NAMES)}
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _written(text: str, name: str, end: int, member: Member | None, empty: bool, ours: dict[str, Any]) -> str:
    value = _compact(ours) if ours else ""
    if member is None:
        return text if not ours else f'{text[:end]}{"" if empty else ","}"{name}":{value}{text[end:]}'
    if ours:
        lead = "" if member.first else ","
        return f'{text[: member.start]}{lead}"{name}":{value}{text[member.end :]}'
    if not member.first:
        return text[: member.start] + text[member.end :]
    # ours came first: the comma behind it goes too
    after = _skip(text, member.end)
    return text[: member.start] + (text[after + 1 :] if text[after] == "," else text[member.end :])


def _text(source: bytes) -> str:
    try:
        return source.decode("utf-8", "surrogatepass")
    except ValueError as error:
        raise DataError(f"{_UNREADABLE}: {error}") from error


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _scan(text: str, name: str) -> tuple[int, Member | None, bool]:
    """Where a new member goes, our member `name` if there is one, and whether the object has no member at all."""
    try:
        return _bounds(text) if _cannot_hold(text, name) else _members(text, name)
    except (ValueError, IndexError, RecursionError) as error:
        raise DataError(f"{_UNREADABLE}: {error}") from error


def _cannot_hold(text: str, name: str) -> bool:
    """Whether no key can be `name`: neither it nor an escape of an ASCII letter stands anywhere."""
    return name not in text and "\\u00" not in text


def _bounds(text: str) -> tuple[int, None, bool]:
    """Where a member goes in an object that has none of ours: nothing between the braces needs reading."""
    start, end = _skip(text, 0), len(text.rstrip(" \t\n\r")) - 1
    if end <= start or text[start] != "{" or text[end] != "}":
        raise ValueError(f"it starts with {text[:1]!r} and ends with {text[-1:]!r}")
    empty = _skip(text, start + 1) == end
    return start + 1 if empty else end, None, empty  # in `{ }` before the blank, where taking out will leave it


def _members(text: str, name: str) -> tuple[int, Member | None, bool]:
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
        if key == name:
            if found:
                raise ValueError(f"it has the key {name!r} twice")
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
