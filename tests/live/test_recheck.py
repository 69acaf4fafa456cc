"""Pictures that change behind the same URL: found by ETag or content, encoded anew; with a fake encoder."""

import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from integration import attach as attaching
from integration import recheck, scan, state
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.jobs import Job
from integration.settings import Settings
from integration.writer import Key
from mappings.fields import StoredCodes
from tests.live.fakes import BITS, CARD, FakeEncoder, NoWatch, code_of


class Covers(ThreadingHTTPServer):
    """Serves `pictures` by path; those whose path begins with /tagged have an ETag, which it honours."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pictures: dict[str, bytes] = {}
        self.answers: list[tuple[str, int]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Covers

    def do_GET(self) -> None:
        data = self.server.pictures.get(self.path)
        etag = f'"{hash(data)}"' if self.path.startswith("/tagged") else None
        status = 404 if data is None else 304 if etag and self.headers["If-None-Match"] == etag else 200
        self.server.answers.append((self.path, status))
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        body = data if data and status == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.fixture
def covers() -> Iterator[Covers]:
    """A server of covers on loopback."""
    server = Covers()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_changed_pictures_are_encoded_anew(
    cluster: Cluster, index: Callable[..., str], settings: Settings, tmp_path: Any, covers: Covers
) -> None:
    """Only what changed; a picture that cannot be had now keeps its code."""
    host = f"127.0.0.1:{covers.server_port}"
    settings = settings.model_copy(update={"picture_hosts": (host,)})
    (tmp_path / "p.yaml").write_text("name: t\ntext: [title]\npictures: [{field: cover, kind: url}]\n")
    name = index({"mappings": {"properties": {"title": {"type": "text"}, "cover": {"type": "keyword"}}}})
    known = attaching.attach(cluster, attaching.plan(cluster, name, str(tmp_path / "p.yaml"), CARD))
    paths = {"a": "/tagged-a", "b": "/tagged-b", "c": "/c", "d": "/d", "e": "/tagged-e"}
    for record, path in paths.items():
        covers.pictures[path] = f"cover of {record}".encode()
        body = {"title": record, "cover": f"http://{host}{path}"}
        cluster.request("PUT", f"/{name}/_doc/{record}", params={"refresh": "true"}, body=body)
    assert encode(cluster, known, settings, [one.key for one in scan.judged(cluster, known)]) == 5
    assert list(recheck.changed(cluster, known, settings)) == []
    covers.pictures |= {"/tagged-b": b"new b", "/d": b"new d"}
    del covers.pictures["/tagged-e"]
    covers.answers.clear()
    found = [stale.key for stale in recheck.changed(cluster, known, settings)]
    assert sorted(key.id for key in found) == ["b", "d"]
    assert dict(covers.answers) == {"/tagged-a": 304, "/tagged-b": 200, "/c": 200, "/d": 200, "/tagged-e": 404}
    assert encode(cluster, known, settings, found) == 2
    for record, data in {"a": b"cover of a", "b": b"new b", "d": b"new d", "e": b"cover of e"}.items():
        source = cluster.request("GET", f"/{name}/_doc/{record}")["_source"]
        codes = StoredCodes.read(source["crosshatch"][known.space], BITS)
        assert codes.image == ((0, code_of(data)),)
    assert list(recheck.changed(cluster, known, settings)) == []


def encode(cluster: Cluster, known: state.Attached, settings: Settings, keys: list[Key]) -> int:
    """One job that encodes these records anew; how many items the encoder was given."""
    encoder = FakeEncoder()
    job = Job(uuid.uuid4().hex, known.index, known.uuid, known.space, tuple(keys), force=True)
    BatchEncoding(job, known, cluster, lambda: encoder, settings).run(NoWatch())
    return len(encoder.encoded)
