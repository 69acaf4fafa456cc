"""Requests that two readers could read in two ways, and paths that play tricks, on plain sockets."""

import pytest

from tests.integration.gateway.node import OK, Node, answers
from tests.integration.gateway.process import Running
from tests.integration.gateway.wire import error, exchanged, is_closed, opened, rest, until

POST = b"POST /books/_search HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HIDDEN = b"GET /_hidden HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: 44\r\nContent-Length: 44\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: 0, 44\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: +44\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: -1\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: 0x2c\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + HIDDEN,
        POST + b"Content-Length : 44\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding:\r\n\r\n" + HIDDEN,
        POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: 4 4\r\n\r\nabcd" + HIDDEN,
        POST + b"Content-Length:\r\n\r\n" + HIDDEN,
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
        CHUNKED + b"3;a\nabc\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b'3;a="\r\n"\r\nabc\r\n0\r\n\r\n' + HIDDEN,
        CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b"\r\nabc\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + HIDDEN,
        CHUNKED + b"0\r\nContent-Length: 50\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"X: a\x00b\r\n\r\n",
        POST + b"X\x00: a\r\n\r\n",
        POST + b"X Y: a\r\n\r\n",
        POST + b": a\r\n\r\n",
        POST + b"Host: b\r\n\r\n",
        CHUNKED + b"g\r\nabc\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b"3\nabc\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n" + HIDDEN,
        CHUNKED + b"3\r\nabc\r\n0\r\n\n" + HIDDEN,
        b"GET http://elsewhere/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT elsewhere:9200 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G\xc3T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1 x\r\nHost: a\r\n\r\n",
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(gateway: Running, node: Node, raw: bytes) -> None:
    with opened(gateway.port) as connection:
        connection.sendall(raw)
        answer = rest(connection, quiet=3)
        assert is_closed(connection, seconds=1)
    status, told = error(answer)
    assert status in (400, 505)
    assert told["type"] == "crosshatch_gateway_refused"
    assert answer.count(b"HTTP/1.1 ") == 1
    assert node.requests == []


def test_a_chunk_that_breaks_later_ends_the_request_at_the_node_too(gateway: Running, node: Node) -> None:
    with opened(gateway.port) as connection:
        connection.sendall(CHUNKED.replace(b"_search", b"_bulk") + b"3\r\nabc\r\n")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.sendall(b"zz\r\nabc\r\n0\r\n\r\n" + HIDDEN)
        assert error(rest(connection, quiet=2))[0] == 400
    until(lambda: len(node.broken) == 1)
    assert node.broken[0].endswith(b"\r\n\r\n3\r\nabc\r\n")
    assert node.requests == []


def test_a_trailer_is_no_header(gateway: Running, node: Node) -> None:
    exchanged(gateway.port, CHUNKED + b"3\r\nabc\r\n0\r\nAuthorization: Basic eA==\r\nX-Role: admin\r\n\r\n")
    assert len(node.requests) == 1
    assert b"eA==" not in node.requests[0]
    assert b"admin" not in node.requests[0]


def test_an_offer_to_change_the_protocol_is_left_out_and_the_body_is_kept(gateway: Running, node: Node) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    answer = exchanged(gateway.port, POST + offer + b"Content-Length: 2\r\n\r\n{}" + HIDDEN, answers=2)
    assert answer.count(OK[-2:]) == 2
    assert node.requests[0].endswith(b"content-length: 2\r\n\r\n{}")
    assert b"pgrade" not in node.requests[0]
    assert node.requests[1].startswith(b"GET /_hidden ")


def test_an_old_client_that_offers_another_protocol_is_answered_once(gateway: Running, node: Node) -> None:
    old = POST.replace(b"1.1", b"1.0") + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}"
    with opened(gateway.port) as connection:
        connection.sendall(old + HIDDEN)
        assert rest(connection, quiet=2).count(b"HTTP/1.1 ") == 1
        assert is_closed(connection, seconds=1)
    assert len(node.requests) == 1


def test_requests_that_come_at_once_are_answered_in_order(gateway: Running, node: Node) -> None:
    node.does = lambda connection, raw: connection.sendall(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" + raw.split(b" ")[1][1:3]
    )
    names = [b"%02d" % number for number in range(20)]
    asked = b"".join(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % name for name in names)
    answer = exchanged(gateway.port, asked, answers=len(names))
    assert [part[-2:] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]] == names


def test_very_many_requests_at_once_are_answered_as_far_as_they_may_wait(gateway: Running, node: Node) -> None:
    with opened(gateway.port) as connection:
        connection.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
        answer = rest(connection, quiet=3)
        assert is_closed(connection, seconds=1)
    assert 100 <= answer.count(b"HTTP/1.1 200 OK\r\n") <= 200
    assert answer.endswith(b"{}")


def test_rubbish_behind_a_request_harms_neither_its_answer_nor_others(gateway: Running, node: Node) -> None:
    with opened(gateway.port) as connection:
        connection.sendall(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\nrubbish\r\n\r\n")
        answer = rest(connection, quiet=2)
        assert is_closed(connection, seconds=1)
    assert answer.endswith(b"\r\n\r\n{}")
    assert answer.count(b"HTTP/1.1") == 1
    assert [raw.split(b" ")[1] for raw in node.requests] == [b"/first"]


@pytest.mark.parametrize(
    "target",
    [
        b"/a/../b", b"/a/./b", b"/..", b"//a//b", b"/a%2fb", b"/a%2Fb/%2e%2e/c", b"/%5Fsearch", b"/a//_search",
        b"/a?", b"/a??b", b"/a?b#c", b"/a?q=%00", b"/a?q=a+b;c=d&&e", b"/a;b", b"/~a/%7Ea", b"/a|b^c\"<>`{}", b"*",
        b"/%", b"/%zz", b"/caf%C3%A9/_search?q=%E9",
    ],
)  # fmt: skip
def test_a_path_goes_out_as_it_came(gateway: Running, node: Node, target: bytes) -> None:
    method = b"OPTIONS" if target == b"*" else b"GET"
    exchanged(gateway.port, b"%b %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % (method, target))
    assert [raw.split(b" ")[1] for raw in node.requests] == [target.removesuffix(b"?") if target == b"/a?" else target]


def test_headers_for_the_other_end_go_there_as_they_are_and_no_others(gateway: Running, node: Node) -> None:
    exchanged(
        gateway.port,
        b"POST /a HTTP/1.1\r\nHost: cat.example\r\nAuthorization: ApiKey abc\r\nX-Twice: 1\r\nAccept-Encoding: gzip\r\n"
        b"X-Twice: 2\r\nConnection: close, X-Mine, Content-Length\r\nX-Mine: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\n"
        b"Proxy-Connection: x\r\nX-Odd: \xe9\xff \r\nContent-Length: 2\r\n\r\n{}",
    )
    assert node.requests == [
        b"POST /a HTTP/1.1\r\nhost: cat.example\r\nauthorization: ApiKey abc\r\nx-twice: 1\r\naccept-encoding: gzip\r\n"
        b"x-twice: 2\r\nx-odd: \xe9\xff \r\ncontent-length: 2\r\n\r\n{}"
    ]


def test_headers_of_an_answer_come_as_they_are_and_no_others(gateway: Running, node: Node) -> None:
    node.does = answers(
        b"HTTP/1.1 200 OK\r\nwarning: 299 a\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nx-odd: \xe9\xff\r\n"
        b"connection: x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\n"
        b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n"
    )
    answer = exchanged(gateway.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer == (
        b"HTTP/1.1 200 OK\r\nwarning: 299 a\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-odd: \xe9\xff\r\n"
        b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )


def test_a_client_of_http_1_0_gets_a_length_and_a_close(gateway: Running, node: Node) -> None:
    node.does = answers(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    answer = exchanged(gateway.port, b"GET / HTTP/1.0\r\n\r\n")
    assert answer == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


def test_heads_are_bounded(gateway: Running, node: Node) -> None:
    long = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000
    assert exchanged(gateway.port, long + b"\r\n\r\n").endswith(b"{}")
    with opened(gateway.port) as connection:
        connection.sendall(long)
        connection.sendall(b"x" * 40_000)
        assert error(rest(connection, quiet=2))[0] == 431
        assert is_closed(connection, seconds=1)
    assert len(node.requests) == 1
