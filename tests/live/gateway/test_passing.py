"""What passes through the gateway passes as it is: a real client and raw requests before a real cluster."""

import gzip
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from integration.engine.client import Cluster
from integration.engine.services import Services


@pytest.fixture
def both(services: Services, gateway: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """A client of the engine and one of the gateway; neither adds what the other does not."""
    with httpx.Client(base_url=services.url) as direct, httpx.Client(base_url=gateway) as through:
        yield direct, through


def seen(client: httpx.Client, method: str, path: str, **more: object) -> tuple[object, ...]:
    """Status, headers and body; what a clock says is left out, and which indices other tests have by now."""
    answer = client.request(method, path, **more)  # type: ignore[arg-type]
    raw = [(name.lower(), value) for name, value in answer.headers.raw]
    headers = sorted(pair for pair in raw if pair[0] != b"warning" or b"system indices" not in pair[1])
    body = answer.content
    if answer.headers.get("content-type", "").startswith("application/json") and body:
        tree = json.loads(body)
        if isinstance(tree, dict):
            tree.pop("took", None)
        body = json.dumps(tree).encode()
        headers = [pair for pair in headers if pair[0] != b"content-length"]
    return answer.status_code, headers, body


TERM = b'{"query":{"term":{"crosshatch":"x"}}}'
ODD = [  # what the gateway looks into, since it may hold a clause, and leaves to the cluster
    b'{"query":{"crosshatch":{"text":"a"}},"query":{"match_all":{}}}',
    b'{"query":{"term":{"crosshatch":"x"},"term":{"crosshatch":"x"}}}',
    b'{"query":{"term":{"cross\\u0068atch":"x"}}}',
    b'{"query":{"term":{"crosshatch":"\xff\xfe"}}}',
    b'{"query":{"term":{"crosshatch":"\\ud800"}}}',
    b'{"query":{"crosshatch":{"text":"a"',
    b'{"query":' + b'{"bool":{"must":' * 300 + TERM[9:-1] + b"}}" * 300 + b"}",
    b'{"query":{"terms":{"crosshatch":[' + b",".join([b"1"] * 70_000) + b"]}}}",
    b"[" * 2000 + b'"crosshatch"',
]


@pytest.mark.parametrize("raw", ODD)
def test_a_body_that_is_odd_gets_the_clusters_own_answer(
    both: tuple[httpx.Client, httpx.Client], index: Callable[..., str], raw: bytes
) -> None:
    direct, through = both
    more = {"content": raw, "headers": {"content-type": "application/json"}}
    path = f"/{index()}/_search"
    assert seen(through, "POST", path, **more) == seen(direct, "POST", path, **more)


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("raw", [b"{}\n" + TERM, TERM, b"{}\n" + TERM + b"\n{}", b'{}\n{"query":{"crosshatch"'])
def test_lines_that_are_odd_get_the_clusters_own_answer(
    both: tuple[httpx.Client, httpx.Client], index: Callable[..., str], raw: bytes, end: bytes
) -> None:
    direct, through = both
    more = {"content": raw + end, "headers": {"content-type": "application/x-ndjson"}}
    path = f"/{index()}/_msearch?filter_path=error,status,responses.hits,responses.error"
    assert seen(through, "POST", path, **more) == seen(direct, "POST", path, **more)


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/", {}),
        ("HEAD", "/", {}),
        ("GET", "/_cat/health?format=json&h=status", {}),
        ("GET", "/nowhere/_search", {}),
        ("HEAD", "/nowhere", {}),
        ("POST", "/_search", {"content": b"{", "headers": {"content-type": "application/json"}}),
        ("POST", "/_search", {"content": b"{}", "headers": {"content-type": "text/nothing"}}),
        ("POST", "/nowhere*/_search?size=0", {"content": gzip.compress(b"{}"),
                                     "headers": {"content-type": "application/json", "content-encoding": "gzip"}}),
        # nothing of records: others may still be writing theirs; and a CBOR body may hold nothing that a clock says
        ("GET", "/nowhere*/_search?size=0&filter_path=hits", {"headers": {"accept": "application/cbor",
                                                                          "x-opaque-id": "me"}}),
        ("GET", "/nowhere*/_search?q=%C3%A9%20%2f..&size=0", {}),
        ("GET", "/a/../nowhere*/_search?filter_path=timed_out,error", {}),
        ("GET", "//nowhere*/_search?filter_path=timed_out,error", {}),
        ("GET", "/a%2fb/_search", {}),
        ("GET", "/nowhere*/%5Fsearch?filter_path=timed_out,error", {}),
        ("OPTIONS", "/", {}),
        ("PATCH", "/", {}),
    ],
)  # fmt: skip
def test_an_answer_is_the_clusters_own(
    both: tuple[httpx.Client, httpx.Client], method: str, path: str, more: dict[str, object]
) -> None:
    direct, through = both
    assert seen(through, method, path, **more) == seen(direct, method, path, **more)


def test_a_body_of_unknown_length_streams(gateway: str, cluster: Cluster, index: Callable[..., str]) -> None:
    name = index()
    lines = [b'{"index":{"_id":"%d"}}\n{"title":"%d"}\n' % (number, number) for number in range(1000)]
    answer = httpx.post(
        f"{gateway}/{name}/_bulk?refresh=true", content=iter(lines), headers={"content-type": "application/x-ndjson"}
    )
    assert answer.json()["errors"] is False
    assert cluster.request("GET", f"/{name}/_count")["count"] == 1000


@pytest.mark.parametrize("path", ["/_nodes/http", "/_nodes/_all/http", "/_nodes", "/_nodes/_all"])
def test_clients_that_sniff_stay(gateway: str, path: str) -> None:
    nodes = httpx.get(f"{gateway}{path}").json()["nodes"]
    assert [node["http"]["publish_address"] for node in nodes.values()] == [gateway.removeprefix("http://")]


def test_a_client_that_sniffs_goes_on_through_the_gateway(gateway: str) -> None:
    import opensearchpy

    client = opensearchpy.OpenSearch([gateway], sniff_on_start=True)
    try:
        assert client.ping()
        assert [one.host for one in client.transport.connection_pool.connections] == [gateway]
    finally:
        client.close()
