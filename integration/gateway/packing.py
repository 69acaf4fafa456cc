"""Packed bodies: gzip and deflate, unpacked to a limit, and packed again in the same way."""

import gzip
import zlib

from integration.gateway.trees import Unreadable

_WINDOWS = {"gzip": 31, "deflate": 15}  # as zlib counts: gzip's frame, its own
_ENGINE = {b"gzip": "gzip", b"x-gzip": "gzip", b"deflate": "deflate", b"x-deflate": "deflate", b"identity": ""}
_LEVEL = 1  # a search is small, and the engine is near


def named(encoding: bytes) -> str | None:
    """What a Content-Encoding means to us; None for one that we do not read, and for two."""
    return _ENGINE.get(encoding.strip().lower())


def unpack(raw: bytes, how: str, limit: int) -> bytes:
    """`raw` unpacked, at most `limit` bytes. Raises Unreadable: damaged, more than that, or something behind it."""
    if not how:
        if len(raw) > limit:
            raise Unreadable(f"a body has more than {limit} bytes")
        return raw
    machine = zlib.decompressobj(_WINDOWS[how])
    try:
        plain = machine.decompress(raw, limit + 1)
    except zlib.error as error:
        raise Unreadable(f"a body says {how} and is not: {error}") from error
    if len(plain) > limit or not machine.eof or machine.unused_data:
        raise Unreadable(f"a {how} body is cut off, followed by something, or has more than {limit} bytes")
    return plain


def pack(plain: bytes, how: str) -> bytes:
    """What `unpack` reads."""
    if how == "gzip":
        return gzip.compress(plain, _LEVEL, mtime=0)
    return zlib.compress(plain, _LEVEL) if how else plain
