"""One connection to a node: a request goes out, its answer comes in, piece by piece and never faster than it is taken.

Whatever is not a complete answer is an error: a connection that ends before its answer does, bytes that are no HTTP,
bytes that nobody asked for. A connection is used again only after a request and an answer that both ended well.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import httptools

from integration.gateway import framing
from integration.gateway.exchange import Header
from integration.gateway.failures import BrokenAnswer, TooSlow

ROOM = 256 * 1024  # bytes of an answer that may wait here
MOST_HEAD = 128 * 1024  # bytes of an answer's headers
Source = AsyncIterator[bytes]


class Connection(asyncio.Protocol):
    """A connection, opened by the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._drained: asyncio.Future[None] | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._parser: Any = None
        self._busy = False
        self.idle_since = 0.0
        self._begin("")

    def _begin(self, method: str) -> None:
        self._method = method
        self._failure: Exception | None = None
        self.headers: list[Header] = []
        self.status = 0
        self._heard = False  # any byte of an answer
        self._headed = False
        self._ended = False
        self._keep = False
        self._size = 0
        self._pieces: deque[bytes] = deque()

    # what the loop calls
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by whomever: an answer that has not ended will not."""
        self._transport = None
        self._fail(BrokenAnswer("the node closed the connection before its answer ended"))
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def pause_writing(self) -> None:
        """The node takes no more at this time."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """It takes more."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Some of the answer."""
        if not self._busy or self._ended:
            self.close()  # nobody asked for this
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken("the node changed the protocol, which nobody asked it to")
        except httptools.HttpParserError:
            self._keep = False  # behind an answer that ended there is something: what, nobody knows
            if not self._ended:
                self._broken("the node's answer is no HTTP")
        if not self._headed:
            self._size += len(data)
            if self._size > MOST_HEAD:
                self._broken(f"the headers of the node's answer are larger than {MOST_HEAD} bytes")

    # what the parser calls
    def on_message_begin(self) -> None:
        """An answer begins: ours, or after it one too many."""
        if self._ended:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; those after a body are not for us."""
        if not self._headed:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Status and headers are there."""
        if self._ended:
            return
        status = self._parser.get_status_code()
        if status < 200:  # 100 Continue and its like: the answer itself comes later
            self.headers.clear()
            return
        self.status, self._headed, self._size = status, True, 0
        if self._method == "HEAD":
            self._end(keep=self._parser.should_keep_alive())
        elif status not in (204, 304) and not self._tells_length():
            self._broken("the node's answer does not tell its length")
        self._wake()

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if self._ended:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > ROOM and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The end of the answer."""
        if self._headed and not self._ended:
            self._end(keep=self._parser.should_keep_alive())
            self._wake()

    # what the gateway calls
    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return not self._busy and self._transport is not None and not self._transport.is_closing()

    @property
    def heard(self) -> bool:
        """Whether anything of an answer came."""
        return self._heard

    async def ask(self, method: str, head: bytes, body: bytes | Source, *, chunked: bool, timeout: float) -> None:
        """Send a request and wait for the head of its answer. Raises BrokenAnswer, TooSlow, and what `body` raises."""
        if self._transport is None:
            raise BrokenAnswer("the node closed the connection")
        self._begin(method)
        self._busy, self._parser = True, httptools.HttpResponseParser(self)
        try:
            if isinstance(body, bytes):
                self._transport.write(head + body)
            else:
                self._transport.write(head)
                self._pump = self._loop.create_task(self._pumped(body, chunked, timeout))
            while not self._headed:
                await self._more(timeout)
        except BaseException:
            self.close()
            raise

    async def pieces(self, timeout: float) -> AsyncIterator[bytes]:
        """The body as it comes. Raises BrokenAnswer or TooSlow where it does not come to its end."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._size -= len(piece)
                if self._size <= ROOM // 2 and self._transport is not None:
                    self._transport.resume_reading()
                yield piece
            if self._ended:
                return
            await self._more(timeout)

    def release(self) -> bool:
        """The answer is done with; whether the connection may be used again. If not, it is closed."""
        self._busy = False
        if not (self._ended and self._keep and self.usable and (self._pump is None or self._pump.done())):
            self.close()
            return False
        self.idle_since = self._loop.time()
        return True

    def close(self) -> None:
        """Close at once: what was not sent is not sent any more."""
        if self._pump is not None:
            self._pump.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _tells_length(self) -> bool:
        return any(
            name.lower() == b"content-length" or (name.lower() == b"transfer-encoding" and b"chunked" in value.lower())
            for name, value in self.headers
        )

    def _end(self, *, keep: bool) -> None:
        self._ended, self._keep = True, keep

    def _broken(self, reason: str) -> None:
        self._fail(BrokenAnswer(reason))
        self.close()

    def _fail(self, failure: Exception) -> None:
        if self._failure is None and not self._ended:
            self._failure = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _more(self, timeout: float) -> None:
        """Wait until something new is there. While the request is still on its way, its sender's time counts."""
        if self._ended:
            return
        if self._failure is not None:
            raise self._failure
        self._waiting = self._loop.create_future()
        late = self._loop.call_later(timeout, self._is_late, timeout)
        try:
            await self._waiting
        finally:
            late.cancel()
            self._waiting = None
        if self._failure is not None:
            raise self._failure

    def _is_late(self, timeout: float) -> None:
        if self._pump is None or self._pump.done():
            self._fail(TooSlow(f"the node was silent for {timeout:g} s (CROSSHATCH_GATEWAY_TIMEOUT)"))
        self._wake()

    async def _pumped(self, body: Source, chunked: bool, timeout: float) -> None:
        try:
            async for piece in body:
                if piece:
                    await self._put(framing.chunk(piece) if chunked else piece, timeout)
            if chunked:
                await self._put(framing.chunk(b""), timeout)
        except Exception as error:  # the client went away or is too slow: the node must not see a whole request
            self._fail(error)
            self.close()

    async def _put(self, piece: bytes, timeout: float) -> None:
        if self._transport is None:
            return
        self._transport.write(piece)
        try:
            async with asyncio.timeout(timeout):
                while self._drained is not None and self._transport is not None:
                    await asyncio.shield(self._drained)
        except TimeoutError as error:
            raise TooSlow(f"the node took nothing for {timeout:g} s (CROSSHATCH_GATEWAY_TIMEOUT)") from error
