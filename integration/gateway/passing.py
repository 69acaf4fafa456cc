"""A request on its way through: the `Exchange` that the parts see, on top of ASGI."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

from integration.gateway import framing, upstream
from integration.gateway.calls import Call
from integration.gateway.exchange import Header
from integration.gateway.failures import Gone, SlowClient, TooLarge

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
MOST_HELD = 512_000_000  # bytes
SLOW = 2  # times the patience that a client has: so long a part waits for a whole body
UNREAD = Call("other")  # a path that cannot be read with certainty: it passes untouched
_log = logging.getLogger(__name__)


class Held:
    """What is held of bodies that are read whole, over all requests: many clients together could fill the memory."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most, self.size = most, 0

    def add(self, size: int) -> bool:
        """Count bytes; whether there is room for them."""
        self.size += size
        return self.size <= self._most


class Passage:
    """One request. `limit`: bytes that its body may have; `patience`: seconds that its client may do nothing."""

    def __init__(
        self,
        scope: Message,
        receive: Receive,
        send: Send,
        cluster: upstream.Upstream,
        call: Call | None,
        *,
        limit: int,
        patience: float,
        held: Held,
    ) -> None:
        self._receive, self._send, self._cluster = receive, send, cluster
        self._limit, self._patience, self._held = limit, patience, held
        self.method: str = scope["method"]
        query = scope["query_string"]
        self.raw_path: bytes = scope["raw_path"] + (b"?" + query if query else b"")
        self.headers: Sequence[Header] = list(scope["headers"])
        self.call = call or UNREAD
        self._old = scope["http_version"] == "1.0"
        self._chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        told = framing.first(self.headers, b"content-length")
        self._told = int(told) if told else 0
        self._read: list[bytes] = []
        self._size = self._kept = 0
        self._more = self._chunked or self._told > 0
        self._afterwards: list[Callable[[], None]] = []
        self.answer: Passed | None = None
        self.started = False  # something was sent to the client

    async def body(self, limit: int) -> bytes | None:
        """The whole body as it came; None where it is larger than `limit`: what is not read streams through.

        So does what comes too slowly, or finds no room beside the bodies of others.
        """
        loop = asyncio.get_running_loop()
        late, room = loop.time() + SLOW * self._patience, True
        while self._more and self._size <= limit and self._told <= limit and room and loop.time() < late:
            piece = await self._piece()
            self._read.append(piece)
            self._kept += len(piece)
            room = self._held.add(len(piece))
        if self._more or self._size > limit:
            return None
        self._read = [b"".join(self._read)]
        return self._read[0]

    async def pass_on(self, body: bytes | None = None, headers: Sequence[Header] | None = None) -> "Passed":
        """Send the request to the cluster, with another body or other headers where given."""
        if self._told > self._limit:
            raise self._too_large()
        sent = framing.end_to_end(self.headers if headers is None else headers)
        if body is None and not self._more:
            body = b"".join(self._read)
        if body is not None:
            if body or self._chunked or self._told:
                sent = framing.with_length(sent, len(body))
            answer = await self._cluster.send(self.method, self.raw_path, sent, body)
        else:
            sent = framing.without(sent, b"content-length")
            sent.append(framing.CHUNKED if self._chunked else (b"content-length", b"%d" % self._told))
            answer = await self._cluster.send(self.method, self.raw_path, sent, self._streamed(), chunked=self._chunked)
        self.answer = Passed(self, answer)
        return self.answer

    async def respond(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Answer it here."""
        empty = status in (204, 304)
        told = framing.end_to_end(headers)
        if not empty:
            told = framing.with_length(told, len(body))
        if self._more:
            told.append((b"connection", b"close"))  # the rest of the request is not read
        await self.start(status, told)
        await self.give(b"" if empty else body, more=False)

    def after(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once the answer is sent; whatever it raises is logged and harms nobody."""
        self._afterwards.append(callback)

    async def start(self, status: int, headers: list[Header]) -> None:
        """Begin the answer to the client."""
        self.started = True
        await self._sent({"type": "http.response.start", "status": status, "headers": headers})

    async def give(self, piece: bytes, *, more: bool) -> None:
        """A piece of its body. Raises Gone where the client does not take it."""
        await self._sent({"type": "http.response.body", "body": piece, "more_body": more})

    @property
    def is_old(self) -> bool:
        """Whether the client speaks HTTP/1.0, which knows no chunks."""
        return bool(self._old)

    def finish(self) -> None:
        """The end: what waits for it is called."""
        self._held.add(-self._kept)
        for callback in self._afterwards:
            try:
                callback()
            except Exception:
                _log.exception("what was to be done after an answer failed")

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the request is larger than {self._limit} bytes (CROSSHATCH_GATEWAY_BODY_LIMIT)")

    async def _sent(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._send(message)
        except TimeoutError as error:
            raise Gone("the client takes nothing any more") from error

    async def _streamed(self) -> AsyncIterator[bytes]:
        for piece in self._read:
            yield piece
        self._read.clear()
        while self._more:
            yield await self._piece()

    async def _piece(self) -> bytes:
        """The next piece of the request's body. Raises SlowClient, TooLarge, Gone."""
        try:
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError as error:
            raise SlowClient(f"nothing of the request came for {self._patience:g} s") from error
        if message["type"] == "http.disconnect":
            raise Gone("the client closed the connection within its request")
        self._more = bool(message.get("more_body"))
        piece: bytes = message.get("body", b"")
        self._size += len(piece)
        if self._size > self._limit:
            raise self._too_large()
        return piece


class Passed:
    """The cluster's answer to a request that was passed on."""

    def __init__(self, passage: Passage, answer: upstream.Answer) -> None:
        self._passage, self._answer = passage, answer
        self.status = answer.status
        self.headers = answer.headers

    async def relay(self, watch: Callable[[bytes], None] | None = None) -> None:
        """Stream the answer to the client. `watch` is given each piece as it came; it must neither wait nor raise."""
        headers = framing.end_to_end(self.headers)
        if self._passage.is_old and framing.first(headers, b"content-length") is None:
            whole = await self._answer.whole()
            if watch is not None:
                watch(whole)
            await self._passage.respond(self.status, headers, whole)
            return
        try:
            await self._passage.start(self.status, headers)
            async for piece in self._answer.pieces():
                if watch is not None:
                    watch(piece)
                await self._passage.give(piece, more=True)
            await self._passage.give(b"", more=False)
        finally:
            self._answer.close()

    async def whole(self, limit: int) -> bytes:
        """The body, read here: then it is to be answered with `respond`. Raises TooLarge."""
        return await self._answer.whole(limit)

    def close(self) -> None:
        """Nobody wants the rest."""
        self._answer.close()
