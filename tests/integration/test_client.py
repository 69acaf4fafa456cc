"""Every failure of the engine becomes one of our errors, and no password stands in it."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opensearchpy import exceptions as theirs

from integration.engine.client import Cluster, part
from mappings.errors import (
    CrosshatchError,
    EngineRefused,
    EngineUnavailable,
    SettingsError,
    UnknownIndexError,
    WriteRefused,
)

URL = "https://admin:s3cr@t@search.example:9200"


def caused(kind: str, reason: str = "why") -> dict[str, Any]:
    return {"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason}, "status": 400}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], CrosshatchError]:
    """What a request ends in when the client raises this."""
    cluster = Cluster(URL)

    def end(error: Exception) -> CrosshatchError:
        def refuse(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(cluster._client.transport, "perform_request", refuse)
        with pytest.raises(CrosshatchError) as raised:
            cluster.request("GET", "/biblios/_search")
        assert "s3cr" not in str(raised.value)
        assert "admin" not in str(raised.value)
        assert raised.value.__cause__ is error
        return raised.value

    return end


HERE = "OpenSearch at search.example:9200"
GET = "GET /biblios/_search"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (theirs.ConnectionError("N/A", f"refused {URL}", OSError("refused")), EngineUnavailable,
         f"{HERE} cannot be reached; start one (`crosshatch engine start`) or set CROSSHATCH_OPENSEARCH_URL"),
        (theirs.SSLError("N/A", "certificate", OSError()), EngineUnavailable, f"{HERE} cannot be reached"),
        (theirs.ConnectionTimeout("TIMEOUT", "late", OSError()), EngineUnavailable,
         f"{HERE} did not answer {GET} in time; try again, or see its load"),
        (theirs.TransportError(429, "rejected_execution_exception", caused("rejected_execution_exception")),
         EngineUnavailable, f"{HERE} is too busy for {GET}: 429 rejected_execution_exception: why"),
        (theirs.TransportError(503, "", "<html>Bad Gateway</html>"), EngineUnavailable,
         f"{HERE} is too busy for {GET}: 503"),
        (theirs.NotFoundError(404, "x", caused("index_not_found_exception", "no such index [b]")),
         UnknownIndexError, f"{HERE}: no such index [b]; GET _cat/indices lists the names it has"),
        (theirs.AuthorizationException(403, "x", caused("cluster_block_exception", "FORBIDDEN/8")), WriteRefused,
         f"OpenSearch blocks {GET}: FORBIDDEN/8; lift the block (index.blocks.*, disk space) and run again"),
        (theirs.AuthenticationException(401, "Unauthorized", "Unauthorized"), EngineRefused,
         f"OpenSearch refused {GET}: 401 Unauthorized: Unauthorized"),
        (theirs.RequestError(400, "x", caused("parsing_exception")), EngineRefused,
         f"OpenSearch refused {GET}: 400 parsing_exception: why"),
        (theirs.RequestError(400, "x", '{"error":{"type":"parsing_exception","reason":"why"}}'), EngineRefused,
         f"OpenSearch refused {GET}: 400 parsing_exception: why"),
        (theirs.TransportError(400, "x", {"error": "no handler found"}), EngineRefused,
         f"OpenSearch refused {GET}: 400 error: no handler found"),
        (theirs.TransportError(500, "x", {"error": {
            "root_cause": [], "type": "search_phase_execution_exception", "reason": "all shards failed",
            "failed_shards": [{"reason": {"caused_by": {"reason": "in the script"}}}]}}), EngineRefused,
         f"OpenSearch refused {GET}: 500 search_phase_execution_exception: all shards failed (in the script)"),
        (theirs.RequestError(400, "x", {"error": {
            "root_cause": [{"type": "illegal_argument_exception", "reason": "failed to compile"}],
            "type": "illegal_argument_exception", "reason": "failed to compile",
            "caused_by": {"type": "illegal_argument_exception", "reason": "not enabled"}}}),
         EngineRefused,
         f"OpenSearch refused {GET}: 400 illegal_argument_exception: failed to compile (not enabled)"),
        (theirs.RequestError(400, "x", {"error": {
            "root_cause": [{"type": "a", "reason": "the same"}], "caused_by": {"type": "a", "reason": "the same"}}}),
         EngineRefused, f"OpenSearch refused {GET}: 400 a: the same"),
    ],
)  # fmt: skip
def test_each_failure_is_one_of_ours(
    failing: Callable[[Exception], CrosshatchError], error: Exception, kind: type[CrosshatchError], said: str
) -> None:
    ended = failing(error)
    assert type(ended) is kind
    assert str(ended).startswith(said)
    assert "the same (" not in str(ended)


@pytest.mark.parametrize(
    "body",
    [None, "", "[]", "null", 7, {}, {"error": None}, {"error": []}, {"error": 7}, {"error": {}}, {"message": "no"},
     {"error": {"root_cause": ["x"]}}, {"error": {"root_cause": None, "failed_shards": [None]}},
     {"error": {"failed_shards": [{"reason": {"caused_by": None}}]}}, {"error": {"failed_shards": {"a": 1}}},
     {"error": {"failed_shards": [{"reason": "x"}]}}, "x" * 100_000],
    ids=lambda body: str(body)[:60],
)  # fmt: skip
def test_whatever_stands_between_us_and_the_engine_may_answer_anything(
    failing: Callable[[Exception], CrosshatchError], body: Any
) -> None:
    ended = failing(theirs.TransportError(418, "teapot", body))
    assert isinstance(ended, EngineRefused)
    assert ended.status == 418
    assert len(str(ended)) < 1000


@pytest.mark.parametrize(
    "url",
    [
        "http://u:s3cret/x@h:1",
        "http://u:s3cret#x@h:1",
        "http://u:s3cret?x@h:1",
        "http://u:s3cret@h:port",
        "http://[s3cret",
    ],
)
def test_a_wrong_url_is_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="CROSSHATCH_OPENSEARCH_URL is no URL of a cluster") as raised:
        Cluster(url)
    assert "s3cret" not in str(raised.value)
    assert raised.value.__suppress_context__, "a traceback would show it"


@pytest.mark.parametrize(
    ("name", "escaped"), [("a/b c", "a%2Fb%20c"), ("ü", "%C3%BC"), ("A-z_0.~", "A-z_0.~"), ("..", "..")]
)
def test_a_name_is_one_part_of_a_path(name: str, escaped: str) -> None:
    assert part(name) == escaped


class Page(BaseHTTPRequestHandler):
    """A web server that is no OpenSearch; the path says what it answers."""

    def do_GET(self) -> None:
        kind = {"/html": "text/html", "/none": ""}.get(self.path, "application/json")
        body = {"/html": b"<html>hello</html>", "/broken": b'{"a":', "/latin": b'{"a":"\xe9"}'}.get(self.path, b"hello")
        self.send_response(200)
        if kind:
            self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/html", "/none", "/broken", "/latin"])
def test_a_server_that_is_no_opensearch(web: str, path: str) -> None:
    cluster = Cluster(web)
    with pytest.raises(EngineRefused) as raised:
        cluster.request("GET", path)
    assert raised.value.kind == "unreadable_answer"
    cluster.close()


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
@pytest.mark.parametrize("length", [9, 12, 13, 17, 20, 33, 37, 40, 50, 56, 65, 80, 84, 85])
def test_an_answer_that_breaks_off_is_none(status: str, length: int) -> None:
    """Wherever a connection ends, half an answer is never taken for the whole, nor for a document that is not there."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n"
    answer = f'{head}{{"found":false,"items":[]}}'[:length]
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_once, args=(server, answer.encode()))
        thread.start()
        cluster = Cluster(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(EngineUnavailable):
            cluster.request("GET", "/biblios/_doc/1")
        cluster.close()
        thread.join()


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def test_nobody_listens() -> None:
    cluster = Cluster("http://u:s3cret@127.0.0.1:1", timeout=2)
    with pytest.raises(EngineUnavailable) as raised:
        cluster.exists("/biblios")
    assert "OpenSearch at 127.0.0.1:1 cannot be reached" in str(raised.value)
    cluster.close()
