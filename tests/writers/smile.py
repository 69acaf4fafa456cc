"""SMILE, Jackson's binary JSON (format 1, version 0), as far as documents need it: FOLIO sends its bulk bodies in it.

An encoder of our own, held against the engine's decoding: no registry has one for Python, and a second JVM beside the
engine's, for the Jackson that lies among its jars, would cost each test seconds. Names and values are written out each
time; Jackson refers back to names that it wrote before, which its reader takes either way.
"""

import struct
from collections.abc import Mapping
from typing import Any

HEADER = b":)\n\x00"  # no shared names, no shared values, no raw binary
END = b"\xff"  # of one content; stands nowhere else


def dumps(value: Any) -> bytes:
    """`value`, of what JSON knows, with the header."""
    return HEADER + _value(value)


def bulk(*contents: Any) -> bytes:
    """A bulk body: each line and each document is a content of its own."""
    return b"".join(dumps(content) + END for content in contents)


def _value(value: Any) -> bytes:
    if value is None:
        return b"\x21"
    if isinstance(value, bool):
        return b"\x23" if value else b"\x22"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        [bits] = struct.unpack(">Q", struct.pack(">d", value))
        return b"\x29" + _sevens(bits, 10)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return b"\xfa" + b"".join(_name(name) + _value(held) for name, held in value.items()) + b"\xfb"
    return b"\xf8" + b"".join(map(_value, value)) + b"\xf9"


def _integer(value: int) -> bytes:
    """Small ones in five bits, others as zigzag of 32 or 64 bits."""
    if -16 <= value <= 15:
        return bytes([0xC0 + _zigzag(value)])
    if -(1 << 63) <= value < 1 << 63:
        return (b"\x24" if -(1 << 31) <= value < 1 << 31 else b"\x25") + _vint(_zigzag(value))
    size = (value.bit_length() + 8) // 8
    return b"\x26" + _vint(size) + _packed(value.to_bytes(size, signed=True))


def _text(value: str) -> bytes:
    raw = value.encode()
    if not raw:
        return b"\x20"
    if value.isascii():
        if len(raw) <= 64:
            return bytes([0x40 + len(raw) - 1]) + raw
        return b"\xe0" + raw + b"\xfc"
    if 2 <= len(raw) <= 65:
        return bytes([0x80 + len(raw) - 2]) + raw
    return b"\xe4" + raw + b"\xfc"


def _name(name: str) -> bytes:
    raw = name.encode()
    if not raw:
        return b"\x20"
    if name.isascii() and len(raw) <= 64:
        return bytes([0x80 + len(raw) - 1]) + raw
    if not name.isascii() and 2 <= len(raw) <= 57:
        return bytes([0xC0 + len(raw) - 2]) + raw
    return b"\x34" + raw + b"\xfc"


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _vint(value: int) -> bytes:
    """Seven bits a byte, the highest first; the last byte has six, and its high bit set."""
    last, value = bytes([0x80 | value & 0x3F]), value >> 6
    head = b""
    while value:
        head, value = bytes([value & 0x7F]) + head, value >> 7
    return head + last


def _sevens(bits: int, size: int) -> bytes:
    return bytes(bits >> 7 * (size - 1 - at) & 0x7F for at in range(size))


def _packed(raw: bytes) -> bytes:
    """Seven bits a byte from the front; what is left at the end is right-aligned in the last one."""
    whole, rest = divmod(len(raw) * 8, 7)
    bits = int.from_bytes(raw)
    head = _sevens(bits >> rest, whole)
    return head + (bytes([bits & (1 << rest) - 1]) if rest else b"")
