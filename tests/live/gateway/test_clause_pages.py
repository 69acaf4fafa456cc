"""Clauses whose hits come page by page, on a real engine: points in time and scrolls."""

import json
from typing import Any

import pytest

from integration.engine.client import Cluster
from mappings.fields import StoredCodes
from tests.live.gateway.test_clause import BM25, NAME, Gateway, card, clause, gateway, stored

__all__ = ["card", "gateway", "stored"]
ORDER = [{"_score": "desc"}, {"_id": "asc"}]
BODY = {"query": clause(k=6, query=BM25), "sort": ORDER}


def told(hit: Any) -> dict[str, Any]:
    """What a hit says of itself."""
    [best] = hit["fields"]["crosshatch"]
    return {**best, "id": hit["_id"], "score": hit["_score"]}


def test_every_page_of_a_point_in_time_explains_itself(gateway: Gateway, cluster: Cluster) -> None:
    """Each is a search of its own, rewritten anew; the hits are those of one large page."""
    whole = [told(hit) for hit in gateway.search({**BODY, "size": 200})["hits"]["hits"]]
    point = cluster.request("POST", f"/{NAME}/_search/point_in_time", params={"keep_alive": "1m"})["pit_id"]
    body: dict[str, Any] = {**BODY, "pit": {"id": point, "keep_alive": "1m"}, "size": 7}
    found: list[dict[str, Any]] = []
    try:
        while hits := gateway.search(body, "/_search")["hits"]["hits"]:
            found += [told(hit) for hit in hits]
            assert not [hit for hit in hits if "matched_queries" in hit]
            body["search_after"] = hits[-1]["sort"]
    finally:
        cluster.request("DELETE", "/_search/point_in_time", body={"pit_id": [point]})
    assert found == whole
    assert len({one["bm25"] for one in found}) > 5
    assert sum(one["bm25"] is None for one in found) == 6


def test_what_hits_are_like_is_looked_for_within_the_point_in_time(gateway: Gateway, cluster: Cluster) -> None:
    """Another index with a record of this id is none of those that are searched."""
    expected = gateway.search({"query": {"crosshatch": {"like": {"_id": "b1"}, "k": 5}}})["hits"]["hits"]
    cluster.request("PUT", f"/{NAME}-same/_doc/b1", params={"refresh": "true"}, body={"title": "x"})
    point = cluster.request("POST", f"/{NAME}/_search/point_in_time", params={"keep_alive": "1m"})["pit_id"]
    try:
        body = {"query": {"crosshatch": {"like": {"_id": "b1"}, "k": 5}}, "pit": {"id": point}}
        hits = gateway.search(body, "/_search")["hits"]["hits"]
    finally:
        cluster.request("DELETE", "/_search/point_in_time", body={"pit_id": [point]})
        cluster.request("DELETE", f"/{NAME}-same")
    assert [hit["_id"] for hit in hits] == [hit["_id"] for hit in expected]


@pytest.mark.parametrize("template", [False, True])
def test_pages_of_a_scroll_tell_all_the_same(
    gateway: Gateway, cluster: Cluster, stored: dict[str, StoredCodes], template: bool
) -> None:
    """The first page comes through us and the others pass by: what they tell is what the engine tells by itself."""
    body: Any = {**BODY, "size": 15}
    path = f"/{NAME}/_search/template" if template else f"/{NAME}/_search"
    page = gateway.search({"source": body} if template else body, f"{path}?scroll=1m")
    whole = gateway.search({**BODY, "size": 200})["hits"]["hits"]
    found = page["hits"]["hits"]
    while hits := page["hits"]["hits"]:
        page = cluster.request("POST", "/_search/scroll", body={"scroll_id": page["_scroll_id"], "scroll": "1m"})
        found += page["hits"]["hits"]
        assert not [hit for hit in hits if "matched_queries" in hit]
    cluster.request("DELETE", "/_search/scroll", body={"scroll_id": page["_scroll_id"]})
    assert [hit["_id"] for hit in found] == [hit["_id"] for hit in whole]
    for hit, other in zip(found, whole, strict=True):
        expected = {name: value for name, value in other["fields"]["crosshatch"][0].items() if name != "bm25"}
        [best] = hit["fields"]["crosshatch"]
        assert best == (expected if expected["distance"] is not None else None)
    codes = [stored[hit["_id"]] for hit in found]
    assert any(one.text is None and not one.image for one in codes)


def test_a_scroll_without_a_code_says_so(gateway: Gateway) -> None:
    body = {"query": {"crosshatch": {"text": "nobody answers", "query": BM25}}}
    exchange = gateway.send("POST", f"/{NAME}/_search?scroll=1m", body)
    assert dict(exchange.answered)[b"x-crosshatch-degraded"] == b"no worker answers"
    assert json.loads(exchange.answer)["hits"]["total"]["value"] > 0
