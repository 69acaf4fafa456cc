"""Clauses within queries that find a record by others, and within what shows these others, on a real engine."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from encoders.api import BundleCard
from integration.engine.client import Cluster
from mappings.code import HashCode
from mappings.fields import StoredCodes
from tests.live.coded import coded_index
from tests.live.gateway.test_clause import Gateway, card, clause, code_of, gateway, stored

__all__ = ["card", "gateway", "stored"]
NAME = "test-clause-joined"
WORKS, COPIES = 12, 3  # of each work


@pytest.fixture(scope="module")
def joined(cluster: Cluster, card: BundleCard, stored: dict[str, StoredCodes]) -> Iterator[dict[str, HashCode]]:
    """Works and their copies, each with a code of its text."""
    rng = random.Random(11)
    join = {"type": "join", "relations": {"work": "copy"}}
    properties = {
        "title": {"type": "text"}, "is": join, "shelf": {"type": "keyword"},
        "notes": {"type": "nested", "properties": {"said": {"type": "text"}}},
    }  # fmt: skip
    codes, lines = {}, list[bytes]()

    def add(name: str, work: str, **more: Any) -> None:
        codes[name] = HashCode(128, rng.randbytes(16))
        members = StoredCodes(codes[name], ()).members()
        lines.append(json.dumps({"index": {"_id": name, "routing": work}}).encode())
        lines.append(json.dumps({"crosshatch": {"s": members}, **more}).encode())

    for number in range(WORKS):
        work = f"w{number}"
        notes = [{"said": "a red cat"}, {"said": "a sea"}]
        add(work, work, title="cat sea", notes=notes, shelf=f"s{number % 3}", **{"is": "work"})
        for at in range(COPIES):
            add(f"{work}c{at}", work, title="red cat", **{"is": {"name": "copy", "parent": work}})
    with coded_index(cluster, NAME, "s", card, properties, lines):
        yield codes


def found(gateway: Gateway, body: Any) -> list[Any]:
    hits: list[Any] = gateway.search({"size": 100, **body}, f"/{NAME}/_search")["hits"]["hits"]
    return hits


def test_works_are_found_by_the_codes_of_their_copies_and_copies_by_their_works(
    gateway: Gateway, joined: dict[str, HashCode], card: BundleCard
) -> None:
    similar = {name: card.table("text", "text")[code_of("cat sea").distance(code)] for name, code in joined.items()}
    for kind, other in (("copy", "has_child"), ("work", "has_parent")):
        own = {name: value for name, value in similar.items() if ("c" in name) == (kind == "copy")}
        least = sorted(own.values())[-4]
        near = {name for name, value in own.items() if value >= least}
        works = {name.partition("c")[0] for name in near}
        expected = works if kind == "copy" else {f"{work}c{at}" for work in works for at in range(COPIES)}
        typed = {"type": kind, "score_mode": "max"} if kind == "copy" else {"parent_type": kind, "score": True}
        hits = found(gateway, {"query": {other: {**typed, "query": clause(min_similarity=least, on=["text"])}}})
        assert {hit["_id"] for hit in hits} == expected
        best = max(hits, key=lambda hit: hit["_score"])["_id"]
        nearest = max(near, key=lambda name: similar[name])
        assert best.partition("c")[0] == nearest.partition("c")[0]
        told = hits[0]["fields"]["crosshatch"][0]  # of the hit itself, not of what it was found by
        assert told["distance"] == code_of("cat sea").distance(joined[hits[0]["_id"]])


@pytest.mark.parametrize("outer", [{"has_child": {"type": "copy"}}, {"nested": {"path": "notes"}}])
def test_within_them_a_least_similarity_is_required_and_the_place_told(
    gateway: Gateway, joined: dict[str, HashCode], outer: dict[str, dict[str, Any]]
) -> None:
    [(kind, typed)] = outer.items()
    body = {"query": {"bool": {"should": [{kind: {**typed, "query": clause()}}]}}}
    exchange = gateway.send("POST", f"/{NAME}/_search", body)
    reason = json.loads(exchange.answer)["error"]["reason"]
    assert exchange.status == 400
    assert reason.startswith(f"[query.bool.should[0].{kind}.query.crosshatch.min_similarity] is required here")


def test_the_words_of_a_clause_within_others_have_no_score_of_their_own(
    gateway: Gateway, joined: dict[str, HashCode]
) -> None:
    words = clause(min_similarity=1.0, query={"match": {"title": "red"}})
    hits = found(gateway, {"query": {"has_child": {"type": "copy", "query": words}}})
    assert len(hits) == WORKS
    assert not [hit for hit in hits if "matched_queries" in hit]
    assert all("bm25" not in hit["fields"]["crosshatch"][0] for hit in hits)


def test_marks_and_orders_of_inner_hits_may_hold_clauses(gateway: Gateway, joined: dict[str, HashCode]) -> None:
    red = clause(query={"match": {"title": "red"}})
    shown = {"highlight": {"fields": {"title": {}}, "highlight_query": red}}
    copies = {"has_child": {"type": "copy", "query": {"match": {"title": "cat"}}, "inner_hits": shown}}
    hits = found(gateway, {"query": copies})
    marks = [one["highlight"]["title"] for hit in hits for one in hit["inner_hits"]["copy"]["hits"]["hits"]]
    assert marks == [["<em>red</em> cat"]] * WORKS * COPIES
    assert not [hit for hit in hits if "crosshatch" in hit.get("fields", {})]
    works = {"query": {"term": {"is": "work"}}}
    folded = {"field": "shelf", "inner_hits": {"name": "same", "highlight": shown["highlight"]}}
    sea = clause(query={"match": {"title": "sea"}})
    folded["inner_hits"] = {"name": "same", "highlight": {**shown["highlight"], "highlight_query": sea}}
    hits = found(gateway, {**works, "collapse": folded})
    assert hits[0]["inner_hits"]["same"]["hits"]["hits"][0]["highlight"]["title"] == ["cat <em>sea</em>"]
    best = {"top_hits": {"size": 1, "highlight": {**shown["highlight"], "highlight_query": sea}}}
    answer = gateway.search({**works, "size": 0, "aggs": {"best": best}}, f"/{NAME}/_search")
    assert answer["aggregations"]["best"]["hits"]["hits"][0]["highlight"]["title"] == ["cat <em>sea</em>"]
