"""CBOR (RFC 8949) as far as the engine's clients write it: what JSON knows, byte strings, and big numbers.

A reader of our own: a general one makes dates, patterns and cyclic structures of tags, takes a name that comes twice,
and cannot then write what came. Tags but those of big integers and decimals are refused, as is a name that is no text.
"""

import struct
from decimal import Decimal
from typing import Any

from integration.gateway.trees import DEPTH, MEMBERS, Single, Unreadable, unique

_SELF = 55799  # a tag in front that says: this is CBOR; Jackson writes it where asked
_POSITIVE, _NEGATIVE, _DECIMAL = 2, 3, 4
_BREAK = object()


def loads(raw: bytes, members: int = MEMBERS) -> Any:
    """The tree of one data item. Raises Unreadable."""
    reader = _Reader(raw, members)
    try:
        tree = reader.value(0)
    except (IndexError, ValueError, struct.error, ArithmeticError) as error:
        raise Unreadable(f"no CBOR that can be read: {error}") from error
    if tree is _BREAK or reader.at != len(raw):
        raise Unreadable("something follows the CBOR item, or it is none")
    return tree


def dumps(tree: Any) -> bytes:
    """`tree` as CBOR, lengths in front. Raises Unreadable for what it has no form for."""
    parts: list[bytes] = []
    _write(tree, parts.append)
    return b"".join(parts)


class _Reader:
    def __init__(self, raw: bytes, members: int) -> None:
        self.raw, self.at = raw, 0
        self._left = members

    def take(self, size: int) -> bytes:
        if size > len(self.raw) - self.at:
            raise Unreadable("a CBOR item ends too early")
        self.at += size
        return self.raw[self.at - size : self.at]

    def value(self, depth: int) -> Any:
        if depth > DEPTH:
            raise Unreadable(f"a body has more than {DEPTH} levels")
        self._left -= 1
        if self._left < 0:
            raise Unreadable("a body has too many values")
        [head] = self.take(1)
        major, low = head >> 5, head & 0x1F
        if major == 7:
            return self._simple(low)
        endless = low == 31 and major in (2, 3, 4, 5)
        size = 0 if endless else self._argument(low)
        if major < 2:
            return size if major == 0 else -1 - size
        if major in (2, 3):
            raw = self._chunks(major) if endless else self.take(size)
            return raw if major == 2 else raw.decode()
        if major == 6:
            return self._tagged(size, depth)
        items = self._items(None if endless else size * (major - 3), depth)
        return items if major == 4 else _object(items)

    def _argument(self, low: int) -> int:
        if low < 24:
            return low
        if low > 27:
            raise Unreadable("a CBOR head is reserved")
        return int.from_bytes(self.take(1 << (low - 24)))

    def _chunks(self, major: int) -> bytes:
        parts = []
        while (head := self.take(1)[0]) != 0xFF:
            if head >> 5 != major or head & 0x1F == 31:
                raise Unreadable("a CBOR string holds something else")
            part = self.take(self._argument(head & 0x1F))
            if major == 3:
                part.decode()  # each piece is text by itself
            parts.append(part)
        return b"".join(parts)

    def _items(self, count: int | None, depth: int) -> list[Any]:
        if count is not None and count > len(self.raw) - self.at:
            raise Unreadable("a CBOR list ends too early")
        items: list[Any] = []
        while count is None or len(items) < count:
            item = self.value(depth + 1)
            if item is _BREAK:
                if count is not None:
                    raise Unreadable("a CBOR list of known length is broken off")
                break
            items.append(item)
        return items

    def _simple(self, low: int) -> Any:
        if low == 31:
            return _BREAK
        if low in (25, 26, 27):
            [number] = struct.unpack({25: ">e", 26: ">f", 27: ">d"}[low], self.take(1 << (low - 24)))
            return number if low == 27 else Single(number)
        if low not in _SIMPLE:
            raise Unreadable("a CBOR simple value has no meaning in JSON")
        return _SIMPLE[low]

    def _tagged(self, tag: int, depth: int) -> Any:
        held = self.value(depth + 1)
        if tag == _SELF and depth == 0 and held is not _BREAK:
            return held
        if tag in (_POSITIVE, _NEGATIVE) and isinstance(held, bytes):
            number = int.from_bytes(held)
            return number if tag == _POSITIVE else -1 - number
        if tag == _DECIMAL and isinstance(held, list) and len(held) == 2 and all(type(one) is int for one in held):
            if abs(held[0]) > 10_000:
                raise Unreadable("a decimal has an exponent that no document has")
            return Decimal((int(held[1] < 0), tuple(map(int, str(abs(held[1])))), held[0]))
        raise Unreadable(f"a CBOR tag {tag} has no meaning in JSON")


_SIMPLE = {20: False, 21: True, 22: None, 23: None}


def _object(items: list[Any]) -> dict[str, Any]:
    names = items[::2]
    if len(items) % 2 or not all(isinstance(name, str) for name in names):
        raise Unreadable("a CBOR object has a name that is no text")
    return unique(list(zip(names, items[1::2], strict=True)))


def _write(value: Any, put: Any) -> None:
    match value:
        case None | False | True:
            put({None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value])
        case int():
            _integer(value, put)
        case float():
            put(b"\xfa" + struct.pack(">f", value) if isinstance(value, Single) else b"\xfb" + struct.pack(">d", value))
        case str():
            raw = _utf8(value)
            put(_head(3, len(raw)) + raw)
        case bytes():
            put(_head(2, len(value)) + value)
        case Decimal():
            sign, digits, exponent = value.as_tuple()
            if not isinstance(exponent, int):
                raise Unreadable("CBOR has no decimal that is no number")
            put(b"\xc4\x82")
            _integer(exponent, put)
            _integer(int("".join(map(str, digits))) * (-1 if sign else 1), put)
        case list() | tuple():
            put(_head(4, len(value)))
            for held in value:
                _write(held, put)
        case dict():
            put(_head(5, len(value)))
            for name, held in value.items():
                _write(str(name), put)
                _write(held, put)
        case _:
            raise Unreadable(f"CBOR cannot say a {type(value).__name__}")


def _integer(value: int, put: Any) -> None:
    size = value if value >= 0 else -1 - value
    if size < 1 << 64:
        put(_head(0 if value >= 0 else 1, size))
    else:
        raw = size.to_bytes((size.bit_length() + 7) // 8)
        put((b"\xc2" if value >= 0 else b"\xc3") + _head(2, len(raw)) + raw)


def _head(major: int, size: int) -> bytes:
    if size < 24:
        return bytes([major << 5 | size])
    power = next(power for power in range(4) if size < 1 << (8 << power))
    return bytes([major << 5 | 24 + power]) + size.to_bytes(1 << power)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Unreadable("half a surrogate pair is no text") from error
