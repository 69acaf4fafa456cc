"""SMILE as we write it: every name and value in full, bytes in sevens (see `smile`)."""

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from integration.gateway.smile import HEADER
from integration.gateway.trees import Single, Unreadable

Put = Callable[[bytes], None]


def dumps(tree: Any) -> bytes:
    """`tree` with the header and without an end mark. Raises Unreadable for what SMILE has no form for."""
    parts = [HEADER]
    try:
        _value(tree, parts.append)
    except UnicodeEncodeError as error:
        raise Unreadable("half a surrogate pair is no text") from error
    return b"".join(parts)


def _value(value: Any, put: Put) -> None:
    match value:
        case None | False | True:
            put({None: b"\x21", False: b"\x22", True: b"\x23"}[value])
        case int():
            put(_integer(value))
        case Single():
            put(b"\x28" + _sevens(int.from_bytes(struct.pack(">f", value)), 5))
        case float():
            put(b"\x29" + _sevens(int.from_bytes(struct.pack(">d", value)), 10))
        case Decimal():
            put(_decimal(value))
        case str():
            put(_text(value))
        case bytes():
            put(b"\xe8" + _packed(value))
        case list() | tuple():
            put(b"\xf8")
            for held in value:
                _value(held, put)
            put(b"\xf9")
        case dict():
            put(b"\xfa")
            for name, held in value.items():
                put(_name(str(name)))
                _value(held, put)
            put(b"\xfb")
        case _:
            raise Unreadable(f"SMILE cannot say a {type(value).__name__}")


def _integer(value: int) -> bytes:
    """Small ones in five bits, others as zigzag of 32 or 64 bits, larger ones as bytes."""
    if -16 <= value <= 15:
        return bytes([0xC0 + _zigzag(value)])
    if -(1 << 31) <= value < 1 << 31:
        return b"\x24" + _vint(_zigzag(value))
    if -(1 << 63) <= value < 1 << 63:
        return b"\x25" + _vint(_zigzag(value))
    return b"\x26" + _packed(_signed(value))


def _decimal(value: Decimal) -> bytes:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise Unreadable("SMILE has no decimal that is no number")
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    return b"\x2a" + _vint(_zigzag(-exponent)) + _packed(_signed(unscaled))


def _signed(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 8) // 8, signed=True)


def _text(value: str) -> bytes:
    raw = value.encode()
    if not raw:
        return b"\x20"
    if len(raw) == len(value):
        return bytes([0x40 + len(raw) - 1]) + raw if len(raw) <= 64 else b"\xe0" + raw + b"\xfc"
    return bytes([0x80 + len(raw) - 2]) + raw if len(raw) <= 65 else b"\xe4" + raw + b"\xfc"


def _name(name: str) -> bytes:
    raw = name.encode()
    if not raw:
        return b"\x20"
    if len(raw) == len(name) and len(raw) <= 64:
        return bytes([0x80 + len(raw) - 1]) + raw
    if len(raw) > len(name) and len(raw) <= 57:
        return bytes([0xC0 + len(raw) - 2]) + raw
    return b"\x34" + raw + b"\xfc"


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _vint(value: int) -> bytes:
    last, value = bytes([0x80 | value & 0x3F]), value >> 6
    head = b""
    while value:
        head, value = bytes([value & 0x7F]) + head, value >> 7
    return head + last


def _sevens(bits: int, size: int) -> bytes:
    return bytes(bits >> 7 * (size - 1 - at) & 0x7F for at in range(size))


def _packed(raw: bytes) -> bytes:
    """The length, then seven bits a byte; what is left at the end is right-aligned in the last one."""
    whole, rest = divmod(len(raw) * 8, 7)
    bits = int.from_bytes(raw)
    tail = bytes([bits & (1 << rest) - 1]) if rest else b""
    return _vint(len(raw)) + _sevens(bits >> rest, whole) + tail
