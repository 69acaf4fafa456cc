"""Nodes and clients that are slow, break off or go away: whoever is left sees that something was broken."""

import contextlib
import http.client
import re
import socket
import threading
import time

import pytest

from tests.integration.gateway.conftest import LIMIT, PATIENCE
from tests.integration.gateway.node import OK, Node, answers, breaks_off
from tests.integration.gateway.process import Running
from tests.integration.gateway.wire import error, exchanged, is_closed, opened, rest, until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def read(gateway: Running) -> bytes:
    """The whole answer, for a client that believes what it is told."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/a", body=b"{}")
        with connection.getresponse() as answer:
            return answer.read()


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"HTTP/1.1 200 OK\r\nconte", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", b"no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n",
        CHUNKED + b"2\r\n{}\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000,
    ],
)  # fmt: skip
def test_an_answer_whose_head_is_broken_is_a_502(gateway: Running, node: Node, raw: bytes) -> None:
    node.does = breaks_off(raw)
    status, told = error(exchanged(gateway.port, POST))
    assert (status, told["type"]) == (502, "crosshatch_gateway_broken_answer")
    assert len(node.requests) == 1  # nobody knows whether it was done


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{", CHUNKED, CHUNKED + b"2\r\n{}\r\n", CHUNKED + b"5\r\n{}",
        CHUNKED + b"2\r\n{}\r\n0\r\n",
    ],
)  # fmt: skip
def test_an_answer_that_breaks_off_is_broken_for_the_client_too(gateway: Running, node: Node, raw: bytes) -> None:
    node.does = breaks_off(raw)
    with pytest.raises(http.client.IncompleteRead):
        read(gateway)
    assert len(node.requests) == 1


def test_what_follows_an_answer_unasked_reaches_no_other_client(gateway: Running, node: Node) -> None:
    poison = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
    closing = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    sent = threading.Semaphore(0)
    for late in (0.0, 0.05):

        def does(connection: socket.socket, _: bytes, late: float = late) -> None:
            connection.sendall(OK + (b"" if late else poison))
            if late:
                time.sleep(late)
                connection.sendall(poison)
            sent.release()

        node.does = does
        for _ in range(5):
            assert exchanged(gateway.port, closing).endswith(b"{}")
            assert sent.acquire(timeout=10)  # what comes once the next request is sent is that one's answer
            time.sleep(late)


def test_two_clients_at_once_get_their_own(gateway: Running, node: Node) -> None:
    def does(connection: socket.socket, raw: bytes) -> None:
        name = raw.split(b" ")[1]
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(name), name))

    node.does = does
    wrong: list[object] = []

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
        for turn in range(50):
            path = f"/{number}/{turn}/" + "x" * (number * 7)
            connection.request("GET", path)
            said = connection.getresponse().read().decode()
            if said != path:
                wrong.append((path, said))
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_get_goes_out_again_on_a_fresh_connection_where_an_idle_one_was_closed(gateway: Running, node: Node) -> None:
    exchanged(gateway.port, GET)  # leaves an idle connection
    served = []

    def does(connection: socket.socket, _: bytes) -> None:
        served.append(connection)
        if len(served) == 1:
            raise ConnectionAbortedError
        connection.sendall(OK)

    node.does = does
    assert exchanged(gateway.port, GET).endswith(b"{}")
    assert len(node.requests) == 3


def test_a_silent_node_is_a_504(gateway: Running, node: Node) -> None:
    node.does = lambda *_: time.sleep(PATIENCE * 2)
    began = time.monotonic()
    with opened(gateway.port) as connection:
        connection.sendall(POST)
        status, told = error(rest(connection, quiet=PATIENCE * 1.5))
    assert (status, told["type"]) == (504, "crosshatch_gateway_too_slow")
    assert time.monotonic() - began < PATIENCE * 3
    assert len(node.requests) == 1


def test_a_node_that_falls_silent_within_its_answer_breaks_it(gateway: Running, node: Node) -> None:
    node.does = lambda connection, _: (connection.sendall(CHUNKED + b"2\r\n{}\r\n"), time.sleep(PATIENCE * 2))  # type: ignore[assignment, return-value]
    with pytest.raises(http.client.IncompleteRead):
        read(gateway)


def test_a_head_that_drips_is_refused(gateway: Running, node: Node) -> None:
    with opened(gateway.port) as connection:
        began = time.monotonic()
        for piece in (b"GET / HTTP", b"/1.1\r\n", b"Host: a\r\n", b"X: 1\r\n", b"X: 2\r\n", b"X: 3\r\n"):
            with contextlib.suppress(OSError):  # refused already
                connection.sendall(piece)
            time.sleep(PATIENCE / 4)
        assert error(rest(connection, quiet=PATIENCE))[0] == 408
        assert is_closed(connection, seconds=1)
    assert time.monotonic() - began < PATIENCE * 3
    assert node.requests == []


def test_a_connection_that_says_nothing_is_closed(gateway: Running) -> None:
    with opened(gateway.port) as connection:
        assert is_closed(connection, seconds=PATIENCE * 2)


def test_a_body_that_stops_is_refused_and_the_node_sees_no_whole_request(gateway: Running, node: Node) -> None:
    with opened(gateway.port) as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{")
        assert error(rest(connection, quiet=PATIENCE * 2))[0] == 408
        assert is_closed(connection, seconds=1)
    until(lambda: len(node.broken) == 1)
    assert node.requests == []


def test_a_slow_body_that_goes_on_is_taken(gateway: Running, node: Node) -> None:
    with opened(gateway.port) as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            time.sleep(PATIENCE / 3)
            connection.sendall(b"x")
        assert rest(connection).endswith(b"{}")


def test_a_client_that_goes_away_within_its_body_ends_the_request(gateway: Running, node: Node) -> None:
    with opened(gateway.port) as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
        time.sleep(0.2)
    until(lambda: len(node.broken) == 1)
    assert node.broken[0].endswith(b"1\r\n{\r\n")


def closes(connection: socket.socket) -> bool:
    connection.settimeout(PATIENCE / 2)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(("path", "ended"), [(b"/b/_search", True), (b"/b/_doc", False)])
def test_a_client_that_goes_away_ends_its_search_but_no_write(
    gateway: Running, node: Node, path: bytes, ended: bool
) -> None:
    seen = []
    node.does = lambda connection, _: seen.append(closes(connection))
    with opened(gateway.port) as connection:
        connection.sendall(POST.replace(b"/a", path))
        until(lambda: node.requests)
    until(lambda: seen)
    assert seen == [ended]


def test_a_client_that_takes_nothing_is_let_go_and_little_is_kept_for_it(gateway: Running, node: Node) -> None:
    size, sent = 200_000_000, []

    def does(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 1_000_000):
            connection.sendall(b"x" * 1_000_000)
            sent.append(1)

    node.does = does
    before = resident(gateway)
    with opened(gateway.port) as connection:
        connection.sendall(GET)
        time.sleep(PATIENCE / 2)
        assert resident(gateway) - before < 20_000_000
        time.sleep(PATIENCE * 1.5)
        got = rest(connection)
        assert len(got) < size
    assert len(sent) < 50


def resident(gateway: Running) -> int:
    """Bytes of memory that the process holds."""
    with open(f"/proc/{gateway.process.pid}/status") as status:  # noqa: PTH123
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_a_413(gateway: Running, node: Node, chunked: bool) -> None:
    body = b"x" * (LIMIT + 1)
    head = b"POST /a HTTP/1.1\r\nHost: a\r\n"
    raw = (
        head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        if chunked
        else head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    with opened(gateway.port) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(raw)
        status, told = error(rest(connection))
    assert (status, told["type"]) == (413, "crosshatch_gateway_too_large")
    assert node.requests == []


def test_the_cluster_may_refuse_a_body_before_it_has_all(gateway: Running, node: Node) -> None:
    early = b"HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    node.does = breaks_off(early)
    with opened(gateway.port) as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert rest(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("endless", [b"0\r\nX: ", b"0\r\nX: a\r\nY: ", b"3;a="])
def test_what_never_becomes_a_body_is_not_kept_for_ever(gateway: Running, node: Node, endless: bytes) -> None:
    """A trailer, or what a chunk says of itself: both come after the head, and have no length."""
    with opened(gateway.port) as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n" + endless)
        with contextlib.suppress(OSError):
            for _ in range(200):
                connection.sendall(b"x" * 10_000)
                time.sleep(0.001)
        answer = rest(connection, quiet=2)
        assert is_closed(connection, seconds=1)
    if answer:  # else it was closed while we still sent, and the system threw it away
        assert error(answer)[0] == 431
    until(lambda: len(node.broken) == 1)
    assert node.requests == []


def test_what_follows_an_answer_without_a_body_ends_the_connection(gateway: Running, node: Node) -> None:
    node.does = answers(b"HTTP/1.1 204 No Content\r\n\r\nrubbish")
    assert exchanged(gateway.port, b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").endswith(b"\r\n\r\n")
    node.does = answers(OK)
    before = node.connections
    assert exchanged(gateway.port, b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").endswith(b"{}")
    assert node.connections == before + 1
