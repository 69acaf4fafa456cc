"""What a part of the gateway sees of a request and of its answer. `app` provides both; parts know no more than this."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from integration.gateway.calls import Call

Header = tuple[bytes, bytes]


class Answer(Protocol):
    """The cluster's answer, of which the body is yet to come."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Sequence[Header]:
        """The headers as they came."""
        ...

    async def relay(self, watch: Callable[[bytes], None] | None = None) -> None:
        """Stream the answer to the client. `watch` is given each piece as it came; it must neither wait nor raise."""
        ...

    async def whole(self, limit: int) -> bytes:
        """The body, read here: then `Exchange.respond` answers. Raises where it is larger or does not come whole."""
        ...


class Exchange(Protocol):
    """A request and the way to its answer."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def raw_path(self) -> bytes:
        """Path and query string as they came."""
        ...

    @property
    def headers(self) -> Sequence[Header]:
        """The headers as they came."""
        ...

    @property
    def call(self) -> Call:
        """Which API it is."""
        ...

    async def body(self, limit: int) -> bytes | None:
        """The whole body as it came; None where it is larger than `limit`: what is not read streams through."""
        ...

    async def pass_on(self, body: bytes | None = None, headers: Sequence[Header] | None = None) -> Answer:
        """Send the request to the cluster, with another body or other headers where given."""
        ...

    async def respond(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Answer it here."""
        ...

    def after(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once the answer is sent; whatever it raises is logged and harms nobody."""
        ...


class Handler(Protocol):
    """A part of the gateway that looks at requests of some kinds (`Call.kind`), in the order of the application."""

    @property
    def kinds(self) -> Collection[str]:
        """The kinds of request that it wants to see."""
        ...

    async def handle(self, exchange: Exchange) -> bool:
        """Answer a request, and return True; False, with nothing sent: the next one sees it, or it passes through."""
        ...
