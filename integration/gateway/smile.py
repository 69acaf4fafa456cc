"""SMILE, Jackson's binary JSON (format 1, version 0): read in full, written plainly.

FOLIO's clients write it. No registry has a reader for Python that is kept up, so this is ours, held against what
Jackson itself wrote and against the engine. The writer refers back to nothing and writes bytes in sevens, so that the
mark between two contents (ff) stands nowhere else.
"""

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from integration.gateway.trees import DEPTH, MEMBERS, Single, Unreadable, unique

HEADER = b":)\n\x00"
END = b"\xff"  # between two contents of a bulk body
_SHARED_NAMES, _SHARED_VALUES = 1, 2
_MOST_SHARED = 1024  # then a table begins anew
_MOST_REPEATED = 10_000_000  # letters that references stand for: two bytes may mean a name of megabytes
_TEXT_END = b"\xfc"
_CLOSE = object()  # `]` and `}` and nothing else


def loads(raw: bytes, members: int = MEMBERS) -> Any:
    """The tree of one content, with its header; an end mark may follow. Raises Unreadable."""
    if raw[:3] != HEADER[:3] or len(raw) < 5 or raw[3] >> 4:
        raise Unreadable("this is no SMILE of version 0")
    reader = _Reader(raw, raw[3], members)
    try:
        tree = reader.value(0)
    except (IndexError, ValueError, struct.error, ArithmeticError) as error:
        raise Unreadable(f"no SMILE that can be read: {error}") from error
    if tree is _CLOSE or raw[reader.at :] not in (b"", END):
        raise Unreadable("something follows the SMILE value, or it is none")
    return tree


class _Reader:
    def __init__(self, raw: bytes, flags: int, members: int) -> None:
        self.raw, self.at = raw, 4
        self._left, self._repeated = members, 0
        self._names: list[str] | None = [] if flags & _SHARED_NAMES else None
        self._values: list[str] | None = [] if flags & _SHARED_VALUES else None

    def take(self, size: int) -> bytes:
        if size > len(self.raw) - self.at:
            raise Unreadable("a SMILE value ends too early")
        self.at += size
        return self.raw[self.at - size : self.at]

    def value(self, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Unreadable("a body has too many values")
        [token] = self.take(1)
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if 0x40 <= token < 0xC0:
            return self._short(token)
        if 0xC0 <= token < 0xE0:
            return _unzigzag(token & 0x1F)
        if token in (0xE0, 0xE4):
            return self._long()
        if 0x01 <= token < 0x20:
            return self._referred(self._values, token - 1)
        if 0xEC <= token < 0xF0:
            return self._referred(self._values, (token & 3) << 8 | self.take(1)[0])
        if token in (0xF8, 0xFA):
            if depth >= DEPTH:
                raise Unreadable(f"a body has more than {DEPTH} levels")
            return self._list(depth) if token == 0xF8 else self._object(depth)
        if token in _SCALARS:
            return _SCALARS[token](self)
        raise Unreadable(f"a SMILE value cannot begin with {token:02x}")

    def _list(self, depth: int) -> list[Any]:
        items = []
        while (item := self.value(depth + 1)) is not _CLOSE:
            items.append(item)
        return items

    def _object(self, depth: int) -> dict[str, Any]:
        members: list[tuple[str, Any]] = []
        while (token := self.take(1)[0]) != 0xFB:
            name = self._name(token)
            held = self.value(depth + 1)
            if held is _CLOSE:
                raise Unreadable("a SMILE object has a name without a value")
            members.append((name, held))
        return unique(members)

    def _name(self, token: int) -> str:
        if token == 0x20:
            return ""
        if 0x30 <= token < 0x34:
            return self._referred(self._names, (token & 3) << 8 | self.take(1)[0])
        if 0x40 <= token < 0x80:
            return self._referred(self._names, token & 0x3F)
        if token == 0x34:
            name = self._long()
        elif 0x80 <= token < 0xC0:
            name = self.take((token & 0x3F) + 1).decode("ascii")
        elif 0xC0 <= token < 0xF8:
            name = self.take(token - 0xC0 + 2).decode()
        else:
            raise Unreadable(f"a SMILE name cannot begin with {token:02x}")
        _remember(self._names, name)
        return name

    def _short(self, token: int) -> str:
        raw = self.take(token - 0x80 + 2) if token >= 0x80 else self.take(token - 0x40 + 1)
        text = raw.decode() if token >= 0x80 else raw.decode("ascii")
        _remember(self._values, text)
        return text

    def _referred(self, table: list[str] | None, index: int) -> str:
        if table is None or index >= len(table):
            raise Unreadable("SMILE refers back to what was not there")
        self._repeated += len(table[index])
        if self._repeated > _MOST_REPEATED:
            raise Unreadable("a SMILE body says a long name again and again")
        return table[index]

    def _long(self) -> str:
        end = self.raw.index(_TEXT_END, self.at)
        text = self.raw[self.at : end].decode()
        self.at = end + 1
        return text

    def vint(self) -> int:
        """Seven bits a byte, the highest first; the last byte has six, and its high bit set."""
        value = 0
        for _ in range(10):
            [byte] = self.take(1)
            if byte & 0x80:
                return value << 6 | byte & 0x3F
            value = value << 7 | byte
        raise Unreadable("a SMILE number of more than 64 bits where none can be")

    def sevens(self, size: int) -> int:
        """`size` bytes of seven bits, the highest first."""
        value = 0
        for byte in self.take(size):
            if byte & 0x80:
                raise Unreadable("a SMILE number has a byte of eight bits")
            value = value << 7 | byte
        return value

    def packed(self) -> bytes:
        """A length and so many bytes in sevens; the last byte is right-aligned."""
        size = self.vint()
        coded = self.take(-(-size * 8 // 7))
        whole, rest = divmod(size * 8, 7)
        bits = "".join(f"{byte:07b}" for byte in coded[:whole])
        if rest:
            bits += f"{coded[whole]:0{rest}b}"
        if len(bits) != size * 8:
            raise Unreadable("a SMILE value in sevens has a byte of eight bits")
        return int(bits or "0", 2).to_bytes(size)


def _integer(reader: _Reader) -> int:
    return _unzigzag(reader.vint())


def _big(reader: _Reader) -> int:
    return int.from_bytes(reader.packed(), signed=True)


def _single(reader: _Reader) -> Single:
    return Single(struct.unpack(">f", (reader.sevens(5) & 0xFFFFFFFF).to_bytes(4))[0])


def _double(reader: _Reader) -> float:
    [number] = struct.unpack(">d", (reader.sevens(10) & (1 << 64) - 1).to_bytes(8))
    return float(number)


def _decimal(reader: _Reader) -> Decimal:
    scale = _unzigzag(reader.vint())
    unscaled = _big(reader)
    if abs(scale) > 10_000:
        raise Unreadable("a decimal has an exponent that no document has")
    return Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -scale))


_CONSTANTS = {0x20: "", 0x21: None, 0x22: False, 0x23: True, 0xF9: _CLOSE}
_SCALARS: dict[int, Callable[[_Reader], Any]] = {
    0x24: _integer,
    0x25: _integer,
    0x26: _big,
    0x28: _single,
    0x29: _double,
    0x2A: _decimal,
    0xE8: _Reader.packed,
    0xFD: lambda reader: reader.take(reader.vint()),
}


def _unzigzag(value: int) -> int:
    return value >> 1 ^ -(value & 1)


def _remember(table: list[str] | None, text: str) -> None:
    if table is not None:
        if len(table) == _MOST_SHARED:
            table.clear()
        table.append(text)
