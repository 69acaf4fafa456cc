"""Several nodes: which of them gets a request, and what goes out again."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.integration.gateway.node import OK, Node, answers, breaks_off, node
from tests.integration.gateway.process import Running, gateway_before
from tests.integration.gateway.wire import error, exchanged, opened, until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
GONE = "http://127.0.0.1:1"  # nobody listens there


@contextmanager
def gateway(tmp: pytest.TempPathFactory, *urls: str, **settings: str) -> Iterator[Running]:
    """A gateway before these nodes."""
    settings = {"gateway_connect_timeout": "0.5", "gateway_drain": "5", **settings}
    with gateway_before(GONE, log=tmp.mktemp("gateway"), gateway_nodes=",".join(urls), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Node, Node]]:
    """Two nodes."""
    with node(answers(OK)) as one, node(answers(OK)) as other:
        yield one, other


@pytest.fixture(scope="module")
def before_two(tmp_path_factory: pytest.TempPathFactory, nodes: tuple[Node, Node]) -> Iterator[Running]:
    """A gateway before both, and before a third that is gone."""
    with gateway(tmp_path_factory, *(one.url for one in nodes), GONE) as running:
        yield running


@pytest.fixture(autouse=True)
def healthy(nodes: tuple[Node, Node]) -> None:
    """Both answer, and nothing was asked yet."""
    for one in nodes:
        one.does = answers(OK)
        one.requests.clear()


def counts(nodes: tuple[Node, Node]) -> list[int]:
    return [len(one.requests) for one in nodes]


def test_requests_are_shared_and_the_node_that_is_gone_costs_none(
    before_two: Running, nodes: tuple[Node, Node]
) -> None:
    for raw in (GET, POST, CHUNKED) * 8:
        assert exchanged(before_two.port, raw).endswith(b"{}")
    assert sum(counts(nodes)) == 24
    assert min(counts(nodes)) >= 8


def test_a_request_that_may_have_been_done_is_sent_once(before_two: Running, nodes: tuple[Node, Node]) -> None:
    for one in nodes:
        one.does = breaks_off(b"")
    for raw in (POST, CHUNKED, GET.replace(b"GET", b"DELETE"), POST.replace(b"POST", b"PUT")):
        for one in nodes:
            one.requests.clear()
        assert error(exchanged(before_two.port, raw))[0] == 502
        assert sum(counts(nodes)) == 1


def test_a_get_goes_to_the_other_node(before_two: Running, nodes: tuple[Node, Node]) -> None:
    nodes[0].does = breaks_off(b"")
    for _ in range(4):
        assert exchanged(before_two.port, GET).endswith(b"{}")
    assert len(nodes[0].requests) >= 1


def test_a_get_whose_answer_had_begun_does_not(before_two: Running, nodes: tuple[Node, Node]) -> None:
    for one in nodes:
        one.does = breaks_off(b"HTTP/1.1 200")
    assert error(exchanged(before_two.port, GET))[0] == 502
    assert sum(counts(nodes)) == 1


def test_where_no_node_takes_a_connection_it_is_a_503(tmp_path_factory: pytest.TempPathFactory) -> None:
    with gateway(tmp_path_factory, GONE, "http://127.0.0.1:2") as running:
        for raw in (GET, POST, CHUNKED):
            status, told = error(exchanged(running.port, raw))
            assert (status, told["type"]) == (503, "crosshatch_gateway_no_node")
            assert told["reason"] == "no node of the cluster takes a connection (ConnectionRefusedError)"  # names none


def test_a_node_that_comes_back_is_used_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(node(answers(OK)))
        running = stack.enter_context(gateway(tmp_path_factory, first.url))
        assert exchanged(running.port, POST).endswith(b"{}")
        first.close()
        time.sleep(0.1)  # its connections end at the gateway too
        assert error(exchanged(running.port, POST))[0] == 503
        again = stack.enter_context(node(answers(OK), port=first.port))
        assert exchanged(running.port, POST).endswith(b"{}")  # asked at once: there is no other
        assert len(again.requests) == 1


def test_a_drain_lets_requests_end_and_takes_no_more(tmp_path_factory: pytest.TempPathFactory) -> None:
    asked, release = threading.Event(), threading.Event()
    with node(answers(OK)) as slow, gateway(tmp_path_factory, slow.url) as running:

        def does(connection: object, _: bytes) -> None:
            asked.set()
            release.wait(10)
            connection.sendall(OK)  # type: ignore[attr-defined]

        slow.does = does
        got: list[bytes] = []
        client = threading.Thread(target=lambda: got.append(exchanged(running.port, POST)))
        client.start()
        assert asked.wait(5)
        running.process.terminate()
        until(lambda: _refuses(running.port))
        assert running.process.poll() is None
        release.set()
        client.join(5)
        assert got[0].startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"connection: close\r\n" in got[0]
        assert running.process.wait(5) == 0


def test_a_drain_does_not_wait_for_ever(tmp_path_factory: pytest.TempPathFactory) -> None:
    with node(lambda *_: time.sleep(20)) as slow, gateway(tmp_path_factory, slow.url, gateway_drain="1") as running:
        client = threading.Thread(target=lambda: exchanged(running.port, POST))
        client.start()
        until(lambda: slow.requests)
        running.process.terminate()
        assert running.process.wait(10) == 0
        client.join(5)


def _refuses(port: int) -> bool:
    try:
        opened(port).close()
    except ConnectionRefusedError:
        return True
    return False
