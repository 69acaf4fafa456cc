"""Clauses on a real engine: the hits of the tested search, inside every restriction, in every kind of request."""

import asyncio
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
import urllib3

from encoders import catalogue as bundles
from encoders.api import BundleCard, Codes, Item
from integration.engine.client import Cluster
from integration.gateway import calls, cbor
from integration.gateway.attachments import Attachments
from integration.gateway.clause_requests import ClauseRequests
from integration.gateway.exchange import Header
from integration.gateway.querycodes import QueryCodes
from integration.gateway.searching import Searching, Told
from integration.queries import QueryCodes as Encoded
from integration.queries import answer_of
from integration.search.plan import words_query
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.settings import Settings
from mappings.code import HashCode
from mappings.errors import WorkerUnavailable
from mappings.fields import StoredCodes
from tests.live.coded import coded_index
from tests.live.fakes import weighted

NAME = "test-clause"
WORDS = ("cat", "dog", "red", "house", "sea", "old", "tree", "song")
JSON = (b"content-type", b"application/json")
BM25 = {"match": {"title": "cat sea"}}


def code_of(text: str) -> HashCode:
    return HashCode(128, random.Random(text).randbytes(16))


def encoded(item: Item, *_: object) -> dict[str, Any]:
    """A worker's answer, made from the query's content."""
    if item.text == "nobody answers":
        raise WorkerUnavailable("no worker answers")
    found = {"text": item.text, "image": item.pictures[0].decode() if item.pictures else None}
    codes = {part: weighted(code_of(said)) for part, said in found.items() if said}
    return answer_of(Codes(codes.get("text"), tuple(codes[part] for part in codes if part == "image")))


@dataclass
class Straight:
    """An exchange whose way to the cluster is one request."""

    url: str
    method: str
    raw_path: bytes
    sent: bytes
    headers: Sequence[Header] = (JSON,)
    status: int = 0
    answer: bytes = b""
    answered: list[Header] = field(default_factory=list)

    @property
    def call(self) -> calls.Call:
        path, _, query = self.raw_path.partition(b"?")
        call = calls.read(self.method, path, query)
        assert call is not None
        return call

    async def body(self, limit: int) -> bytes | None:
        return self.sent if len(self.sent) <= limit else None

    async def pass_on(self, body: bytes | None = None, headers: Sequence[Header] | None = None) -> Any:
        raise AssertionError("a clause is answered whole")

    async def respond(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        self.status, self.answered, self.answer = status, list(headers), body

    def after(self, callback: Any) -> None:
        raise AssertionError("nothing follows a search")


class Gateway:
    """The part under test, and the last requests it sent."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.url, self.pool, self.sent = cluster.url, urllib3.PoolManager(), []
        codes = QueryCodes(encoded, timeout=5)
        self.part = ClauseRequests(Searching(self.ask, Attachments(cluster, settings.data), codes, settings))

    async def ask(self, method: str, path: bytes, headers: Sequence[Header], body: bytes) -> Told:
        self.sent.append((path.decode(), dict(headers), body))
        told = await asyncio.to_thread(
            self.pool.request, method, self.url + path.decode(), body=body,
            headers={name.decode(): value.decode() for name, value in headers}, retries=False,
        )  # fmt: skip
        return Told(told.status, [(n.lower().encode(), v.encode()) for n, v in told.headers.items()], told.data)

    def send(self, method: str, path: str, body: Any = b"", headers: Sequence[Header] = (JSON,)) -> Straight:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        exchange = Straight(self.url, method, path.encode(), raw, headers)
        assert exchange.call.kind in self.part.kinds
        asyncio.run(self.part.handle(exchange))
        return exchange

    def search(self, body: Any, path: str = f"/{NAME}/_search", method: str = "POST") -> Any:
        exchange = self.send(method, path, body)
        assert exchange.status == 200, exchange.answer
        return json.loads(exchange.answer)


@pytest.fixture(scope="module")
def card() -> BundleCard:
    return bundles.known()[-1] if bundles.known()[-1].bits == 128 else next(c for c in bundles.known() if c.bits == 128)


@pytest.fixture(scope="module")
def stored(cluster: Cluster, card: BundleCard) -> Iterator[dict[str, StoredCodes]]:
    """120 records, some without codes; a tenth of them suppressed."""
    rng = random.Random(5)
    mapping = {"title": {"type": "text"}, "suppressed": {"type": "boolean"}, "price": {"type": "float"}}
    codes, lines = {}, []
    for number in range(120):
        text = HashCode(128, rng.randbytes(16)) if rng.random() < 0.8 else None
        pictures = tuple((n, HashCode(128, rng.randbytes(16))) for n in range(rng.choice((0, 1, 2))))
        codes[f"b{number}"] = StoredCodes(text, pictures)
        title = " ".join(rng.choices(WORDS, k=3))
        source = {"title": title, "suppressed": number % 10 == 0, "crosshatch": {"s": codes[f"b{number}"].members()}}
        raw = msgspec.json.encode(source)[:-1] + b',"price":813.50}'
        lines += [msgspec.json.encode({"index": {"_id": f"b{number}"}}), raw]
    with coded_index(cluster, NAME, "s", card, mapping, lines):
        yield codes


@pytest.fixture
def gateway(cluster: Cluster, settings: Settings, stored: dict[str, StoredCodes]) -> Gateway:
    return Gateway(cluster, settings)


def listed(answer: Any) -> list[tuple[str, float]]:
    return [(hit["_id"], hit["_score"]) for hit in answer["hits"]["hits"]]


def clause(**more: Any) -> dict[str, Any]:
    return {"crosshatch": {"text": "cat sea", **more}}


@pytest.mark.parametrize("more", [{}, {"part_weights": {"image": 0.5}}, {"scoring": "asymmetric"}])
def test_a_clause_finds_what_the_tested_search_finds(
    gateway: Gateway, cluster: Cluster, settings: Settings, more: dict[str, Any]
) -> None:
    searcher = Searcher(
        cluster, settings, None, encode=lambda item, *_: Encoded({"text": weighted(code_of(item.text or ""))}, "worker")
    )
    request = SearchRequest(text="cat sea", filters=(("suppressed", "false"),), k=9, size=100, **more)
    expected = searcher.search(NAME, request)
    only = {"filter": {"term": {"suppressed": False}}, "minimum_should_match": 1}
    mine = clause(query=words_query("cat sea", ["title"]), k=9, **more)
    body = {
        "query": {"bool": {**only, "should": [mine]}},
        "sort": [{"_score": "desc"}, {"_id": "asc"}], "size": 100, "track_total_hits": True,
    }  # fmt: skip
    answer = gateway.search(body)
    assert [(hit.id, hit.score) for hit in expected.hits] == listed(answer)
    assert answer["hits"]["total"]["value"] == expected.total
    for hit, raw in zip(expected.hits, answer["hits"]["hits"], strict=True):
        [best] = raw["fields"]["crosshatch"]
        assert (best["distance"], best["part"], best["picture"]) == (hit.distance, hit.part, hit.picture)
        assert best["bm25"] == (pytest.approx(hit.bm25) if hit.bm25 is not None else None)
        assert raw["_source"]["title"]


def test_documents_stay_the_bytes_that_the_engine_holds(gateway: Gateway) -> None:
    answer = gateway.send("POST", f"/{NAME}/_search", {"query": clause(k=3)}).answer
    assert answer.count(b'"price":813.50') == 3


def test_no_hit_lies_outside_the_restrictions(gateway: Gateway) -> None:
    hidden = {"term": {"suppressed": True}}
    body = {"query": {"bool": {"should": [clause(k=50)], "must_not": [hidden], "minimum_should_match": 1}}, "size": 100}
    hits = gateway.search(body)["hits"]["hits"]
    assert len(hits) == 50
    assert [hit["_id"] for hit in hits if hit["_source"]["suppressed"]] == []


@pytest.mark.parametrize("fusion", ["exact", "rrf"])
def test_numbers_with_a_point_among_the_restrictions(gateway: Gateway, fusion: str) -> None:
    costly = {"range": {"price": {"gte": 813.25, "boost": 1.0}}}
    query = {"bool": {"should": [clause(k=5, query=BM25, fusion=fusion)], "filter": costly}}
    assert gateway.search({"query": query})["hits"]["hits"]
    exchange = gateway.send(
        "POST", f"/{NAME}/_search", cbor.dumps({"query": query}), ((b"content-type", b"application/cbor"),)
    )
    assert exchange.status == 200


def test_elsewhere_a_clause_holds_by_its_least_similarity(gateway: Gateway, stored: Any, card: BundleCard) -> None:
    query = code_of("cat sea")
    best = {
        record: max(
            (
                card.table("text", part)[query.distance(code)]
                for part, code in (
                    *([("text", codes.text)] if codes.text else []),
                    *(("image", code) for _, code in codes.image),
                )
            ),
            default=-1.0,
        )
        for record, codes in stored.items()
    }
    least = sorted(best.values())[-20]
    expected = {record for record, similarity in best.items() if similarity >= least}
    mine = clause(min_similarity=least)
    bodies = [
        {"query": {"bool": {"filter": [mine]}}},
        {"query": {"bool": {"must": [mine]}}},
        {"query": {"constant_score": {"filter": mine}}},
        {"query": {"match_all": {}}, "post_filter": mine},
    ]
    for body in bodies:
        hits = gateway.search({**body, "size": 200})["hits"]["hits"]
        assert {hit["_id"] for hit in hits} == expected, body
    facets = gateway.search({"size": 0, "aggs": {"near": {"filter": mine}}})
    assert facets["aggregations"]["near"]["doc_count"] == len(expected)
    rescored = {"query": {"match_all": {}}, "rescore": {"window_size": 200, "query": {"rescore_query": mine}}}
    assert gateway.search({**rescored, "size": 20})["hits"]["hits"][0]["_score"] > 1
    assert gateway.search({"query": {"bool": {"filter": mine}}}, f"/{NAME}/_count")["count"] == len(expected)


def test_count_explain_validate_and_rank_eval(gateway: Gateway) -> None:
    query = {"query": clause(k=7)}
    assert gateway.search(query, f"/{NAME}/_count")["count"] == 7
    first = gateway.search(query)["hits"]["hits"][0]
    explained = gateway.search(query, f"/{NAME}/_explain/{first['_id']}")
    assert (explained["matched"], explained["explanation"]["value"]) == (True, first["_score"])
    assert gateway.search(query, f"/{NAME}/_validate/query", "GET")["valid"] is True
    ratings = [{"_index": NAME, "_id": first["_id"], "rating": 1}]
    asked = {"requests": [{"id": "a", "request": query, "ratings": ratings}], "metric": {"precision": {"k": 1}}}
    assert gateway.search(asked, f"/{NAME}/_rank_eval")["metric_score"] == 1.0


def test_the_lines_of_others_in_a_multi_search_stay_their_bytes(gateway: Gateway) -> None:
    other = b'{"query": {"match": {"crosshatch": "x"}},  "size": 1E0}'
    mine = json.dumps({"query": clause(k=2, query=BM25, weight=0.1), "size": 2}).encode()
    raw = b"\n".join([b"{}", other, b'{"index":"test-clause"}', mine, b""])
    exchange = gateway.send("POST", f"/{NAME}/_msearch", raw)
    first, second = json.loads(exchange.answer)["responses"]
    assert first["hits"]["hits"] == []
    assert [set(hit["fields"]["crosshatch"][0]) for hit in second["hits"]["hits"]] == [
        {"distance", "part", "picture", "similarity", "bm25"}
    ] * 2
    assert gateway.sent[-1][2].startswith(b"{}\n" + other + b"\n")


def test_templates_are_rendered_with_the_callers_credentials(gateway: Gateway) -> None:
    template = {"source": json.dumps({"query": clause(k="{{k}}")}).replace('"{{k}}"', "{{k}}"), "params": {"k": 4}}
    mine = (JSON, (b"authorization", b"Basic bWU6"))
    answer = json.loads(gateway.send("POST", f"/{NAME}/_search/template", template, mine).answer)
    assert answer["hits"]["total"]["value"] == 4
    assert [path.partition("?")[0] for path, *_ in gateway.sent] == [
        "/_render/template", *(f"/{NAME}/_search" for _ in ("may it?", "candidates", "the search")),
    ]  # fmt: skip
    assert {headers[b"authorization"] for _, headers, _ in gateway.sent} == {b"Basic bWU6"}


def test_scroll_point_in_time_source_parameter_and_the_callers_own_names(gateway: Gateway, cluster: Cluster) -> None:
    page = gateway.search({"query": clause(k=5), "size": 2}, f"/{NAME}/_search?scroll=1m")
    rest = cluster.request("POST", "/_search/scroll", body={"scroll_id": page["_scroll_id"]})
    assert len(rest["hits"]["hits"]) == 2
    assert "matched_queries" not in rest["hits"]["hits"][0]
    point = cluster.request("POST", f"/{NAME}/_search/point_in_time", params={"keep_alive": "1m"})["pit_id"]
    pit = {"id": point, "keep_alive": "1m"}
    assert gateway.search({"query": clause(k=3), "pit": pit}, "/_search")["hits"]["total"]["value"] == 3
    cluster.request("DELETE", "/_search/point_in_time", body={"pit_id": [point]})
    source = urlencode({"source": json.dumps({"query": clause(k=2)}), "source_content_type": "application/json"})
    exchange = gateway.send("GET", f"/{NAME}/_search?{source}")
    assert json.loads(exchange.answer)["hits"]["total"]["value"] == 2
    own = {"query": {"match": {"title": {"query": "cat", "_name": "own"}}}}
    body = {"query": clause(query=own["query"], k=1, weight=0.1), "script_fields": {"one": {"script": "1"}}}
    hit = gateway.search(body)["hits"]["hits"][0]
    assert hit["matched_queries"] == ["own"]
    assert (hit["fields"]["one"], "_source" in hit) == ([1], False)


def test_scores_of_named_queries_come_as_the_caller_asked(gateway: Gateway) -> None:
    body = {"query": clause(query={"match": {"title": {"query": "cat", "_name": "own"}}}, k=1, weight=0.1), "size": 1}
    for asked, kind in (("", list), ("?include_named_queries_score=true", dict)):
        hit = gateway.search(body, f"/{NAME}/_search{asked}")["hits"]["hits"][0]
        assert type(hit["matched_queries"]) is kind
        assert list(hit["matched_queries"]) == ["own"]
        assert hit["fields"]["crosshatch"][0]["bm25"] > 0


def test_like_and_code(gateway: Gateway, stored: dict[str, StoredCodes]) -> None:
    record = next(r for r, codes in stored.items() if codes.text and not codes.image)
    code = stored[record].text
    assert code is not None
    alike = gateway.search({"query": {"crosshatch": {"like": {"_id": record}, "k": 5}}})
    given = gateway.search({"query": {"crosshatch": {"code": {"space": "s", "base64": code.base64()}, "k": 6}}})
    assert given["hits"]["hits"][0]["_id"] == record
    assert listed(alike) == listed(given)[1:]
    unweighted = {"query": {"crosshatch": {"like": {"_id": record}, "k": 5, "scoring": "asymmetric"}}}
    refused = gateway.send("POST", f"/{NAME}/_search", unweighted)
    assert refused.status == 400
    assert b"[query.crosshatch] asymmetric scoring needs a text or a picture" in refused.answer


def test_a_picture_comes_as_base64_or_as_an_upload(gateway: Gateway) -> None:
    name = gateway.part.searching.uploads.put(b"a picture")
    found = [
        listed(gateway.search({"query": {"crosshatch": {"image": image, "k": 5}}}))
        for image in ({"base64": "YSBwaWN0dXJl"}, {"upload": name})
    ]
    assert len(found[0]) == 5
    assert found[0] == found[1]
    private = {"query": {"crosshatch": {"image": {"url": "http://127.0.0.1:9/a.png"}}}}
    refused = json.loads(gateway.send("POST", f"/{NAME}/_search", private).answer)
    assert refused["error"]["reason"].startswith("[query.crosshatch.image] cannot be used: ")


def test_several_indices_with_the_same_ids_and_one_that_is_not_attached(gateway: Gateway, cluster: Cluster) -> None:
    """A record of an index without codes is found by its words alone, though its id is that of a similar record."""
    cluster.request("PUT", f"/{NAME}-plain", body={"mappings": {"properties": {"title": {"type": "text"}}}})
    try:
        query = {"query": clause(k=3), "size": 50}
        chosen = [hit["_id"] for hit in gateway.search(query)["hits"]["hits"]]
        for record in chosen:
            params = {"refresh": "true"}
            cluster.request("PUT", f"/{NAME}-plain/_doc/{record}", params=params, body={"title": "none"})
        both = gateway.search({**query, "size": 50}, f"/{NAME},{NAME}-plain/_search")["hits"]["hits"]
        by_words = gateway.search(
            {"query": clause(query={"match": {"title": "none"}}, k=3), "size": 50}, f"/{NAME}*/_search"
        )["hits"]["hits"]
    finally:
        cluster.request("DELETE", f"/{NAME}-plain")
    assert [(hit["_index"], hit["_id"]) for hit in both] == [(NAME, record) for record in chosen]
    assert sorted(hit["_index"] for hit in by_words) == [NAME] * 3 + [f"{NAME}-plain"] * 3


def test_scripts_that_the_cluster_lost_are_stored_again(gateway: Gateway, cluster: Cluster) -> None:
    cluster.request("DELETE", "/_scripts/crosshatch-score-1")
    assert gateway.search({"query": clause(k=3)})["hits"]["total"]["value"] == 3


def test_cbor_is_understood_and_answered(gateway: Gateway) -> None:
    headers = ((b"content-type", b"application/cbor"), (b"accept", b"application/cbor"))
    exchange = gateway.send("POST", f"/{NAME}/_search", cbor.dumps({"query": clause(k=4)}), headers)
    hits = cbor.loads(exchange.answer)["hits"]["hits"]
    assert [set(hit["fields"]["crosshatch"][0]) for hit in hits] == [
        {"distance", "part", "picture", "similarity", "bm25"}
    ] * 4


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", f"/{NAME}/_search", {"query": clause(k=0)}, 400, "[query.crosshatch] k: "),
        ("POST", f"/{NAME}/_delete_by_query", {"query": clause()}, 400, "[query.crosshatch] a crosshatch clause can"),
        ("POST", f"/{NAME}/_update_by_query", {"query": clause()}, 400, "[query.crosshatch] a crosshatch clause can"),
        ("POST", "/_aliases", {"actions": [{"add": {"filter": clause()}}]}, 400, "[actions[0].add.filter.crosshatch]"),
        ("POST", "/far:books/_search", {"query": clause()}, 400, "'far:books' names an index of a remote cluster"),
        ("POST", "/.crosshatch-state/_search", {"query": clause()}, 409, "no index behind '.crosshatch-state'"),
        ("POST", "/nothing-here/_search", {"query": clause()}, 404, "no such index"),
        (
            "POST",
            f"/{NAME}/_search",
            {"query": {"crosshatch": {"like": {"_id": "no"}}}},
            400,
            "[query.crosshatch.like]",
        ),
        (
            "POST",
            f"/{NAME}/_search",
            {"query": {"crosshatch": {"code": {"space": "s", "base64": "AAAAAAAAAAA="}}}},
            400,
            "[query.crosshatch.code.base64] has 64 bits; the codes of space s have 128",
        ),
        ("POST", f"/{NAME}/_search", {"query": {"crosshatch": {"code": {"space": "s", "base64": ""}}}}, 400, "0 bits"),
        (
            "POST",
            f"/{NAME}/_search",
            {"query": {"crosshatch": {"code": {"space": "other", "base64": "AAAAAAAAAAA="}}}},
            400,
            "[query.crosshatch.code.space] is 'other'; the indices searched have: s",
        ),
        (
            "POST",
            f"/{NAME}/_search",
            {"query": {"crosshatch": {"code": {"space": "s", "base64": "??"}}}},
            400,
            "base64",
        ),
        ("POST", f"/{NAME}/_search", {"query": {"crosshatch": "cats"}}, 400, "[query.crosshatch] is str; expected an"),
        ("POST", f"/{NAME}/_search", {"query": {"crosshatch": {"text": "nobody answers"}}}, 503, "no worker answers"),
        ("POST", f"/{NAME}/_search", {"query": clause(query={"nope": {}})}, 400, "nope"),
        ("POST", f"/{NAME}/_search?q=cat", {"query": clause()}, 400, "[query.crosshatch] is not searched for: `q` in"),
        ("POST", f"/{NAME}/_count?q=cat", {"query": clause()}, 400, "[query.crosshatch] is not searched for: `q` in"),
    ],
)
def test_refusals_have_the_engines_own_form(
    gateway: Gateway, method: str, path: str, body: Any, status: int, said: str
) -> None:
    exchange = gateway.send(method, path, body)
    answer = json.loads(exchange.answer)
    assert (exchange.status, answer["status"]) == (status, status)
    assert said in answer["error"]["reason"] + answer["error"]["root_cause"][0]["reason"]


def test_without_a_worker_the_words_are_searched_and_a_header_says_so(gateway: Gateway, cluster: Cluster) -> None:
    body = {"query": {"crosshatch": {"text": "nobody answers", "query": BM25}}}
    exchange = gateway.send("POST", f"/{NAME}/_search", body)
    direct = cluster.request("POST", f"/{NAME}/_search", body={"query": BM25})
    assert dict(exchange.answered)[b"x-crosshatch-degraded"] == b"no worker answers"
    assert json.loads(exchange.answer)["hits"] == direct["hits"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"query":{"term":{"crosshatch":"x"}}}',
        b'{"query":{"crosshatch":{"text":"a"}},"query":{"match_all":{}}}',
        b'{"query":{"crosshatch":',
        b"\xff\xfecrosshatch",
        b"",
    ],
)
def test_what_holds_no_clause_or_cannot_be_decoded_is_left_to_the_next(gateway: Gateway, raw: bytes) -> None:
    assert gateway.send("POST", f"/{NAME}/_search", raw).status == 0
    assert gateway.sent == []
