"""The one object field that Crosshatch adds to a catalogue's documents: its names, its mapping, its values.

    "crosshatch": {"<space>": {"text": <binary>, "image": [<binary>, ...], "record": <binary>, "source": "<digest>"}}

Doc values are sorted and de-duplicated by the engine, so an image value is the code followed by its picture number.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mappings.code import HashCode
from mappings.errors import CodeLengthError

OBJECT = "crosshatch"
PARTS = ("text", "image", "record")
MAX_PICTURES = 65_536  # a picture number has two bytes


def field_name(space: str, part: str) -> str:
    """Full name of the field that holds the codes of `part`, as queries and scripts need it."""
    return f"{OBJECT}.{space}.{part}"


def space_mapping(space: str) -> dict[str, Any]:
    """Body for `PUT <index>/_mapping`: adds one space, also to a strict index.

    Nothing in it is searched by a catalogue's own queries: `*` never expands to `binary`. `source` is not mapped at
    all: a pattern of `docvalue_fields` that meets a `binary` without doc values fails the whole search, and one of
    `exists` would find it. `dynamic: false` lets a document with an unknown member of ours pass instead of failing the
    catalogue's write.
    """
    code = {"type": "binary", "doc_values": True}
    members = dict.fromkeys(PARTS, code)
    space_object = {"dynamic": False, "properties": members}
    return {"properties": {OBJECT: {"dynamic": False, "properties": {space: space_object}}}}


@dataclass(frozen=True, slots=True)
class StoredCodes:
    """The codes of one record as they lie in a document. `image` maps picture numbers, counted from 0, to codes."""

    text: HashCode | None = None
    image: tuple[tuple[int, HashCode], ...] = ()
    record: HashCode | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that have a code."""
        return tuple(part for part in PARTS if getattr(self, part))

    def members(self) -> dict[str, Any]:
        """JSON members for the space's object; parts without a code are left out, never empty."""
        members: dict[str, Any] = {}
        if self.text:
            members["text"] = self.text.base64()
        if self.image:
            members["image"] = [image_value(code, number) for number, code in self.image]
        if self.record:
            members["record"] = self.record.base64()
        return members

    @classmethod
    def read(cls, members: Mapping[str, Any], bits: int) -> Self:
        """Read what `members` wrote. Raises CodeLengthError where a value is no code of `bits` bits."""
        values = members.get("image")
        if not isinstance(values, list | None):
            raise CodeLengthError(f"`image` must be a list; {type(values).__name__} came")
        images = tuple(sorted((_image_pair(value, bits) for value in values or ()), key=lambda pair: pair[0]))
        return cls(_code(members.get("text"), bits), images, _code(members.get("record"), bits))


def image_value(code: HashCode, number: int) -> str:
    """Base64 of the code's bytes and the picture's number in two bytes, the higher first."""
    return base64.b64encode(code.packed + number.to_bytes(2)).decode()


def _image_pair(value: object, bits: int) -> tuple[int, HashCode]:
    if not isinstance(value, str):
        raise CodeLengthError(f"an image value must be base64; {type(value).__name__} came")
    try:
        stored = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CodeLengthError(f"an image value must be base64; {value[:40]!r} came") from error
    if len(stored) * 8 != bits + 16:
        raise CodeLengthError(f"an image value has {bits // 8 + 2} bytes; {len(stored)} came")
    return int.from_bytes(stored[-2:]), HashCode(bits, stored[:-2])


def _code(value: object, bits: int) -> HashCode | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise CodeLengthError(f"a code must be base64; {type(value).__name__} came")
    code = HashCode.from_base64(value)
    if code.bits != bits:
        raise CodeLengthError(f"a code of {bits} bits was expected; {code.bits} bits came")
    return code
