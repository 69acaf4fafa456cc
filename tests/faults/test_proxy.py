"""The bad network is as bad as it says, and as good as none while the weather is fair."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from integration.engine.client import Cluster
from mappings.errors import EngineUnavailable
from tests.faults.proxy import Proxy, Weather

BODY = b'{"items":[]}'


class _Engine(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[int]

    def do_POST(self) -> None:
        """Read all of a request and answer."""
        self.seen.append(len(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def through() -> Iterator[tuple[Proxy, Cluster, list[int]]]:
    """A proxy, a client behind it, and the lengths of the requests that the engine read."""
    _Engine.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Engine)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
    proxy.start()
    cluster = Cluster(proxy.url, timeout=10)
    yield proxy, cluster, _Engine.seen
    cluster.close()
    proxy.stop()
    server.shutdown()
    server.server_close()


def test_fair_weather(through: tuple[Proxy, Cluster, list[int]]) -> None:
    _, cluster, seen = through
    for size in (1, 100_000):
        assert cluster.bulk("", b"x" * size) == {"items": []}
    assert seen == [1, 100_000]


def test_bulk_requests_are_refused(through: tuple[Proxy, Cluster, list[int]]) -> None:
    proxy, cluster, seen = through
    proxy.weather = Weather(refused=1)
    with pytest.raises(EngineUnavailable, match="too busy"):
        cluster.bulk("", b"lines")
    assert cluster.request("POST", "/_mget", body={}) == {"items": []}
    assert (proxy.refused, seen) == (1, [2])


def test_what_is_cut_off_is_never_taken_for_an_answer(through: tuple[Proxy, Cluster, list[int]]) -> None:
    """The engine reads some of the requests in full, and whoever asked cannot know which."""
    proxy, cluster, seen = through
    proxy.weather = Weather(cut=1)
    for _ in range(40):
        with pytest.raises(EngineUnavailable):
            cluster.bulk("", b"x" * 1000)
    assert proxy.cut == 40
    assert 0 < sum(length == 1000 for length in seen) < 40
