"""The cluster as the gateway reaches it: its nodes, their connections, and which node gets a request.

A request goes to another node where the first took no connection: nothing was sent. Once a byte was sent, only GET and
HEAD without a streaming body go out again, and only while no byte of an answer came: of everything else nobody knows
whether it was done.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from integration.gateway import framing
from integration.gateway.connection import Connection, Source
from integration.gateway.exchange import Header
from integration.gateway.failures import BrokenAnswer, NoNode, TooLarge
from integration.gateway.searching import Told
from mappings.errors import SettingsError

MOST_IDLE = 64  # connections of a node that are kept open while nobody needs them
IDLE = 90.0  # seconds after which such a one is closed
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds in which a node that took no connection is asked last
MOST_READ = 100_000_000  # bytes of an answer that is taken whole
_SAFE = ("GET", "HEAD")


@dataclass(slots=True)
class Node:
    """A node: where it is, its open connections, and until when it counts as down."""

    host: str
    port: int
    secure: bool
    idle: list[Connection] = field(default_factory=list)
    down_until: float = 0.0
    pause: float = FIRST_PAUSE

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.host}:{self.port}"


def node(url: str) -> Node:
    """The node at a URL. User and password in it are the gateway's own, and not for requests of others.

    Raises SettingsError.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = None, 0
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise SettingsError(  # what came may hold a password
            "a node's URL (CROSSHATCH_GATEWAY_NODES, or CROSSHATCH_OPENSEARCH_URL) cannot be used; "
            "expected http(s)://host[:port], without a path"
        )
    return Node(parts.hostname, port, parts.scheme == "https")


class Answer:
    """An answer of the cluster whose body is yet to come. `close` it, or take `pieces` to their end."""

    def __init__(self, connection: Connection, release: Callable[[], None], timeout: float) -> None:
        self._connection, self._release, self._timeout = connection, release, timeout
        self._taken = False
        self.status = connection.status
        self.headers: Sequence[Header] = connection.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body. Raises BrokenAnswer or TooSlow where it does not come to its end."""
        if self._taken:
            raise BrokenAnswer("the node's answer was taken already")
        self._taken = True
        try:
            async for piece in self._connection.pieces(self._timeout):
                yield piece
        finally:
            self.close()

    async def whole(self, limit: int = MOST_READ) -> bytes:
        """All of the body. Raises as `pieces`, and TooLarge."""
        parts, size = [], 0
        async for piece in self.pieces():
            parts.append(piece)
            size += len(piece)
            if size > limit:
                self.close()
                raise TooLarge(f"the cluster's answer is larger than {limit} bytes, and had to be read whole")
        return b"".join(parts)

    def close(self) -> None:
        """Give the connection back; closed where the answer did not come to its end."""
        release, self._release = self._release, _nothing
        release()


def _nothing() -> None:
    """Already given back."""


class Upstream:
    """The nodes. `timeout`: seconds of silence that an answer may have; `connect_timeout`: for a connection."""

    def __init__(
        self, nodes: Sequence[Node], *, timeout: float, connect_timeout: float, tls: ssl.SSLContext | None = None
    ) -> None:
        self.nodes = list(nodes)
        self._timeout, self._connect_timeout, self._tls = timeout, connect_timeout, tls
        self._turn = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(
        self, method: str, target: bytes, headers: list[Header], body: bytes | Source = b"", *, chunked: bool = False
    ) -> Answer:
        """Send a request; return once the head of its answer is there.

        The headers go out as they are. Raises NoNode, BrokenAnswer, TooSlow, what `body` raises, and ValueError for
        headers that cannot be sent.
        """
        again = method in _SAFE and isinstance(body, bytes)
        head = framing.head(method, target, headers)
        failure: Exception | None = None
        for one in self._in_turn():
            while True:
                pooled = self._pooled(one)
                try:
                    connection = pooled or await self._opened(one)
                except OSError as error:
                    self._down(one)
                    failure = failure or error
                    break
                try:
                    await connection.ask(method, head, body, chunked=chunked, timeout=self._timeout)
                except BrokenAnswer as error:
                    if not again or connection.heard:
                        raise
                    failure = error
                    if pooled:  # the node may only have closed what was idle: another connection of its tells
                        continue
                    break
                return Answer(connection, lambda c=connection, n=one: self._back(c, n), self._timeout)  # type: ignore[misc]
        if isinstance(failure, BrokenAnswer):
            raise failure
        why = f" ({type(failure).__name__})" if failure else ""
        raise NoNode(f"no node of the cluster takes a connection{why}") from failure

    async def ask(self, method: str, target: bytes, headers: Sequence[Header], body: bytes = b"") -> Told:
        """A small request of ours with these headers, its answer read whole. Raises as `send` and `Answer.whole`."""
        sent = framing.without(framing.end_to_end(headers), b"accept-encoding")
        if body or method not in _SAFE:
            sent = framing.with_length(sent, len(body))
        if framing.first(sent, b"host") is None:
            sent.insert(0, (b"host", self.nodes[0].name.encode()))
        answer = await self.send(method, target, sent, body)
        return Told(answer.status, answer.headers, await answer.whole())

    async def close(self) -> None:
        """Close what is idle."""
        for one in self.nodes:
            while one.idle:
                one.idle.pop().close()
        await asyncio.sleep(0)  # the loop closes them in its next turn

    def _in_turn(self) -> list[Node]:
        """Every node once: those that answer first, each request beginning at another one."""
        self._turn += 1
        now = self._now()
        up = [one for one in self.nodes if one.down_until <= now]
        at = self._turn % len(up) if up else 0
        down = sorted((one for one in self.nodes if one.down_until > now), key=lambda one: one.down_until)
        return [*up[at:], *up[:at], *down]

    def _pooled(self, one: Node) -> Connection | None:
        now = self._now()
        while one.idle and now - one.idle[0].idle_since > IDLE:
            one.idle.pop(0).close()
        while one.idle:
            if (connection := one.idle.pop()).usable:
                return connection
        return None

    async def _opened(self, one: Node) -> Connection:
        loop = self._loop = self._loop or asyncio.get_running_loop()
        tls = self._tls if one.secure else None
        async with asyncio.timeout(self._connect_timeout):  # a TimeoutError is an OSError
            _, connection = await loop.create_connection(
                lambda: Connection(loop), one.host, one.port, ssl=tls, server_hostname=one.host if tls else None
            )
        one.pause, one.down_until = FIRST_PAUSE, 0.0
        return connection

    def _down(self, one: Node) -> None:
        one.down_until = self._now() + one.pause
        one.pause = min(one.pause * 2, LONGEST_PAUSE)
        while one.idle:
            with suppress(OSError):
                one.idle.pop().close()

    def _back(self, connection: Connection, one: Node) -> None:
        if connection.release():
            if len(one.idle) < MOST_IDLE:
                one.idle.append(connection)
            else:
                connection.close()

    def _now(self) -> float:
        self._loop = self._loop or asyncio.get_running_loop()
        return self._loop.time()
