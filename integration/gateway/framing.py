"""Which headers go from one connection to the next, and how a request's head is written. Pure.

RFC 9110, 7.6.1: what concerns one connection alone is not passed on, nor is what `Connection` names. What says how
long a body is we write ourselves, from what was really read, so that no two readers can see two lengths.
"""

import re
from collections.abc import Iterable, Sequence

from integration.gateway.exchange import Header

_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
    | {b"http2-settings", b"expect"}
)
_KEPT = frozenset({b"content-length", b"content-type", b"content-encoding", b"host", b"authorization"})
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_TARGET = re.compile(rb"(?:/|\*\Z)[\x21-\x7e]*")
CHUNKED = (b"transfer-encoding", b"chunked")


def end_to_end(headers: Iterable[Header]) -> list[Header]:
    """The headers that are for the other end, in their order, those that come twice twice.

    A sender's own `Connection` cannot take away what the message cannot be read without.
    """
    headers = list(headers)
    named = {
        word.strip().lower() for name, value in headers if name.lower() == b"connection" for word in value.split(b",")
    }
    dropped = _HOP | (named - _KEPT)
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def without(headers: Iterable[Header], *names: bytes) -> list[Header]:
    """The headers that have none of these names, which are in lower case."""
    return [(name, value) for name, value in headers if name.lower() not in names]


def with_length(headers: Iterable[Header], size: int) -> list[Header]:
    """The headers of a message whose body has `size` bytes."""
    return [*without(headers, b"content-length", b"transfer-encoding"), (b"content-length", b"%d" % size)]


def first(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The first value of a header; `name` is in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)


def head(method: str, target: bytes, headers: Sequence[Header]) -> bytes:
    """A request's head. Raises ValueError for what would end a line, or hold another request."""
    if not _NAME.fullmatch(method.encode("latin-1")) or not _TARGET.fullmatch(target):
        raise ValueError("a request's method or target holds what does not belong there")
    lines = [method.encode(), b" ", target, b" HTTP/1.1\r\n"]
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError("a header's name or value holds what does not belong there")
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def chunk(piece: bytes) -> bytes:
    """A piece of a body whose length is not known yet; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)
