"""A search over indices of two spaces, with nested items: each space's codes are compared with the query's own."""

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
from tests.live.gateway.test_clause import NAME, Gateway, card, clause, code_of, gateway, stored

__all__ = ["card", "gateway", "stored"]
OTHER, BOTH = f"{NAME}-other", f"{NAME}-both"


@pytest.fixture(scope="module")
def other(cluster: Cluster, card: BundleCard, stored: dict[str, StoredCodes]) -> Iterator[dict[str, StoredCodes]]:
    """40 records of another index, in a space of its own; each has an item."""
    rng = random.Random(7)
    properties = {"title": {"type": "text"}, "items": {"type": "nested", "properties": {"due": {"type": "integer"}}}}
    codes, lines = {}, list[bytes]()
    for number in range(40):
        mine = codes[f"o{number}"] = StoredCodes(
            HashCode(128, rng.randbytes(16)), ((0, HashCode(128, rng.randbytes(16))),)
        )
        source = {"title": "x", "items": [{"due": number}], "crosshatch": {"t": mine.members()}}
        lines += [json.dumps({"index": {"_id": f"o{number}"}}).encode(), json.dumps(source).encode()]
    with coded_index(cluster, OTHER, "t", card, properties, lines):
        yield codes


@pytest.mark.parametrize("on", [("text",), ("image",), ("text", "image")])
def test_on_counts_in_every_space(
    gateway: Gateway, stored: dict[str, StoredCodes], other: dict[str, StoredCodes], on: tuple[str, ...]
) -> None:
    query = code_of("cat sea")

    def nearest(codes: StoredCodes) -> int:
        held = [codes.text] if codes.text and "text" in on else []
        held += [code for _, code in codes.image] if "image" in on else []
        return min((query.distance(code) for code in held), default=999)

    body = {"query": clause(k=30, on=on), "size": 30}
    hits = gateway.search(body, f"/{NAME},{OTHER}/_search")["hits"]["hits"]
    told = {hit["_id"]: hit["fields"]["crosshatch"][0] for hit in hits}
    assert {one["part"] for one in told.values()} == set(on)
    assert {hit["_index"] for hit in hits} == {NAME, OTHER}
    if len(on) == 1:  # one table: the nearest are the most similar
        every = {**stored, **other}
        assert sorted(one["distance"] for one in told.values()) == sorted(map(nearest, every.values()))[:30]
        assert all(one["distance"] == nearest(every[record]) for record, one in told.items())


def test_a_code_is_compared_in_its_own_space_alone(gateway: Gateway, other: dict[str, StoredCodes]) -> None:
    given: Any = {"space": "t", "base64": code_of("cat sea").base64()}
    hits = gateway.search({"query": {"crosshatch": {"code": given, "k": 9}}}, f"/{NAME},{OTHER}/_search")["hits"][
        "hits"
    ]
    assert [hit["_index"] for hit in hits] == [OTHER] * 9
    wrong = {"query": {"crosshatch": {"code": {**given, "space": "u"}}}}
    refused = json.loads(gateway.send("POST", f"/{NAME},{OTHER}/_search", wrong).answer)
    assert refused["error"]["reason"] == "[query.crosshatch.code.space] is 'u'; the indices searched have: s, t"


def test_within_nested_items_and_their_order_a_clause_holds_by_its_words(
    gateway: Gateway, other: dict[str, StoredCodes]
) -> None:
    """An item has no codes: these belong to the record."""
    due = {"crosshatch": {"text": "cat", "min_similarity": 0.0, "query": {"range": {"items.due": {"gte": 35}}}}}
    nested = {"query": {"nested": {"path": "items", "query": due}}, "size": 50}
    assert {hit["_id"] for hit in gateway.search(nested, f"/{OTHER}/_search")["hits"]["hits"]} == {
        f"o{n}" for n in range(35, 40)
    }
    order = {"items.due": {"order": "asc", "missing": "_last", "nested": {"path": "items", "filter": due}}}
    hits = gateway.search({"query": {"match_all": {}}, "sort": [order], "size": 5}, f"/{OTHER}/_search")["hits"]["hits"]
    assert [hit["_id"] for hit in hits] == [f"o{n}" for n in range(35, 40)]


def test_several_indices_behind_one_name_are_searched_as_that_name_shows_them(
    gateway: Gateway, cluster: Cluster, stored: dict[str, StoredCodes], other: dict[str, StoredCodes]
) -> None:
    """Each is compared by its own space's codes; what the alias hides of one is no hit, and takes no hit's place."""
    open_ones = {"filter": {"term": {"suppressed": False}}}
    actions = [{"add": {"index": NAME, "alias": BOTH, **open_ones}}, {"add": {"index": OTHER, "alias": BOTH}}]
    cluster.request("POST", "/_aliases", body={"actions": actions})
    try:
        body: Any = {"query": clause(k=60, on=["text"]), "size": 100}
        hits = gateway.search(body, f"/{BOTH}/_search")["hits"]["hits"]
        like = {"query": {"crosshatch": {"like": {"_id": "o3"}, "k": 5}}}
        alike = gateway.search(like, f"/{BOTH}/_search")["hits"]["hits"]
    finally:
        cluster.request("POST", "/_aliases", body={"actions": [{"remove": {"index": "*", "alias": BOTH}}]})
    shown = {f"b{number}": stored[f"b{number}"] for number in range(len(stored)) if number % 10} | other
    query = code_of("cat sea")
    distances = {record: query.distance(codes.text) for record, codes in shown.items() if codes.text}
    told = {hit["_id"]: hit["fields"]["crosshatch"][0]["distance"] for hit in hits}
    assert told == {record: distances[record] for record in told}
    assert sorted(told.values()) == sorted(distances.values())[:60]
    assert {hit["_index"] for hit in hits} == {NAME, OTHER}
    assert {hit["_index"] for hit in alike} == {OTHER}  # a code of one space says nothing of another's
