"""Ranks fused on a real engine: the search command's answer, the clause's, and that of a slow version, are one."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from encoders.api import BundleCard
from integration.engine.client import Cluster
from integration.queries import QueryCodes as Encoded
from integration.search.asking import printable
from integration.search.plan import words_query
from integration.search.ranks import LONGEST, Ranks
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.settings import Settings
from mappings.fields import StoredCodes
from tests.live.gateway.test_clause import BM25, NAME, Gateway, card, clause, code_of, gateway, listed, stored

__all__ = ["card", "gateway", "stored"]
OPEN = {"term": {"suppressed": False}}
ORDER = [{"_score": "desc"}, {"_id": "asc"}]


@pytest.fixture
def searcher(cluster: Cluster, settings: Settings, stored: dict[str, StoredCodes]) -> Searcher:
    return Searcher(
        cluster, settings, None, encode=lambda item, *_: Encoded({"text": code_of(item.text or "")}, "worker")
    )


def slow(
    cluster: Cluster, stored: Mapping[str, StoredCodes], card: BundleCard, text: str, *, k: int, weight: float
) -> list[tuple[str, float]]:
    """Every open record that the words find or that is among the k nearest, with its score, by the definition."""
    query = code_of(text)
    body = {"query": {"bool": {"must": [words_query(text, ["title"])], "filter": [OPEN]}}, "size": 200, "sort": ORDER}
    words = [hit["_id"] for hit in cluster.request("POST", f"/{NAME}/_search", body=body)["hits"]["hits"]]
    body = {"query": {"bool": {"filter": [OPEN]}}, "size": 200, "_source": False}
    open_ones = [hit["_id"] for hit in cluster.request("POST", f"/{NAME}/_search", body=body)["hits"]["hits"]]
    similar = {}
    for record in open_ones:
        held = [("text", stored[record].text), *(("image", code) for _, code in stored[record].image)]
        found = [card.table("text", part)[query.distance(code)] for part, code in held if code]
        if found:
            similar[record] = np.float32(max(found))
    codes = sorted(similar, key=lambda record: (-similar[record], record))[:k]
    scores = {}
    for record in {*words, *codes}:
        score = 0.0
        if record in words[:k]:
            score += (1 - weight) / (60 + words.index(record) + 1)
        if record in codes:
            score += weight / (60 + codes.index(record) + 1)
        scores[record] = float(np.float32(score))
    last = {record: place for place, record in enumerate(words) if not scores[record]}  # by BM25, after what has ranks
    ranked = sorted(scores, key=lambda record: (-scores[record], last.get(record, len(words)), record))
    return [(record, scores[record]) for record in ranked]


@pytest.mark.parametrize(("k", "weight"), [(5, 0.5), (20, 0.2), (100, 0.8), (20, 0.0), (20, 1.0)])
def test_the_search_command_s_hits_are_those_of_a_slow_version(
    searcher: Searcher, cluster: Cluster, stored: dict[str, StoredCodes], card: BundleCard, k: int, weight: float
) -> None:
    request = SearchRequest(
        text="cat sea", filters=(("suppressed", "false"),), k=k, weight=weight, size=200, fusion="rrf"
    )
    found = searcher.search(NAME, request)
    expected = slow(cluster, stored, card, "cat sea", k=k, weight=weight)
    assert [hit.id for hit in found.hits] == [record for record, _ in expected]
    assert [hit.score for hit in found.hits] == pytest.approx([score for _, score in expected], rel=1e-6, abs=1e-12)
    assert found.total == len(expected)
    exact = {hit.id: hit for hit in searcher.search(NAME, replace(request, fusion="exact", k=100)).hits}
    for hit in found.hits:
        assert replace(hit, score=0.0) == replace(exact[hit.id], score=0.0)
    pages = [searcher.search(NAME, replace(request, size=7, page=page)).hits for page in range(1, 30)]
    assert [hit for page in pages for hit in page] == list(found.hits)
    for hit in found.listed(explain=True)["hits"]:
        assert hit["score"] == pytest.approx(hit["explain"]["words"] + hit["explain"]["codes"], rel=1e-6, abs=1e-12)


def test_what_is_shown_can_be_sent(searcher: Searcher, cluster: Cluster) -> None:
    request = SearchRequest(text="cat sea", k=9, fusion="rrf")
    lists, page = json.loads(printable(cluster, searcher.prepare(NAME, request).plan))["requests"]
    answers = cluster.request(lists["method"], lists["path"], body=lists["body"].encode())["responses"]
    assert [len(answer["hits"]["hits"]) for answer in answers] == [9, 9]
    path, _, params = page["path"].partition("?")
    sent = cluster.request(page["method"], path, params=dict([params.split("=")]), body=page["body"])
    assert listed(sent) == [(hit.id, hit.score) for hit in searcher.search(NAME, request).hits]


def test_a_clause_ranks_as_the_search_command(gateway: Gateway, searcher: Searcher) -> None:
    request = SearchRequest(text="cat sea", filters=(("suppressed", "false"),), k=9, size=200, fusion="rrf")
    expected = searcher.search(NAME, request)
    mine = clause(query=words_query("cat sea", ["title"]), k=9, fusion="rrf")
    body = {
        "query": {"bool": {"should": [mine], "filter": OPEN, "minimum_should_match": 1}}, "sort": ORDER, "size": 200,
        "track_total_hits": True, "aggs": {"open": {"terms": {"field": "suppressed"}}},
        "highlight": {"fields": {"title": {}}},
    }  # fmt: skip
    answer = gateway.search(body)
    assert listed(answer) == [(hit.id, hit.score) for hit in expected.hits]
    assert answer["hits"]["total"]["value"] == expected.total
    assert [one["doc_count"] for one in answer["aggregations"]["open"]["buckets"]] == [expected.total]
    for hit, raw in zip(expected.hits, answer["hits"]["hits"], strict=True):
        [best] = raw["fields"]["crosshatch"]
        assert (best["distance"], best["part"], best["picture"]) == (hit.distance, hit.part, hit.picture)
        assert best["bm25"] == (pytest.approx(hit.bm25) if hit.bm25 is not None else None)
        assert ("highlight" in raw) == (hit.bm25 is not None)
    assert gateway.search({"query": body["query"]}, f"/{NAME}/_count")["count"] == expected.total


def test_in_several_indices_the_same_id_is_told_apart(gateway: Gateway, cluster: Cluster) -> None:
    asked = {"query": clause(query=BM25, k=5, fusion="rrf"), "size": 5, "sort": ORDER}
    alone = gateway.search(asked)
    other = f"{NAME}-plain"
    cluster.request("PUT", f"/{other}", body={"mappings": {"properties": {"title": {"type": "text"}}}})
    try:
        for hit in alone["hits"]["hits"]:
            cluster.request("PUT", f"/{other}/_doc/{hit['_id']}", params={"refresh": "true"}, body={"title": "none"})
        both = gateway.search(asked, f"/{NAME},{other}/_search")
    finally:
        cluster.request("DELETE", f"/{other}")
    assert listed(both) == listed(alone)
    assert {hit["_index"] for hit in both["hits"]["hits"]} == {NAME}


def test_in_a_multi_search_the_order_is_the_same_and_bm25_is_left_out(gateway: Gateway) -> None:
    body = {"query": clause(query=BM25, k=9, fusion="rrf"), "size": 50, "sort": ORDER}
    raw = b"{}\n" + json.dumps(body).encode() + b"\n"
    [answer] = json.loads(gateway.send("POST", f"/{NAME}/_msearch", raw).answer)["responses"]
    assert listed(answer) == listed(gateway.search(body))
    told = {"distance", "part", "picture", "similarity"}
    assert all(set(hit["fields"]["crosshatch"][0]) == told for hit in answer["hits"]["hits"])


def test_a_scroll_and_an_order_of_the_callers_hold_the_same_records(gateway: Gateway, cluster: Cluster) -> None:
    body = {"query": clause(query=BM25, k=9, fusion="rrf"), "size": 100}
    found = gateway.search(body)
    page = gateway.search({**body, "size": 10}, f"/{NAME}/_search?scroll=1m")
    rest = cluster.request("POST", "/_search/scroll", body={"scroll_id": page["_scroll_id"]})
    both = [hit["_id"] for one in (page, rest) for hit in one["hits"]["hits"]]
    assert len(both) == 20
    assert set(both) <= {hit["_id"] for hit in found["hits"]["hits"]}
    by_id = gateway.search({**body, "sort": [{"_id": "asc"}]})
    assert [hit["_id"] for hit in by_id["hits"]["hits"]] == sorted(hit["_id"] for hit in found["hits"]["hits"])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"bool": {"must": [clause(query=BM25, fusion="rrf")]}}, "[query.bool.must[0].crosshatch.fusion] rrf ranks"),
        ({"bool": {"should": [BM25, clause(query=BM25, fusion="rrf")]}}, "[query.bool.should[1].crosshatch.fusion] "),
        (clause(query=BM25, fusion="rrf", k=301), "[query.crosshatch.k] k is 301; with fusion rrf both lists have k"),
        (clause(fusion="rrf"), "[query.crosshatch.fusion] rrf merges what a `query` finds"),
    ],
)
def test_where_ranks_cannot_be_fused_the_place_is_named(gateway: Gateway, query: Any, said: str) -> None:
    exchange = gateway.send("POST", f"/{NAME}/_search", {"query": query})
    assert exchange.status == 400
    assert json.loads(exchange.answer)["error"]["reason"].startswith(said)


def test_the_longest_lists_fit_into_one_query(gateway: Gateway, cluster: Cluster) -> None:
    """None of them in both: the most clauses there can be."""
    words, codes = ([(NAME, f"{side}{n}") for n in range(LONGEST)] for side in "wc")
    query = Ranks(words, codes, 0.5).query(BM25)
    assert cluster.request("POST", f"/{NAME}/_search", body={"query": query})["hits"]["hits"]
