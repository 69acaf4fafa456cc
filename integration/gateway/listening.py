"""A client's connection: uvicorn's protocol, made strict where requests come from strangers.

What one reader could take for one request and another for two is refused before any of it reaches the cluster, heads
are bounded in size and time, trailers never become headers, and a refusal has the form of OpenSearch's errors.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from integration.gateway import certificates, failures

MOST_HEAD = 64 * 1024  # bytes; the cluster's own limit is 16 KB of headers, and it says so itself
MOST_CONNECTIONS = 20_000
MOST_WAITING = 100  # requests that came behind one that is being answered: thirty bytes each there, two thousand here
GONE = "crosshatch.gone"  # in a scope's extensions: a future that is done when the client has closed
_UPGRADE = (b"upgrade", b"http2-settings", b"connection")
_log = logging.getLogger(__name__)


class Listening(HttpToolsProtocol):
    """One connection. `patience`: seconds for a request's head; `badge`: the header of a verified certificate.

    `most`: connections that are open at once; the next is closed before it is read.
    """

    def __init__(
        self, *args: Any, patience: float, badge: bytes = b"", most: int = MOST_CONNECTIONS, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # a query string may hold what a reader looks for
        self._patience, self._badge, self._most = patience, badge, most
        self._subject: bytes | None = None
        self._late: asyncio.TimerHandle | None = None
        self._heading = False
        self._size = 0
        self._moved = False
        self._upgrading = False
        self._refused = False
        self._refusal = (400, "the request is no HTTP/1.1, or its length can be read in two ways")
        self._gone: asyncio.Future[None] = self.loop.create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Open; the first request must come in time."""
        super().connection_made(transport)
        if len(self.connections) > self._most:  # files are left for the way to the nodes, and for who is there
            self._refused = True
            transport.abort()
            return
        self._subject = certificates.subject(transport.get_extra_info("peercert")) if self._badge else None
        self._late = self.loop.call_later(self._patience, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed."""
        self._in_time()
        super().connection_lost(exc)
        if not self._gone.done():
            self._gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Some of a request, or of several."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._moved = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(*self._refusal)
        else:
            self._size = self._size + len(data) if self._heading or not self._moved else 0
            if self._size > MOST_HEAD:  # of trailers and of what chunks say of themselves, too
                self._refuse(431, f"the request's headers are larger than {MOST_HEAD} bytes")

    def send_400_response(self, msg: str) -> None:
        """What uvicorn would refuse."""
        self._refuse(400, msg)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._heading, self._upgrading = True, False
        if self._late is None:
            self._late = self.loop.call_later(self._patience, self._head_is_late)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. One that comes after the body could be anything, and nobody needs it."""
        if self._heading and not (self._badge and certificates.is_reserved(name, self._badge)):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._heading, self._moved = False, True
        self._in_time()
        self._check()
        if self.parser.should_upgrade():
            self._upgrading = True
            return
        if self._subject is not None:
            self.headers.append((self._badge, self._subject))
            self.headers.append((certificates.FORWARDED, self._address()))  # without it nodes heed no badge
        super().on_headers_complete()
        path, _, query = self.url.partition(b"?")
        self.scope["raw_path"], self.scope["query_string"] = path, query  # to the byte
        self.scope["extensions"] = {GONE: self._gone}  # type: ignore[dict-item]

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._moved = True
        if not self._upgrading:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Its end."""
        if not self._upgrading:
            super().on_message_complete()

    def _address(self) -> bytes:
        return self.client[0].encode() if self.client else b"unknown"

    def _check(self) -> None:
        """Raise for a head that no request of the cluster's API has; the parser turns it into its own error."""
        version = self.parser.get_http_version()
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if version not in ("1.0", "1.1"):
            self._refusal = (505, "another version of HTTP came; expected HTTP/1.1")
        elif self.parser.get_method() == b"CONNECT" or not (self.url.startswith(b"/") or self.url == b"*"):
            self._refusal = (400, "a path was expected as the request's target; this is no forward proxy")
        elif codings and (version == "1.0" or codings != [b"chunked"]):  # `,chunked`: to some readers no chunks
            pass
        elif sum(name == b"host" for name, _ in self.headers) > 1:
            self._refusal = (400, "the request names two hosts")
        elif len(self.pipeline) >= MOST_WAITING:
            self._refusal = (429, f"{MOST_WAITING} requests of this connection wait for their turn")
        else:
            return
        raise ValueError(self._refusal[1])

    def _stay(self, rest: bytes) -> None:
        """Read a request that offers to go over to another protocol as if it did not: the parser skips its body."""
        tokens = [token.strip().lower() for name, value in self.headers if name == b"connection" for token in value.split(b",")]  # fmt: skip # noqa: E501
        lines = [self.parser.get_method(), b" ", self.url, f" HTTP/{self.parser.get_http_version()}\r\n".encode()]
        for name, value in self.headers:
            if name not in _UPGRADE:
                lines += (name, b": ", value, b"\r\n")
        if b"close" in tokens:
            lines.append(b"connection: close\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"".join((*lines, b"\r\n", rest)))

    def _refuse(self, status: int, reason: str) -> None:
        """Answer with an error, and close. What was asked before and is still being answered is answered first."""
        self._refused = True
        self._in_time()
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False
            return
        if cycle is None or cycle.response_complete or not cycle.response_started:
            body = failures.told(status, "crosshatch_gateway_refused", reason)
            lines = [STATUS_LINE[status], *(b"%b: %b\r\n" % pair for pair in failures.JSON)]
            self.transport.write(
                b"".join((*lines, b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body), body))
            )
        self.transport.close()

    def _head_is_late(self) -> None:
        self._late = None
        if self._heading:
            self._refuse(408, f"the request's head did not come within {self._patience:g} s")
        elif self.cycle is None:
            self.transport.close()

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


Listener = Callable[..., Listening]
