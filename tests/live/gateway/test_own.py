"""Our own endpoints against the real engine, behind a door that knows two accounts and writes down who asked what."""

import asyncio
import base64
import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from encoders.api import Item
from integration import permissions, state
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster, part
from integration.engine.services import Services
from integration.gateway.own import Own
from integration.jobs import Job
from integration.queries import QueryCodes
from integration.settings import Settings
from integration.writer import Key
from mappings.errors import RequestError
from tests.live.fakes import CARD, FakeEncoder, NoWatch, code_of
from tests.live.gateway.direct import Direct
from tests.live.test_follow import known

__all__ = ["known"]
READER = "Basic " + base64.b64encode(b"reader:secret-of-the-reader").decode()
OURS = "Basic " + base64.b64encode(b"ours:x").decode()


class Door:
    """Takes two accounts, refuses others with 401, and passes what it takes to the engine."""

    def __init__(self, engine: str) -> None:
        self.asked: list[tuple[str, str, str]] = []
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                account = self.headers.get("authorization", "")
                door.asked.append((account, self.command, self.path))
                size = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(size) or None
                if account not in (READER, OURS):
                    return self._say(401, "text/plain", b"Unauthorized")
                asked = urllib.request.Request(engine + self.path, body, method=self.command)  # noqa: S310
                asked.add_header("content-type", self.headers.get("content-type") or "application/json")
                try:
                    with urllib.request.urlopen(asked) as answer:  # noqa: S310
                        self._say(answer.status, answer.headers["content-type"], answer.read())
                except urllib.error.HTTPError as error:
                    with error:
                        self._say(error.code, error.headers["content-type"] or "", error.read())

            def _say(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _pass  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def door(services: Services) -> Iterator[Door]:
    """An open door."""
    door = Door(services.url)
    thread = threading.Thread(target=door.server.serve_forever)
    thread.start()
    yield door
    door.server.shutdown()
    door.server.server_close()
    thread.join()


def encode(item: Item, *_: Any) -> QueryCodes:
    """As a worker that holds the encoder of `FakeEncoder`."""
    if item.pictures == (b"bomb",):
        raise RequestError("the query's picture cannot be used: it has 10,000,000,000 pixels")
    codes = {"text": code_of(item.text.encode())} if item.text else {}
    return QueryCodes(codes | ({"image": code_of(item.pictures[0])} if item.pictures else {}), "worker")


Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(door: Door, settings: Settings) -> Iterator[Ask]:
    """`ask(method, path, body, account=...)` gives status and answer."""
    ours, anonymous = Cluster(f"http://ours:x@{door.address}"), Cluster(f"http://{door.address}")
    made: dict[str, Own] = {}

    def asked(
        method: str, path: str, body: Any = None, *, account: str | None = READER, policy: str = "callers"
    ) -> tuple[int, Any]:
        if policy not in made:
            own = settings.model_copy(update={"own_endpoints": policy, "picture_max_bytes": 100_000})
            made[policy] = Own(
                ours, anonymous, own, "", {"notices": Counter(jobs=3)}, encode=encode, find=lambda *_, **__: CARD
            )
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        headers = [(b"authorization", account.encode())] if account else [(b"x-nothing", b"1")]

        async def run() -> Direct:
            async with httpx.AsyncClient() as engine:
                exchange = Direct(engine, method, f"/_crosshatch/{path}", raw, headers)
                assert await made[policy].handle(exchange)
                return exchange

        exchange = asyncio.run(run())
        assert exchange.sent is not None
        status, answer = exchange.sent
        assert b"secret-of-the-reader" not in answer
        assert READER.encode() not in answer
        return status, json.loads(answer) if answer[:1] == b"{" else answer.decode()

    yield asked
    ours.close()
    anonymous.close()


@pytest.fixture
def encoded(cluster: Cluster, settings: Settings, known: state.Attached) -> state.Attached:
    """Thirty records, ten of which have their codes."""
    keys = tuple(Key(str(n), "r" if n == 7 else None) for n in range(10))
    job = Job("job", known.index, known.uuid, known.space, keys)
    assert BatchEncoding(job, known, cluster, FakeEncoder, settings).run(NoWatch()).encoded == 10
    cluster.request("POST", f"/{known.index}/_refresh")
    return known


def test_search_and_similar_read_the_catalogue_as_their_caller(ask: Ask, door: Door, encoded: state.Attached) -> None:
    status, answer = ask("POST", "search", {"index": encoded.index, "text": "book 3", "size": 3, "explain": True})
    assert (status, answer["hits"][0]["id"], answer["hits"][0]["distance"]) == (200, "3", 0)
    assert "explain" in answer["hits"][0]
    status, answer = ask("POST", "similar", {"index": encoded.index, "id": "4", "size": 2})
    itself = code_of(b"book 4")
    nearest = sorted((itself.distance(code_of(f"book {n}".encode())), str(n)) for n in range(10) if n != 4)
    assert (status, [(hit["distance"], hit["id"]) for hit in answer["hits"]]) == (200, nearest[:2])
    searches = [(who, path) for who, _, path in door.asked if path.startswith(f"/{encoded.index}/_search")]
    assert searches
    assert {who for who, _ in searches} == {READER}
    ours = [(method, path) for who, method, path in door.asked if who == OURS]
    assert permissions.missing("gateway", ours) == set()


def test_a_search_fuses_ranks(ask: Ask, encoded: state.Attached) -> None:
    asked = {"index": encoded.index, "text": "book 3", "size": 3, "fusion": "rrf", "explain": True}
    status, answer = ask("POST", "search", asked)
    assert status == 200
    assert answer["hits"][0]["id"] == "3"
    assert answer["hits"][0]["explain"]["words_rank"] == 1
    assert ask("POST", "similar", {"index": encoded.index, "id": "3", "fusion": "rrf"})[0] == 400


def test_a_search_gives_parts_their_weights(ask: Ask, encoded: state.Attached) -> None:
    asked = {"index": encoded.index, "text": "book 3", "size": 1, "explain": True}
    for path, body in (("search", asked), ("similar", {"index": encoded.index, "id": "4", "size": 1, "explain": True})):
        whole, half = (ask("POST", path, {**body, **more})[1] for more in ({}, {"part_weights": {"text": 0.5}}))
        [first], [weighed] = whole["hits"], half["hits"]
        assert weighed["explain"]["similarity"] == first["explain"]["similarity"] / 2
    status, answer = ask("POST", "search", {**asked, "part_weights": {"cover": 1}})
    assert (status, answer["error"]["reason"]) == (
        400,
        "no part 'cover' to give a weight; there are: text, image, record",
    )


def test_encode_and_upload_give_codes(ask: Ask, encoded: state.Attached) -> None:
    status, answer = ask("POST", "encode", {"index": encoded.index, "text": "a map"})
    assert (status, answer["codes"]["text"]["base64"]) == (200, code_of(b"a map").base64())
    status, kept = ask("POST", "upload", b"picture")
    status, answer = ask("POST", "encode", {"image": {"upload": kept["upload"]}})
    assert (status, answer["codes"]["image"]["base64"]) == (200, code_of(b"picture").base64())


def test_status_counts_what_the_caller_sees(ask: Ask, encoded: state.Attached) -> None:
    status, answer = ask("GET", f"status/{encoded.index}")
    assert (status, answer["documents"], answer["encoded"]["text"], answer["off"]) == (200, 30, 10, None)


def test_health_answers_everybody_and_metrics_count(ask: Ask) -> None:
    assert ask("GET", "health", account=None) == (200, {"status": "ok"})
    status, text = ask("GET", "metrics")
    assert status == 200
    assert 'crosshatch_gateway_notices{kind="jobs"} 3' in text
    assert 'crosshatch_gateway_own_answers{kind="health 200"} 1' in text


@pytest.mark.parametrize("account", [None, "Basic d3Jvbmc6d3Jvbmc="])
@pytest.mark.parametrize("path", ["search", "encode", "upload", "similar"])
def test_without_credentials_that_the_cluster_takes_nothing_is_answered(
    ask: Ask, path: str, account: str | None
) -> None:
    status, answer = ask("POST", path, {}, account=account)
    assert (status, answer["status"], answer["error"]["type"]) == (401, 401, "security_exception")


def test_a_setting_opens_or_closes_them(ask: Ask, door: Door, encoded: state.Attached) -> None:
    assert ask("POST", "encode", {"text": "x"}, account=None, policy="open")[0] == 200
    status, _ = ask("POST", "search", {"index": encoded.index, "text": "x"}, account=None, policy="open")
    assert status == 401  # the cluster's own word: our account is never lent
    assert ask("POST", "encode", {"text": "x"}, policy="off")[0] == 403


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "cannot be read"),
        (b"[1]", "a JSON object was expected as the body"),
        (b'{"text":"a","text":"b"}', "cannot be read"),
        ({"text": "a", "wieght": 1}, "wieght"),
        ({"image": {"base64": "QQ==", "url": "http://x"}}, "give one of"),
        ({"image": {"url": "http://127.0.0.1:9200/"}}, "cannot be used"),
        ({"image": {"url": "file:///etc/passwd"}}, "cannot be used"),
        ({"image": {"base64": base64.b64encode(b"bomb").decode()}}, "pixels"),
        ({"image": {"upload": "guess"}}, "upload it again"),
        ({"text": None}, ""),
    ],
)
def test_what_is_wrong_is_told_in_the_engines_form(ask: Ask, body: Any, says: str) -> None:
    status, answer = ask("POST", "encode", body)
    if body == {"text": None}:
        assert (status, answer["codes"]) == (200, {})
        return
    assert (status, answer["status"]) == (400, 400)
    assert says in answer["error"]["reason"]


def test_what_is_not_there_and_what_is_too_large_is_refused(ask: Ask) -> None:
    assert ask("POST", "nothing", {})[0] == 404
    assert ask("GET", "search")[0] == 404
    assert ask("POST", "search", {"index": "no-such-index", "text": "x"})[0] == 404
    assert ask("POST", "upload", b"x" * 300_000)[0] == 413
    assert ask("POST", "upload", b"x" * 120_000)[0] == 400


@pytest.fixture
def shown(cluster: Cluster, encoded: state.Attached) -> Iterator[str]:
    """An alias that hides the records 0 to 4, and those that nobody encoded."""
    only = {"ids": {"values": [str(n) for n in range(5, 10)]}}
    add: dict[str, Any] = {"index": encoded.index, "alias": "shown-books", "filter": only}
    cluster.request("POST", "/_aliases", body={"actions": [{"add": add}]})
    yield "shown-books"
    del add["filter"]
    cluster.request("POST", "/_aliases", body={"actions": [{"remove": add}]})


def test_an_alias_that_hides_records_hides_them_here(ask: Ask, shown: str) -> None:
    asked = {"index": shown, "text": "book 3", "size": 30, "filters": {}}
    found = ask("POST", "search", asked)[1]
    assert (found["total"], {hit["id"] for hit in found["hits"]}) == (5, {"5", "6", "7", "8", "9"})
    alike = ask("POST", "similar", {"index": shown, "id": "5", "size": 30})[1]
    assert {hit["id"] for hit in alike["hits"]} == {"6", "7", "8", "9"}
    status, refused = ask("POST", "similar", {"index": shown, "id": "3"})
    assert (status, refused["error"]["type"]) == (400, "crosshatch_request_error")
    assert "no record" in refused["error"]["reason"]
    told = ask("GET", f"status/{shown}")[1]
    assert (told["documents"], told["encoded"]["text"]) == (5, 5)


@pytest.mark.parametrize("path", ["search", "similar", "encode", "status"])
def test_who_may_not_search_learns_nothing_of_an_index(
    ask: Ask, door: Door, encoded: state.Attached, path: str
) -> None:
    """The same answer for an index that is attached, one that is not, and one that is not there."""
    told = set()
    for index in (encoded.index, "*", ".crosshatch-state", "not-there"):
        body = {"index": index, "text": "x"} if path != "similar" else {"index": index, "id": "1"}
        asked = ("GET", f"status/{index}", None) if path == "status" else ("POST", path, body)
        status, answer = ask(*asked, account=None, policy="open")
        told.add((status, json.dumps(answer).replace(part(index), "INDEX")))
    assert len(told) == 1
    assert {status for status, _ in told} == {401}
    assert not any(who == OURS for who, _, _ in door.asked)
