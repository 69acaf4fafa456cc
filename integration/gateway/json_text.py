"""JSON bodies: read strictly, and written so that every number which nobody touched keeps its text."""

import json
from typing import Any, NoReturn

import msgspec

from integration.gateway.trees import MEMBERS, Unreadable, Written, check_depth, unique


def loads(raw: bytes, members: int = MEMBERS) -> Any:
    """The tree of one JSON text. Raises Unreadable: no JSON, no UTF-8, a name twice, too deep, half a surrogate pair,
    or more than `members` values, counted by the signs that part them, in strings too.

    Comments and NaN, which the engine takes, are not taken: such a body passes untouched.
    """
    if signs(raw) > members:
        raise Unreadable(f"a body has more than {members} values")
    try:
        tree = _DECODER.decode(raw.decode())
        if b"\\u" in raw:
            msgspec.json.encode(tree, enc_hook=_text)
    except (ValueError, RecursionError, TypeError) as error:
        raise Unreadable(f"no JSON that can be read: {type(error).__name__}") from error
    check_depth(tree)
    return tree


def signs(raw: bytes) -> int:
    """How many values a text has at most, nearly: it is counted and not read."""
    return sum(map(raw.count, (b",", b"[", b"{")))


def dumps(tree: Any) -> bytes:
    """`tree` as JSON, in UTF-8, without blanks. Raises Unreadable for what JSON has no form for."""
    try:
        return _ENCODER.encode(tree)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unreadable(f"JSON cannot say this: {type(error).__name__}") from error


def _integer(text: str) -> int | Written:
    return Written(text) if text == "-0" else int(text)


def _refused(text: str) -> NoReturn:
    raise Unreadable(f"{text} is no JSON")


def _text(number: Any) -> msgspec.Raw:
    if isinstance(number, Written):
        return msgspec.Raw(number.text.encode())
    if isinstance(number, float):  # msgspec knows the plain type only
        return msgspec.Raw(msgspec.json.encode(float(number)))
    raise TypeError(type(number).__name__)


_DECODER = json.JSONDecoder(object_pairs_hook=unique, parse_float=Written, parse_int=_integer, parse_constant=_refused)
_ENCODER = msgspec.json.Encoder(enc_hook=_text)
