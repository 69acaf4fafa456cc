"""Elasticsearch's clients before OpenSearch: what the application behind the layer sees, and what the client gets."""

import asyncio
import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from integration.gateway.compat import Compat, Header, Message, Receive, Send, Speaks

BANNER = {
    "name": "node-1",
    "version": {"distribution": "opensearch", "number": "3.8.0", "lucene_version": "10.4.0"},
    "tagline": "The OpenSearch Project: https://opensearch.org/",
}
VENDOR_8 = b"application/vnd.elasticsearch+json; compatible-with=8"


@dataclass
class Cluster:
    """An application that notes the request and gives an answer in two pieces, as a stream does."""

    status: int = 200
    kind: bytes = b"application/json; charset=UTF-8"
    body: bytes = b"{}"
    seen: dict[str, Any] = field(default_factory=dict)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.seen = {**scope, "body": (await receive()).get("body")}
        headers = [(b"content-type", self.kind), (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body[:5], "more_body": True})
        await send({"type": "http.response.body", "body": self.body[5:]})


def ask(
    cluster: Cluster,
    method: str,
    path: bytes,
    headers: Iterable[Header] = (),
    body: bytes = b"",
    speaks: Speaks = "elasticsearch-8",
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body that the client gets."""
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        told.append(message)

    scope = {"type": "http", "method": method, "raw_path": path, "path": path.decode(), "headers": list(headers)}
    asyncio.run(Compat(cluster, speaks)(scope, receive, send))
    start, *pieces = told
    return start["status"], dict(start["headers"]), b"".join(piece["body"] for piece in pieces)


@pytest.mark.parametrize(("speaks", "number"), [("elasticsearch-7", "7.17.29"), ("elasticsearch-8", "8.19.2")])
def test_the_banner_is_elasticsearchs(speaks: Speaks, number: str) -> None:
    cluster = Cluster(body=json.dumps(BANNER).encode())
    _, headers, body = ask(cluster, "GET", b"/", [(b"accept-encoding", b"gzip")], speaks=speaks)
    told = json.loads(body)
    assert told["version"] == {"number": number, "lucene_version": "10.4.0", "build_flavor": "default"}
    assert told["tagline"] == "You Know, for Search"
    assert told["name"] == "node-1"
    assert headers[b"x-elastic-product"] == b"Elasticsearch"
    assert headers[b"content-length"] == str(len(body)).encode()
    assert cluster.seen["headers"] == []  # a banner that comes compressed could not be read


def test_an_error_instead_of_the_banner_stays_one() -> None:
    status, headers, body = ask(Cluster(status=503, body=b'{"error":"none"}'), "GET", b"/")
    assert (status, body) == (503, b'{"error":"none"}')
    assert headers[b"x-elastic-product"] == b"Elasticsearch"


def test_media_types_go_both_ways() -> None:
    lines = b"application/vnd.elasticsearch+x-ndjson; compatible-with=8"
    given = [(b"accept", VENDOR_8), (b"content-type", lines), (b"authorization", b"Basic eA==")]
    cluster = Cluster()
    _, headers, _ = ask(cluster, "POST", b"/_bulk", given, b"{}\n")
    seen = [
        (b"accept", b"application/json"),
        (b"content-type", b"application/x-ndjson"),
        (b"authorization", b"Basic eA=="),
    ]
    assert cluster.seen["headers"] == seen
    assert headers[b"content-type"] == b"application/vnd.elasticsearch+json;compatible-with=8"


@pytest.mark.parametrize(
    ("accept", "seen"),
    [
        (b"application/vnd.elasticsearch+json;compatible-with=7", b"application/json"),
        (b'application/vnd.elasticsearch+json; compatible-with="8", text/plain', b"application/json, text/plain"),
        (b"text/plain,application/json", b"text/plain,application/json"),
        (
            b"application/vnd.elasticsearch+json; compatible-with=9",
            None,
        ),  # the cluster refuses it, as Elasticsearch 8 does
        (b"application/vnd.mapbox-vector-tile", b"application/vnd.mapbox-vector-tile"),
    ],
)
def test_what_the_cluster_is_asked_for(accept: bytes, seen: bytes | None) -> None:
    cluster = Cluster()
    ask(cluster, "GET", b"/books/_search", [(b"accept", accept)])
    assert cluster.seen["headers"] == [(b"accept", seen or accept)]


def test_who_asks_for_plain_json_gets_it() -> None:
    _, headers, body = ask(Cluster(body=b'{"took":1}'), "GET", b"/books/_search", [(b"accept", b"application/json")])
    assert headers[b"content-type"] == b"application/json; charset=UTF-8"
    assert body == b'{"took":1}'


def test_text_stays_text() -> None:
    _, headers, _ = ask(Cluster(kind=b"text/plain; charset=UTF-8"), "GET", b"/_cat/count", [(b"accept", VENDOR_8)])
    assert headers[b"content-type"] == b"text/plain; charset=UTF-8"


def test_a_point_in_time_is_opened_in_opensearchs_words() -> None:
    cluster = Cluster(body=b'{"pit_id":"abc","_shards":{"total":1}}')
    _, headers, body = ask(cluster, "POST", b"/books/_pit")
    assert cluster.seen["raw_path"] == b"/books/_search/point_in_time"
    assert json.loads(body) == {"id": "abc", "_shards": {"total": 1}}
    assert headers[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize("packed", [False, True])
def test_a_point_in_time_is_closed_in_opensearchs_words(packed: bool) -> None:
    cluster = Cluster(body=b'{"pits":[{"pit_id":"abc","successful":true}]}')
    plain = b'{"id":"abc"}'
    headers = [(b"content-encoding", b"gzip")] if packed else []
    _, _, body = ask(cluster, "DELETE", b"/_pit", headers, gzip.compress(plain) if packed else plain)
    assert cluster.seen["raw_path"] == b"/_search/point_in_time"
    assert json.loads(cluster.seen["body"]) == {"pit_id": ["abc"]}
    assert cluster.seen["headers"] == [(b"content-length", b"19")]
    assert json.loads(body) == {"succeeded": True, "num_freed": 1}


def test_an_index_called_pit_is_none() -> None:
    cluster = Cluster()
    ask(cluster, "POST", b"/books/_doc/_pit")
    assert cluster.seen["raw_path"] == b"/books/_doc/_pit"
