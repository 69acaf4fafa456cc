"""An exchange without a server: requests go to the engine through httpx, answers stream as the application's do."""

from collections.abc import Callable, Iterable, Sequence

import httpx

from integration.gateway.calls import Call, read
from integration.gateway.exchange import Header


class DirectAnswer:
    """What the engine answered."""

    def __init__(self, answer: httpx.Response, exchange: "Direct") -> None:
        self._answer, self._exchange = answer, exchange
        self.status = answer.status_code
        self.headers: Sequence[Header] = answer.headers.raw

    async def relay(self, watch: Callable[[bytes], None] | None = None) -> None:
        """In pieces of the wire."""
        pieces = [piece async for piece in self._answer.aiter_raw()]
        for piece in pieces:
            if watch:
                watch(piece)
        self._exchange.sent = (self.status, b"".join(pieces))


class Direct:
    """One request. `sent` is what the client got."""

    def __init__(
        self, engine: httpx.AsyncClient, method: str, path: str, body: bytes = b"", headers: Sequence[Header] = ()
    ) -> None:
        self._engine, self._body = engine, body
        self.method, self.raw_path = method, path.encode()
        self.headers = headers or [(b"content-type", b"application/json"), (b"accept-encoding", b"identity")]
        call = read(method, *self.raw_path.split(b"?", 1))
        assert call is not None
        self.call: Call = call
        self.sent: tuple[int, bytes] | None = None
        self.afterwards: list[Callable[[], None]] = []

    async def body(self, limit: int) -> bytes | None:
        """What came."""
        return self._body if len(self._body) <= limit else None

    async def pass_on(self, body: bytes | None = None, headers: Sequence[Header] | None = None) -> DirectAnswer:
        """To the engine."""
        content = self._body if body is None else body
        request = self._engine.build_request(
            self.method, self.raw_path.decode(), content=content or None, headers=list(headers or self.headers)
        )
        return DirectAnswer(await self._engine.send(request, stream=True), self)

    async def respond(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Here."""
        self.sent = (status, body)

    def after(self, callback: Callable[[], None]) -> None:
        """Kept for the end."""
        self.afterwards.append(callback)
