"""Requests in the form of Elasticsearch's clients, through the layer to a real OpenSearch that refuses them bare.

The clients themselves live through `crosshatch serve --compat` in `make transparency`.
"""

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from integration.engine import services as engines
from integration.gateway.compat import Compat, Message, Receive, Send

VENDOR = "application/vnd.elasticsearch+{}; compatible-with=8"
JSON = {"accept": VENDOR.format("json"), "content-type": VENDOR.format("json")}


def passing_on(engine: httpx.AsyncClient) -> Callable[[Message, Receive, Send], Any]:
    """An application that sends every request on as it is."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"host", b"content-length")]
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        request = engine.build_request(scope["method"], target.decode(), content=body or None, headers=headers)
        answer = await engine.send(request, stream=True)
        content = b"".join([piece async for piece in answer.aiter_raw()])
        told = [(name.lower(), value) for name, value in answer.headers.raw]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": told})
        await send({"type": "http.response.body", "body": content})

    return application


@pytest.fixture
def ask(services: engines.Services) -> Callable[..., httpx.Response]:
    """`ask(method, path, body)`: one request of a client of Elasticsearch 8 behind the layer."""

    async def asked(method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(base_url=services.url, headers={"accept-encoding": "identity"}) as engine:
            layer = httpx.ASGITransport(Compat(passing_on(engine), "elasticsearch-8"))
            async with httpx.AsyncClient(transport=layer, base_url="http://gateway") as client:
                content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
                return await client.request(method, path, content=content, headers=headers)

    def once(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        answer = asyncio.run(asked(method, path, body, {**JSON, **(headers or {})}))
        assert answer.headers["x-elastic-product"] == "Elasticsearch"
        return answer

    return once


def test_the_cluster_itself_refuses_such_a_request(services: engines.Services) -> None:
    assert httpx.post(f"{services.url}/_search", content=b"{}", headers=JSON).status_code == 406


def test_a_client_of_elasticsearch_8_lives(
    ask: Callable[..., httpx.Response], services: engines.Services, index: Callable[..., str]
) -> None:
    name = index()
    assert ask("GET", "/").json()["version"]["number"].startswith("8.")
    lines = "".join(f'{{"index":{{"_id":"{n}"}}}}\n{{"title":"Volume {n}"}}\n' for n in range(5)).encode()
    kind = {"content-type": VENDOR.format("x-ndjson")}
    assert ask("POST", f"/{name}/_bulk?refresh=true", lines, kind).json()["errors"] is False
    found = ask("POST", f"/{name}/_search", {"query": {"match": {"title": "volume"}}})
    assert found.headers["content-type"] == "application/vnd.elasticsearch+json;compatible-with=8"
    assert found.json()["hits"]["total"]["value"] == 5
    direct = httpx.post(f"{services.url}/{name}/_search", json={"query": {"match": {"title": "volume"}}}).json()
    assert found.json()["hits"] == direct["hits"]


def test_points_in_time(ask: Callable[..., httpx.Response], index: Callable[..., str]) -> None:
    name = index()
    ask("PUT", f"/{name}/_doc/1?refresh=true", {"title": "one"})
    pit = ask("POST", f"/{name}/_pit?keep_alive=1m").json()["id"]
    ask("PUT", f"/{name}/_doc/2?refresh=true", {"title": "two"})
    held = ask("POST", "/_search", {"pit": {"id": pit, "keep_alive": "1m"}}).json()
    assert [hit["_id"] for hit in held["hits"]["hits"]] == ["1"]
    closing = gzip.compress(json.dumps({"id": pit}).encode())
    assert ask("DELETE", "/_pit", closing, {"content-encoding": "gzip"}).json() == {"succeeded": True, "num_freed": 1}
    assert ask("POST", "/_search", {"pit": {"id": pit}}).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id":1}', b"{", b'{"id":"nonsense"}'])
def test_closing_what_is_no_point_in_time_is_the_clusters_error(
    ask: Callable[..., httpx.Response], body: bytes
) -> None:
    assert 400 <= ask("DELETE", "/_pit", body).status_code < 500


def test_a_later_clients_media_type_is_refused(ask: Callable[..., httpx.Response]) -> None:
    later = {"content-type": "application/vnd.elasticsearch+json; compatible-with=9"}
    assert ask("POST", "/_search", b"{}", later).status_code == 406


def test_errors_are_the_clusters_own(ask: Callable[..., httpx.Response]) -> None:
    answer = ask("GET", "/none/_doc/1")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/vnd.elasticsearch+json;compatible-with=8"
    assert answer.json()["error"]["type"] == "index_not_found_exception"
