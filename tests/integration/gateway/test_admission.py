"""Who the cluster does not let search learns nothing, costs no worker and no fetch; and nobody costs too much."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from encoders import catalogue
from encoders.api import Item
from integration import state
from integration.gateway import calls, query_pictures
from integration.gateway.attachments import Attachments
from integration.gateway.clause_requests import ClauseRequests
from integration.gateway.exchange import Header
from integration.gateway.querycodes import QueryCodes
from integration.gateway.refusals import refusal
from integration.gateway.searching import MOST_CANDIDATES, MOST_CLAUSES, Searching, Told
from integration.gateway.turns import in_turns
from integration.settings import Settings
from integration.state import Attached, Bundle
from mappings.code import HashCode
from mappings.errors import (
    BundleError,
    CrosshatchError,
    EngineRefused,
    EngineUnavailable,
    NotAttachedError,
    RequestError,
    Unavailable,
    UnknownIndexError,
)
from mappings.profile import TargetProfile
from tests.integration.fakes import FakeCluster

CARD = catalogue.known()[0]
BUNDLE = Bundle(CARD.reference, CARD.name, CARD.bits, CARD.digest)
KNOWN = Attached("secret-index", "uuid-secret-index", "secret-space", {"secret-space": BUNDLE}, TargetProfile(name="p", text=("t",)), "s")  # fmt: skip # noqa: E501
FORBIDDEN = b'{"error":{"root_cause":[{"type":"security_exception","reason":"no permissions"}]},"status":403}'
JSON = (b"content-type", b"application/json")


class Gate:
    """A gateway's part before a cluster that lets `reader` search, and nobody else. `asked` is what came there."""

    def __init__(self, tmp: Path, **settings: Any) -> None:
        there = FakeCluster(indices={"secret-index": {}, "plain": {}})
        state.save(there.as_cluster(), KNOWN)
        self.asked: list[tuple[bytes, Any]] = []
        self.encoded: list[Item] = []
        self.at_once = self.most = 0
        codes = QueryCodes(self._encode, timeout=5)
        self.part = ClauseRequests(
            Searching(self._ask, Attachments(there.as_cluster(), tmp), codes, Settings(**settings))
        )

    def _encode(self, item: Item, *_: Any) -> dict[str, Any]:
        self.encoded.append(item)
        parts = ("text", "image") if item.pictures else ("text",)
        return {"codes": {part: HashCode(CARD.bits, bytes(CARD.bits // 8)).base64() for part in parts}, "problem": None}

    async def _ask(self, method: str, path: bytes, headers: Sequence[Header], body: bytes) -> Told:
        self.asked.append((path, body))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if (b"authorization", b"reader") not in headers:
            return Told(403, [JSON], FORBIDDEN)
        return Told(200, [JSON], b'{"took":1,"hits":{"hits":[]}}')

    def send(self, path: str, body: bytes, user: bytes = b"", media: bytes = JSON[1]) -> tuple[int, bytes]:
        call = calls.read("POST", path.encode())
        assert call is not None
        headers = [(b"content-type", media), *([(b"authorization", user)] if user else [])]
        said: list[tuple[int, bytes]] = []

        class Exchange:
            method, raw_path = "POST", path.encode()

            async def body(self, limit: int) -> bytes | None:
                return body if len(body) <= limit else None

            async def respond(self, status: int, headers: Any, body: bytes) -> None:
                said.append((status, body))

        exchange: Any = Exchange()
        exchange.call, exchange.headers = call, headers
        asyncio.run(self.part.handle(exchange))
        return said[0]

    def search(self, clause: Any, index: str = "secret-index", user: bytes = b"") -> tuple[int, bytes]:
        return self.send(f"/{index}/_search", json.dumps({"query": {"crosshatch": clause}}).encode(), user)


@pytest.mark.parametrize("index", ["secret-index", "plain", "not-there", "*", "_all", ".crosshatch-state"])
@pytest.mark.parametrize(
    "clause",
    [
        {"text": "cats"},
        {"text": "cats", "image": {"base64": "QQ=="}},
        {"text": "cats", "image": {"url": "http://covers.example/1.png"}},
        {"image": {"upload": "guess"}},
        {"code": {"space": "guess", "base64": "QQ=="}},
        {"like": {"_id": "1"}},
        {"like": {"_id": "1", "_index": "plain"}},
    ],
)
def test_who_may_not_search_gets_the_clusters_word_whatever_is_there(tmp_path: Path, index: str, clause: Any) -> None:
    gate = Gate(tmp_path)
    assert gate.search(clause, index) == (403, FORBIDDEN)
    assert gate.encoded == []
    assert all(path.partition(b"?")[0].endswith(b"_search") for path, _ in gate.asked)


def test_who_may_search_is_told_what_is_wrong_and_encoded_for(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    assert gate.search({"text": "cats"}, user=b"reader")[0] == 200
    assert len(gate.asked) == 3  # may it search, candidates, the search
    assert gate.search({"text": "cats"}, user=b"reader")[0] == 200
    assert len(gate.asked) == 5  # the code is remembered: nothing is spent before the cluster's own answer
    assert gate.search({"text": "cats"}) == (403, FORBIDDEN)
    assert [item.text for item in gate.encoded] == ["cats"]
    for index, status in (("plain", 409), ("not-there", 404), ("far:x", 400)):
        assert gate.search({"text": "cats"}, index, b"reader")[0] == status
    status, told = gate.search({"code": {"space": "x", "base64": "QQ=="}}, user=b"reader")
    assert (status, b"the indices searched have: secret-space" in told) == (400, True)


def test_no_search_asks_for_more_than_was_said(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    def clauses(number: int, k: int) -> bytes:
        should = [{"crosshatch": {"text": f"w{n}", "k": k}} for n in range(number)]
        return json.dumps({"query": {"bool": {"should": should}}}).encode()

    assert gate.send("/secret-index/_search", clauses(MOST_CLAUSES, 1), b"reader")[0] == 200
    assert gate.most <= 8
    for body, said in (
        (clauses(MOST_CLAUSES + 1, 1), b"101 crosshatch clauses came in one request"),
        (clauses(5, 10_000), b"the k of all clauses and searches together is 50000"),
    ):
        before = len(gate.encoded)
        status, told = gate.send("/secret-index/_search", body, b"reader")
        assert (status, said in told) == (400, True)
        assert len(gate.encoded) <= before + 5
    lines = b"".join(b"{}\n%b\n" % clauses(1, MOST_CANDIDATES // 8) for _ in range(9))
    status, told = gate.send("/secret-index/_msearch", lines, b"reader", b"application/x-ndjson")
    assert (status, b"together is 45000" in told) == (400, True)
    many = b"".join(b"{}\n%b\n" % clauses(1, 1) for _ in range(MOST_CLAUSES + 1))
    status, told = gate.send("/secret-index/_msearch", many, b"reader", b"application/x-ndjson")
    assert (status, b"101 crosshatch clauses" in told) == (400, True)


def test_a_stored_template_that_our_account_cannot_read_is_no_reason_to_refuse(tmp_path: Path) -> None:
    class Closed(FakeCluster):
        def request(self, method: str, path: str, **_: Any) -> Any:
            raise EngineRefused(403, "security_exception", "no permissions for User [name=ours]", f"{method} {path}")

    there = Attachments(Closed().as_cluster(), tmp_path)
    assert asyncio.run(there.template_says("x" * 600, "crosshatch")) is False


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (EngineUnavailable("OpenSearch at 10.0.0.5:9200 cannot be reached"), 503, "its log tells why"),
        (EngineRefused(403, "security_exception", "User [name=ours]", "GET /x"), 503, "its log tells why"),
        (BundleError("/srv/bundles/x is damaged"), 503, "its log tells why"),
        (UnknownIndexError("OpenSearch at 10.0.0.5:9200: no such index [x]"), 404, "no such index"),
        (NotAttachedError("no index behind 'x' is attached"), 409, "no index behind 'x' is attached"),
        (RequestError("[query.crosshatch] k: too large"), 400, "[query.crosshatch] k: too large"),
    ],
)
def test_addresses_accounts_and_folders_are_for_the_log(
    error: CrosshatchError, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        code, body = refusal(error)
    assert (code, json.loads(body)["status"]) == (status, status)
    assert said in json.loads(body)["error"]["reason"]
    for secret in (b"10.0.0.5", b"ours", b"/srv"):
        assert secret not in body
    assert (status == 503) == (str(error) in caplog.text)


class Pictures(BaseHTTPRequestHandler):
    """Answers 404 to what is not `/a.png`."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/a.png" else 404)
        self.send_header("content-length", "7")
        self.end_headers()
        self.wfile.write(b"picture")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def pictures() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Pictures)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_url_is_fetched_only_from_hosts_that_are_listed(tmp_path: Path, pictures: str) -> None:
    clause = {"image": {"url": f"http://{pictures}/a.png"}}
    gate = Gate(tmp_path, picture_hosts=(pictures,))
    assert gate.search(clause) == (403, FORBIDDEN)
    assert gate.encoded == []
    assert gate.search(clause, user=b"reader")[0] == 200
    assert [item.pictures for item in gate.encoded] == [(b"picture",)]
    for more in ({}, {"query_urls": "off", "picture_hosts": (pictures,)}, {"query_urls": "public"}):
        status, told = Gate(tmp_path, **more).search(clause, user=b"reader")
        assert (status, b"cannot be used: " in told) == (400, True)


def test_how_a_fetch_failed_tells_nothing_of_the_network(tmp_path: Path, pictures: str) -> None:
    host = pictures.partition(":")[0]
    gate = Gate(tmp_path, picture_hosts=(host, "no-such-host.invalid"))
    urls = (
        f"http://{pictures}/b.png",
        f"http://{host}:1/",
        "http://no-such-host.invalid/",
        "http://10.1.2.3/",
        "ftp://x/",
    )
    told = {gate.search({"image": {"url": url}}, user=b"reader") for url in urls}
    assert len(told) == 1
    assert not any(word in body for _, body in told for word in (b"404", b"answers", b"10.1", b"host"))


def test_slow_pictures_keep_only_pictures_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    going = threading.Event()
    monkeypatch.setattr(query_pictures, "by_url", lambda *_: going.wait(10) and b"x")
    there = query_pictures.QueryPictures()

    async def many() -> None:
        asked = [asyncio.ensure_future(there.by_url("u", Settings())) for _ in range(query_pictures.WAITING)]
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await there.by_url("u", Settings())
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 1), 1) == 1
        going.set()
        assert await asyncio.gather(*asked) == [b"x"] * query_pictures.WAITING

    asyncio.run(many())


def test_what_failed_stops_what_has_not_begun() -> None:
    began: list[int] = []

    async def act(number: int) -> int:
        began.append(number)
        await asyncio.sleep(0)
        if number == 1:
            raise RequestError("no")
        return number

    async def run() -> None:
        with pytest.raises(RequestError):
            await in_turns([lambda n=n: act(n) for n in range(100)], at_once=2)
        await asyncio.sleep(0.01)

    asyncio.run(run())
    assert len(began) < 10
    assert asyncio.run(in_turns([lambda n=n: act(n) for n in (3, 2, 0)])) == [3, 2, 0]
