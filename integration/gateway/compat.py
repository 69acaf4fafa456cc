"""Elasticsearch's clients before an OpenSearch cluster: the banner, the product header, and media types both ways.

From 7.14 on they refuse to talk to anything that does not call itself Elasticsearch, and those of 8.x send and expect
`application/vnd.elasticsearch+json; compatible-with=8`, which OpenSearch answers with 406. `Compat` stands around the
whole application: what it wraps sees requests that OpenSearch knows, and the client answers that it knows.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from functools import partial
from typing import Any, Literal

from integration.gateway import packing, point_in_time
from integration.gateway.trees import Unreadable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]
Speaks = Literal["elasticsearch-7", "elasticsearch-8"]
Rewrite = Callable[[bytes], bytes]

# what the banner calls the cluster: late versions of each, so that no client thinks it too old
NUMBERS: dict[Speaks, str] = {"elasticsearch-7": "7.17.29", "elasticsearch-8": "8.19.2"}
TAGLINE = "You Know, for Search"
LARGEST = 1 << 20  # of the bodies that are read here, a few hundred bytes each
_PRODUCT = (b"x-elastic-product", b"Elasticsearch")
_VENDOR = re.compile(
    rb"(application|text)/vnd\.elasticsearch\+([a-z-]+)\s*;\s*compatible-with\s*=\s*\"?(\d{1,3})\"?", re.IGNORECASE
)
_PLAIN = re.compile(rb"application/([a-z-]+)\s*(?:;\s*charset=[\w-]+)?\s*", re.IGNORECASE)


class Compat:
    """An ASGI application that lets `inner` speak to Elasticsearch's clients of one major version, and of the last."""

    def __init__(self, inner: Application, speaks: Speaks) -> None:
        self._inner = inner
        self._number = NUMBERS[speaks]
        self._major = int(self._number.partition(".")[0])

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one connection; what is no HTTP request (the application's start and end) goes on as it is."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        plain = {**scope, "headers": [(name, self._plain(name, value)) for name, value in scope["headers"]]}
        rewrite = self._directed(plain)
        if rewrite is point_in_time.closed:
            body = await _read(receive, _header(plain["headers"], b"content-encoding"))
            receive = _replayed(body, receive)
            kept = _without(plain["headers"], b"content-length", b"transfer-encoding", b"content-encoding")
            plain["headers"] = [*kept, (b"content-length", str(len(body)).encode())]
        await self._inner(plain, receive, _Answer(send, self._wanted(scope["headers"]), rewrite))

    def _directed(self, scope: Message) -> Rewrite | None:
        """Lead the request to where OpenSearch has it; how its answer's body is to be rewritten, if at all."""
        method, target = scope["method"], scope["raw_path"]
        if method in ("GET", "HEAD") and target == b"/":
            rewrite: Rewrite = partial(renamed, number=self._number)
        elif there := point_in_time.opening(method, target):
            rewrite = point_in_time.opened
            scope.update(raw_path=there, path=there.decode())
        elif there := point_in_time.closing(method, target):
            rewrite = point_in_time.closed
            scope.update(raw_path=there, path=there.decode())
        else:
            return None
        scope["headers"] = list(_without(scope["headers"], b"accept-encoding"))  # it is read here: not compressed
        return rewrite

    def _plain(self, name: bytes, value: bytes) -> bytes:
        """A media type of Elasticsearch's as OpenSearch calls it. A later version's stays: the cluster refuses it."""
        if name.lower() not in (b"accept", b"content-type"):
            return value
        return _VENDOR.sub(lambda found: found[1] + b"/" + found[2] if self._knows(found[3]) else found[0], value)

    def _wanted(self, headers: Iterable[Header]) -> bytes | None:
        """The version that the client accepts answers in, where it says so."""
        for name, value in headers:
            found = _VENDOR.search(value) if name.lower() == b"accept" else None
            if found and self._knows(found[3]):
                return found[3]
        return None

    def _knows(self, major: bytes) -> bool:
        return 7 <= int(major) <= self._major


class _Answer:
    """The client's `send`, with the answer as Elasticsearch would give it."""

    def __init__(self, send: Send, wants: bytes | None, rewrite: Rewrite | None) -> None:
        self._send = send
        self._wants = wants
        self._rewrite = rewrite
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            message = {**message, "headers": list(_answered(message.get("headers", ()), self._wants))}
            if self._rewrite and message["status"] == 200:
                self._start = message
                return
        elif kind == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._rewritten(self._start)
            return
        await self._send(message)

    async def _rewritten(self, start: Message) -> None:
        body = self._rewrite(self._body) if self._rewrite and self._body else b""
        headers = list(_without(start["headers"], b"content-length", b"transfer-encoding"))
        if body:  # a HEAD has none, and no length is told: that of the cluster's own banner is another one
            headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


async def _read(receive: Receive, packed: bytes) -> bytes:
    """The body of a request that closes a point in time, in OpenSearch's words.

    What is no such body is the cluster's to refuse: it gets none of what is far too large or cannot be unpacked.
    """
    body, more = b"", True
    while more and len(body) <= LARGEST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    how = packing.named(packed or b"identity")
    try:
        return point_in_time.to_close(packing.unpack(body, how, LARGEST)) if how is not None else b""
    except Unreadable:
        return b""


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body`, and then whatever comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _header(headers: Iterable[Header], wanted: bytes) -> bytes:
    return next((value for name, value in headers if name.lower() == wanted), b"")


def _without(headers: Iterable[Header], *names: bytes) -> Iterator[Header]:
    return (pair for pair in headers if pair[0].lower() not in names)


def _answered(headers: Iterable[Header], wants: bytes | None) -> Iterator[Header]:
    """The headers of an answer, with the product, and the media type as it was asked for."""
    yield _PRODUCT
    for name, value in _without(headers, _PRODUCT[0]):
        plain = _PLAIN.fullmatch(value) if wants and name.lower() == b"content-type" else None
        told = b"application/vnd.elasticsearch+%s;compatible-with=%s" % (plain[1], wants) if plain else value
        yield name, told


def renamed(banner: bytes, number: str) -> bytes:
    """The cluster's banner with Elasticsearch's version and words; anything else stays as it is."""
    try:
        told = json.loads(banner)
        version = told["version"]
        version["number"] = number
    except (ValueError, TypeError, LookupError):
        return banner
    version.pop("distribution", None)
    version["build_flavor"] = "default"
    told["tagline"] = TAGLINE
    return json.dumps(told, indent=2).encode() + b"\n"
