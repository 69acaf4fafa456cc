"""Where clauses stand: every query position of a body, and none of the places where a name is just a name."""

from typing import Any

import pytest

from integration.gateway.positions import find

C: dict[str, Any] = {"crosshatch": {"text": "x"}}
INSIDE = [
    {"query": {"bool": {"must": C}}},
    {"query": {"bool": {"filter": [C]}}},
    {"query": {"bool": {"must_not": [{"match_all": {}}, C]}}},
    {"query": {"bool": {"must": {"bool": {"should": [C]}}}}},
    {"query": {"dis_max": {"queries": [C]}}},
    {"query": {"boosting": {"positive": C, "negative": {"match_all": {}}}}},
    {"query": {"constant_score": {"filter": C}}},
    {"query": {"nested": {"path": "a", "query": C}}},
    {"query": {"function_score": {"query": C}}},
    {"query": {"function_score": {"functions": [{"filter": C, "weight": 2}]}}},
    {"query": {"has_child": {"type": "t", "query": C}}},
    {"query": {"script_score": {"query": C, "script": "1"}}},
    {"query": {"knn": {"v": {"vector": [1], "k": 1, "filter": C}}}},
    {"post_filter": C},
    {"rescore": {"query": {"rescore_query": C}}},
    {"rescore": [{"window_size": 5, "query": {"rescore_query": C}}]},
    {"aggs": {"a": {"filter": C}}},
    {"aggregations": {"a": {"filters": {"filters": {"b": C}}}}},
    {"aggs": {"a": {"filters": {"filters": [C]}}}},
    {"aggs": {"a": {"terms": {"field": "f"}, "aggs": {"b": {"filter": C}}}}},
    {"aggs": {"a": {"significant_text": {"field": "f", "background_filter": C}}}},
    {"sort": [{"a.b": {"nested": {"path": "a", "filter": C}}}]},
    {"sort": {"a.b": {"nested": {"path": "a", "nested": {"path": "a.c", "filter": C}}}}},
]
SHOWN: list[tuple[dict[str, Any], str]] = [
    ({"query": {"nested": {"path": "a", "query": {}, "inner_hits": {"highlight": {"highlight_query": C}}}}},
     "query.nested.inner_hits.highlight.highlight_query"),
    ({"query": {"has_child": {"type": "t", "inner_hits": {"sort": [{"a.b": {"nested": {"path": "a", "filter": C}}}]}}}},
     "query.has_child.inner_hits.sort[0].a.b.nested.filter"),
    ({"collapse": {"field": "f", "inner_hits": [{"highlight": {"fields": {"t": {"highlight_query": C}}}}]}},
     "collapse.inner_hits[0].highlight.fields.t.highlight_query"),
    ({"aggs": {"a": {"top_hits": {"highlight": {"highlight_query": C}}}}}, "aggs.a.top_hits.highlight.highlight_query"),
]  # fmt: skip
NONE = [
    {"query": {"term": {"crosshatch": {"value": "x"}}}},
    {"query": {"match": {"crosshatch": {"query": "x"}}}},
    {"query": {"exists": {"field": "crosshatch"}}},
    {"query": {"bool": {"crosshatch": {"text": "x"}}}},
    {"query": {"function_score": {"crosshatch": {}}}},
    {"_source": {"includes": ["crosshatch"]}},
    {"crosshatch": {"text": "x"}},
    {"aggs": {"crosshatch": {"terms": {"field": "crosshatch"}}}},
    {"aggs": {"a": {"terms": {"field": "f"}, "meta": C}}},
    {"script_fields": {"crosshatch": {"script": {"source": "1", "params": C}}}},
    {"sort": [{"crosshatch": "asc"}]},
    {"highlight": {"fields": {"crosshatch": {}}}},
    {"rescore": {"crosshatch": {}}},
    {"query": {"script_score": {"query": {"match_all": {}}, "script": {"params": C}}}},
    {"query": {"match": {"inner_hits": {"highlight": {"highlight_query": C}}}}},
    {"query": "crosshatch"},
    {"query": None},
    {"query": {"bool": {"should": ["crosshatch", 5, None]}}},
]


@pytest.mark.parametrize("body", INSIDE)
def test_every_query_position_is_seen(body: dict[str, Any]) -> None:
    [place] = find(body, "search")
    assert (place.role, place.clause, place.alone) == ("inside", {"text": "x"}, True)
    node: Any = body
    for step in place.path:
        node = node[step]
    assert node is C


@pytest.mark.parametrize(("body", "where"), SHOWN)
def test_what_shows_hits_beside_hits_is_seen(body: dict[str, Any], where: str) -> None:
    [place] = find(body, "search")
    assert (str(place), place.finds) == (f"{where}.crosshatch", False)


@pytest.mark.parametrize("body", NONE)
def test_a_name_outside_query_position_is_none_of_ours(body: dict[str, Any]) -> None:
    assert find(body, "search") == []


def test_the_top_and_should_up_to_it_may_choose_their_hits() -> None:
    tree = {
        "query": {"bool": {"should": [C, {"bool": {"should": C}}], "must": [C]}},
        "highlight": {"highlight_query": C},
    }
    assert [(str(place), place.role) for place in find(tree, "search")] == [
        ("query.bool.must[0].crosshatch", "inside"),
        ("query.bool.should[0].crosshatch", "top"),
        ("query.bool.should[1].bool.should.crosshatch", "top"),
        ("highlight.highlight_query.crosshatch", "highlight"),
    ]
    assert [place.role for place in find({"query": C}, "count")] == ["top"]
    assert find({"post_filter": C}, "count") == []


@pytest.mark.parametrize(
    ("kind", "body", "where"),
    [
        ("delete_by_query", {"query": C}, "query"),
        ("update_by_query", {"query": {"bool": {"should": C}}}, "query.bool.should"),
        ("reindex", {"source": {"index": "a", "query": C}}, "source.query"),
        ("aliases", {"actions": [{"remove": {}}, {"add": {"filter": C}}]}, "actions[1].add.filter"),
        ("aliases", {"filter": C}, "filter"),
        ("index-create", {"aliases": {"a": {"filter": C}}}, "aliases.a.filter"),
        ("index-change", {"aliases": {"a": {"filter": C}}}, "aliases.a.filter"),
        ("index-template", {"aliases": {"a": {"filter": C}}}, "aliases.a.filter"),
        ("index-template", {"template": {"aliases": {"a": {"filter": C}}}}, "template.aliases.a.filter"),
        ("doc-write", {"crosshatch": {"s": {}}, "query": {"bool": {"must": [C]}}}, "query.bool.must[0]"),
        ("update", {"doc": {"alert": {"query": C}}}, "doc.alert.query"),
    ],
)
def test_what_stores_or_writes_its_query_is_told_apart(kind: str, body: dict[str, Any], where: str) -> None:
    [place] = find(body, kind)
    assert (place.role, str(place)) == ("refused", f"{where}.crosshatch")


def test_a_ranking_evaluation_holds_searches() -> None:
    [place] = find({"requests": [{"id": "a", "request": {"query": C}}]}, "rank_eval")
    assert (str(place), place.role) == ("requests[0].request.query.crosshatch", "top")
