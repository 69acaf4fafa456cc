"""Whatever stands around a clause, the bands plan answers what the exact plan answers, on a real engine.

Codes are random, or so near to the query's that they must share a band with it, and `min_similarity` leaves out all
that are farther: what the bands find is then proven to be all that there is to find.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from encoders.api import BundleCard
from integration.engine.client import Cluster
from integration.search.planner import READ
from integration.settings import Settings
from mappings import bands
from mappings.code import HashCode
from mappings.fields import StoredCodes
from tests.live.coded import coded_index
from tests.live.gateway.test_clause import WORDS, Gateway, card, code_of

__all__ = ["card"]
ONE, OTHER, BOTH = "test-composes-one", "test-composes-other", "test-composes-both"
CUT = bands.Banding(128, 16)
NEAR = CUT.proven(bands.REACH)  # bits
PROPERTIES = {
    "title": {"type": "text"},
    "language": {"type": "keyword"},
    "year": {"type": "integer"},
    "suppressed": {"type": "boolean"},
}


def flipped(code: HashCode, bits: int, rng: random.Random) -> HashCode:
    whole = int.from_bytes(code.packed)
    for bit in rng.sample(range(code.bits), bits):
        whole ^= 1 << bit
    return HashCode(code.bits, whole.to_bytes(code.bits // 8))


def lines_of(prefix: str, count: int, rng: random.Random) -> list[bytes]:
    """Records of a bulk: a third near the query's code, by text or by a picture, each at a distance of its own."""
    lines = []
    for number in range(count):
        far = HashCode(128, rng.randbytes(16))
        near = flipped(code_of("cat sea"), number % (NEAR + 1), rng)
        kind = number % 6
        codes = StoredCodes(near if kind == 1 else far, ((0, far), (1, near if kind == 3 else far))[:kind])
        source = {
            "title": " ".join(rng.choices(WORDS, k=3)),
            "language": rng.choice(("eng", "fre", "ger")),
            "year": rng.randrange(1900, 1905),
            "suppressed": number % 10 == 0,
            "crosshatch": {"s": codes.members()},
            bands.OBJECT: {"s": CUT.members(codes)},
        }
        lines += [json.dumps({"index": {"_id": f"{prefix}{number}"}}).encode(), json.dumps(source).encode()]
    return lines


@pytest.fixture(scope="module")
def indices(cluster: Cluster, card: BundleCard) -> Iterator[None]:
    """Two with bands, and an alias of both."""
    rng = random.Random(3)
    with (
        coded_index(cluster, ONE, "s", card, PROPERTIES, lines_of("a", 180, rng), CUT),
        coded_index(cluster, OTHER, "s", card, PROPERTIES, lines_of("z", 60, rng), CUT),
    ):
        alias = [{"add": {"index": name, "alias": BOTH}} for name in (ONE, OTHER)]
        cluster.request("POST", "/_aliases", body={"actions": alias})
        yield


@pytest.fixture
def gateway(cluster: Cluster, settings: Settings, indices: None) -> Gateway:
    return Gateway(cluster, settings)


def clause(card: BundleCard, plan: str, **more: Any) -> dict[str, Any]:
    least = min(card.table("text", part)[NEAR] for part in ("text", "image"))
    return {"crosshatch": {"text": "cat sea", "plan": plan, "min_similarity": least, "k": 200, "on": ["text"], **more}}


WORDS_SIDE = {"match": {"title": {"query": "cat sea", "_name": "theirs"}}}
BOTH_SIDES = {"query": WORDS_SIDE}
BY_SCORE = [{"_score": "desc"}, {"_id": "asc"}]
AROUND: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a post filter": {"post_filter": {"term": {"language": "fre"}}},
    "facets": {"aggs": {"languages": {"terms": {"field": "language"}, "aggs": {"year": {"avg": {"field": "year"}}}}}},
    "facets alone": {"size": 0, "aggs": {"years": {"histogram": {"field": "year", "interval": 1}}}},
    "highlighting": {"highlight": {"fields": {"title": {}}}},
    "an order by field": {"sort": [{"year": "desc"}, {"_id": "asc"}]},
    "an order by field, with scores": {"sort": [{"year": "desc"}, {"_id": "asc"}], "track_scores": True},
    "one hit a language": {"collapse": {"field": "language", "inner_hits": {"name": "more", "size": 3}}},
    "a page": {"from": 7, "size": 9},
    "the page after": {"sort": [{"year": "asc"}, {"_id": "asc"}], "search_after": [1902, "a5"], "size": 12},
    "parts of the source": {"_source": {"includes": ["title"], "excludes": ["year"]}},
    "no source": {"_source": False, "fields": ["year"], "docvalue_fields": ["language"]},
    "a least score": {"min_score": 0.3},
    "rescoring": {"rescore": {"window_size": 20, "query": {"rescore_query": {"match": {"title": "dog"}}}}},
    "a count up to a limit": {"track_total_hits": 20},
    "versions": {"version": True, "seq_no_primary_term": True, "explain": False},
}


def answered(gateway: Gateway, path: str, body: Any) -> Any:
    answer = gateway.search(body, path)
    answer.pop("took")
    return answer


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("index", [BOTH, f"{ONE},{OTHER}"])
def test_bands_answer_what_the_exact_plan_answers(gateway: Gateway, card: BundleCard, index: str, around: str) -> None:
    only = {"term": {"suppressed": False}}
    for sides in ({}, BOTH_SIDES):
        for restricted in (False, True):
            answers = []
            for plan in ("exact", "bands", "auto"):
                query = clause(card, plan, **sides)
                if restricted:
                    query = {"bool": {"should": [query], "filter": [only], "minimum_should_match": 1}}
                body = {"sort": BY_SCORE, "size": 300, **AROUND[around], "query": query}
                if around == "rescoring":  # the engine rescores no sorted search
                    del body["sort"]
                answers.append(answered(gateway, f"/{index}/_search", body))
            assert answers[1] == answers[0]
            assert answers[2] == answers[0]
            assert answers[0]["hits"]["total"]["value"] > 10


@pytest.mark.parametrize("sides", [{}, BOTH_SIDES])
def test_pages_and_scrolls_and_points_in_time_are_the_same(
    gateway: Gateway, cluster: Cluster, card: BundleCard, sides: dict[str, Any]
) -> None:
    found: dict[str, list[Any]] = {}
    for plan in ("exact", "bands"):
        body: Any = {"query": clause(card, plan, **sides), "sort": BY_SCORE, "size": 7}
        paged = [
            hit
            for start in range(0, 210, 7)
            for hit in answered(gateway, f"/{BOTH}/_search", {**body, "from": start})["hits"]["hits"]
        ]
        point = cluster.request("POST", f"/{BOTH}/_search/point_in_time", params={"keep_alive": "1m"})["pit_id"]
        pitted: list[Any] = []
        try:
            pit = {**body, "pit": {"id": point, "keep_alive": "1m"}}
            while hits := answered(gateway, "/_search", pit)["hits"]["hits"]:
                pitted += hits
                pit["search_after"] = hits[-1]["sort"]
        finally:
            cluster.request("DELETE", "/_search/point_in_time", body={"pit_id": [point]})
        scrolled: list[Any] = []
        answer = gateway.search(body, f"/{BOTH}/_search?scroll=1m")
        while answer["hits"]["hits"]:
            scrolled += answer["hits"]["hits"]
            answer = cluster.request(
                "POST", "/_search/scroll", body={"scroll_id": answer["_scroll_id"], "scroll": "1m"}
            )
        cluster.request("DELETE", "/_search/scroll", body={"scroll_id": [answer["_scroll_id"]]})
        ids = [hit["_id"] for hit in paged]
        assert ids == [hit["_id"] for hit in pitted] == [hit["_id"] for hit in scrolled]
        assert len(ids) == len(set(ids)) > 20
        found[plan] = paged
    assert found["bands"] == found["exact"]


def test_bands_look_at_fewer_records(gateway: Gateway, card: BundleCard) -> None:
    """Without a least similarity the plans differ: the tests above would not see it if both were one."""
    far = {plan: clause(card, plan, min_similarity=0.0) for plan in ("exact", "bands")}
    totals = {
        plan: answered(gateway, f"/{ONE}/_search", {"query": query})["hits"]["total"]["value"]
        for plan, query in far.items()
    }
    assert totals["bands"] < totals["exact"] == 180


def test_with_time_to_read_all_that_may_be_found_every_record_is_read(gateway: Gateway, card: BundleCard) -> None:
    """The index has 180 records; what stands around the clause lets some of them pass, and a budget some be read."""

    def total(plan: str, **more: Any) -> int:
        query = clause(card, plan, min_similarity=0.0, **more)
        around = {"bool": {"should": [query], "filter": [{"term": {"language": "fre"}}], "minimum_should_match": 1}}
        return int(answered(gateway, f"/{ONE}/_search", {"query": around})["hits"]["total"]["value"])

    every, near = total("exact"), total("bands")
    assert near < every < 180
    least = every / READ  # milliseconds
    assert total("auto") == near, "without a budget bands are taken wherever they are"
    assert total("auto", budget_ms=least) == total("auto", budget_ms=1e300) == every
    assert total("auto", budget_ms=least * (1 - 0.5 / every)) == near
    assert total("bands", budget_ms=least) == near, "a plan that is named is taken"
    gateway.sent.clear()
    total("auto", budget_ms=least, query=WORDS_SIDE, fusion="rrf")
    paths = [path.partition("?")[0] for path, _, _ in gateway.sent]
    assert paths == [f"/{ONE}/_search"] * 4, "a count, both lists, the search"


def test_the_bm25_sides_name_is_told_where_the_words_match(gateway: Gateway, card: BundleCard) -> None:
    for plan in ("exact", "bands"):
        body = {"query": clause(card, plan, **BOTH_SIDES), "size": 300}
        hits = answered(gateway, f"/{ONE}/_search", body)["hits"]["hits"]
        named = {hit["_id"] for hit in hits if "theirs" in hit.get("matched_queries", ())}
        assert named == {hit["_id"] for hit in hits if {"cat", "sea"} & set(hit["_source"]["title"].split())}
        assert 0 < len(named) < len(hits)
