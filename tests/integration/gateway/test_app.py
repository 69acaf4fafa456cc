"""The application before a node: its parts take requests, and what they do wrong harms no request."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import pytest

from integration.gateway import app, passing
from integration.gateway.app import Gateway
from integration.gateway.exchange import Exchange
from integration.gateway.upstream import Upstream
from integration.gateway.upstream import node as node_at
from tests.integration.gateway.node import OK, Node, answers, breaks_off, node

Does = Callable[[Exchange], Any]
JSON = [(b"content-type", b"application/json")]


@dataclass
class Part:
    """A handler of searches, and of our own endpoints, that does what a test says."""

    does: Does
    kinds: Collection[str] = ("search", "own")

    async def handle(self, exchange: Exchange) -> bool:
        return bool(await self.does(exchange))


@dataclass
class Client:
    """One request; `sent` are the messages that came back."""

    body: bytes = b'{"query": 1}'
    path: bytes = b"/books/_search"
    method: str = "POST"
    pieces: int = 3
    sent: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, url: str, *parts: Part, limit: int = 1000) -> bytes:
        """The body of the answer."""

        async def run() -> None:
            cluster = Upstream([node_at(url)], timeout=5, connect_timeout=5)
            gateway = Gateway(cluster, parts, limit=limit, patience=5)
            await gateway(self._scope(), self._receive, self._send)
            await cluster.close()

        self._left = [self.body[at :: self.pieces] for at in range(self.pieces)]
        size = -(-len(self.body) // self.pieces)
        self._left = [self.body[at : at + size] for at in range(0, len(self.body), size)]
        asyncio.run(run())
        return b"".join(message.get("body", b"") for message in self.sent)

    def _scope(self) -> dict[str, Any]:
        path, _, query = self.path.partition(b"?")
        headers = [(b"host", b"a"), *JSON, (b"content-length", b"%d" % len(self.body))]
        return {
            "type": "http", "method": self.method, "raw_path": path, "query_string": query,
            "http_version": "1.1", "headers": headers,
        }  # fmt: skip

    async def _receive(self) -> dict[str, Any]:
        piece = self._left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._left)}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def cluster() -> Any:
    with node(answers(OK)) as made:
        yield made


async def passed(_: Exchange) -> bool:
    return False


async def fails(_: Exchange) -> bool:
    raise LookupError("secret-of-a-reader")


async def reads_and_fails(exchange: Exchange) -> bool:
    assert await exchange.body(100) == b'{"query": 1}'
    raise LookupError("secret-of-a-reader")


async def begins_to_read(exchange: Exchange) -> bool:
    assert await exchange.body(5) is None
    return False


async def asks_and_fails(exchange: Exchange) -> bool:
    await exchange.pass_on()
    raise LookupError("secret-of-a-reader")


@pytest.mark.parametrize("does", [passed, fails, reads_and_fails, begins_to_read, asks_and_fails])
def test_the_request_goes_on_as_it_came(cluster: Node, does: Does) -> None:
    client = Client()
    assert client.ask(cluster.url, Part(does), Part(passed)) == b"{}"
    assert cluster.requests == [
        b"POST /books/_search HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n"
        b'{"query": 1}'
    ]


def test_what_a_part_raised_is_logged_without_its_words(cluster: Node, caplog: pytest.LogCaptureFixture) -> None:
    from integration import logs

    with caplog.at_level(logging.ERROR):
        Client().ask(cluster.url, Part(fails))
    [record] = caplog.records
    line = logs.Text().format(record)
    assert "LookupError" in line
    assert "secret-of-a-reader" not in line


def test_a_part_that_fails_after_it_took_the_answers_body_breaks_the_answer(cluster: Node) -> None:
    async def takes_and_fails(exchange: Exchange) -> bool:
        await (await exchange.pass_on()).whole(100)
        raise LookupError

    client = Client()
    client.ask(cluster.url, Part(takes_and_fails))
    assert not any(message["type"] == "http.response.body" and not message["more_body"] for message in client.sent) or (
        client.sent[0]["status"] == 502
    )
    assert len(cluster.requests) == 1


def test_a_part_that_fails_within_its_answer_breaks_it(cluster: Node) -> None:
    async def begins_and_fails(exchange: Exchange) -> bool:
        await exchange.start(200, [(b"content-length", b"5")])  # type: ignore[attr-defined]
        raise LookupError

    client = Client()
    assert client.ask(cluster.url, Part(begins_and_fails)) == b""
    assert [message["type"] for message in client.sent] == ["http.response.start"]
    assert cluster.requests == []


def test_our_own_endpoints_never_reach_the_cluster(cluster: Node) -> None:
    client = Client(path=b"/_crosshatch/search")
    assert b"crosshatch_gateway_unforeseen" in client.ask(cluster.url, Part(fails))
    assert client.sent[0]["status"] == 500
    assert cluster.requests == []


def test_another_body_and_other_headers_go_out(cluster: Node) -> None:
    async def changes(exchange: Exchange) -> bool:
        answer = await exchange.pass_on(b"changed", [(b"x-mine", b"1"), (b"content-length", b"99")])
        await answer.relay()
        return True

    Client().ask(cluster.url, Part(changes))
    assert cluster.requests == [b"POST /books/_search HTTP/1.1\r\nx-mine: 1\r\ncontent-length: 7\r\n\r\nchanged"]


@pytest.mark.parametrize(
    "header", [(b"x", b"a\r\nb: c"), (b"x", b"a\nb"), (b"x\r\ny", b"a"), (b"x y", b"a"), (b"x", b"a\x00")]
)
def test_a_header_that_would_be_two_is_not_sent(cluster: Node, header: tuple[bytes, bytes]) -> None:
    async def injects(exchange: Exchange) -> bool:
        await (await exchange.pass_on(headers=[header])).relay()
        return True

    assert Client().ask(cluster.url, Part(injects)) == b"{}"  # as it came
    assert len(cluster.requests) == 1
    assert b"content-type: application/json" in cluster.requests[0]


def test_what_is_to_be_done_after_an_answer_is_done_and_may_fail(cluster: Node) -> None:
    done: list[int] = []

    async def plans(exchange: Exchange) -> bool:
        exchange.after(lambda: done.append(1))
        exchange.after(lambda: done.append(1 // 0))
        exchange.after(lambda: done.append(2))
        await (await exchange.pass_on()).relay(lambda piece: done.append(len(piece)))
        assert done == [2]
        return True

    assert Client().ask(cluster.url, Part(plans)) == b"{}"
    assert done == [2, 1, 2]


def test_a_path_that_cannot_be_read_is_no_parts_business(cluster: Node) -> None:
    Client(path=b"/books/../_search").ask(cluster.url, Part(fails))
    assert cluster.requests[0].startswith(b"POST /books/../_search ")


def test_a_node_that_breaks_off_tells_the_client(cluster: Node) -> None:
    cluster.does = breaks_off(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{")
    client = Client()
    client.ask(cluster.url)
    assert all(message["type"] == "http.response.start" or message["more_body"] for message in client.sent)


def test_a_node_that_breaks_off_while_a_part_reads_is_a_502(cluster: Node) -> None:
    """Nothing of the answer was passed on, so the client is told; the request is not sent a second time."""

    async def reads(exchange: Exchange) -> bool:
        raw = await (await exchange.pass_on()).whole(100)
        await exchange.respond(200, [], raw)
        return True

    cluster.does = breaks_off(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{")
    client = Client()
    assert b"crosshatch_gateway_broken_answer" in client.ask(cluster.url, Part(reads))
    assert client.sent[0]["status"] == 502
    assert len(cluster.requests) == 1


def test_a_body_that_finds_no_room_beside_others_streams_through(
    cluster: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[passing.Held] = []

    class Full(passing.Held):
        def __init__(self) -> None:
            super().__init__(5)
            made.append(self)

    async def wants(exchange: Exchange) -> bool:
        assert await exchange.body(100) is None
        return False

    monkeypatch.setattr(app, "Held", Full)
    assert Client().ask(cluster.url, Part(wants)) == b"{}"
    assert cluster.requests[0].endswith(b'\r\n\r\n{"query": 1}')
    assert [held.size for held in made] == [0]  # given back


def test_a_part_waits_for_no_body_that_drips(cluster: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "SLOW", 0)

    async def wants(exchange: Exchange) -> bool:
        assert await exchange.body(100) is None
        return False

    assert Client().ask(cluster.url, Part(wants)) == b"{}"
    assert cluster.requests[0].endswith(b'\r\n\r\n{"query": 1}')
