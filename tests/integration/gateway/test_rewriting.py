"""Clauses as native queries: worked out by hand, and hypothesis over trees of every form."""

import copy
from dataclasses import replace as changed
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.gateway.clause import read
from integration.gateway.positions import Place, find
from integration.gateway.rewriting import (
    WORDS,
    Share,
    by_words,
    candidates,
    check_ranking,
    counted,
    explained,
    listed,
    replaced,
    restrictions,
    rewritten,
    share,
)
from integration.gateway.sides import Side, side
from integration.search.abilities import Abilities
from integration.search.plan import Target
from integration.search.planner import BARE
from integration.search.ranks import Ranks
from mappings.bands import REACH, Banding
from mappings.code import HashCode
from mappings.errors import RequestError

CODE = HashCode(16, b"\x0f\xf0")
TABLE = tuple(1 - d / 16 for d in range(17))
TARGET = Target("books", "s", {("text", "text"): TABLE, ("text", "image"): TABLE})
WORD = {"match": {"title": "cats"}}
SECRET = {"term": {"secret": True}}
OPEN = {"term": {"open": True}}


def prepared(place: Place) -> Side:
    return side(place, read(place), [TARGET], {"s": [("text", CODE)]})


def body(**clause: Any) -> dict[str, Any]:
    mine = {"crosshatch": {"text": "cats", **clause}}
    return {"query": {"bool": {"should": [mine, WORD], "filter": OPEN, "must_not": [SECRET]}}, "size": 3}


def test_the_candidates_are_asked_inside_every_restriction_and_without_what_the_words_find() -> None:
    tree = body(query=WORD, k=7, like={"_id": "9"})
    [place] = find(tree, "search")
    asked = candidates(tree, prepared(place))
    scored = asked["query"]["script_score"]
    assert scored["query"] == {"bool": {"filter": [OPEN], "must_not": [SECRET, WORD, {"ids": {"values": ["9"]}}]}}
    assert (asked["size"], asked["_source"], asked["min_score"]) == (7, False, 1e-20)
    assert scored["script"]["params"]["weight"] == 1.0
    assert [pair["part"] for pair in scored["script"]["params"]["pairs"]] == ["text", "image"]


def test_what_a_clause_may_find_is_counted_inside_every_restriction_and_no_further_than_it_matters() -> None:
    tree = {**body(query=WORD, like={"_id": "9"}), "pit": {"id": "p"}, "aggs": {"a": {"avg": {"field": "b"}}}}
    [place] = find(tree, "search")
    assert counted(tree, prepared(place), 250) == {
        "pit": {"id": "p"},
        "query": {"bool": {"filter": [OPEN], "must_not": [SECRET, {"ids": {"values": ["9"]}}]}},
        "size": 0,
        "track_total_hits": 251,
    }
    alone = {"query": {"crosshatch": {"text": "cats"}}}
    [place] = find(alone, "search")
    assert counted(alone, prepared(place), 1)["query"] == {"bool": {"filter": [{"match_all": {}}], "must_not": []}}


def test_restrictions_of_every_bool_around_a_clause_count() -> None:
    mine = {"crosshatch": {"text": "cats"}}
    inner = {"bool": {"should": [mine], "must": [WORD]}}
    tree = {"query": {"bool": {"should": [inner], "filter": [OPEN], "must_not": SECRET}}}
    [place] = find(tree, "search")
    assert restrictions(tree, place.path) == ([OPEN, WORD], [SECRET])


def test_a_clause_becomes_its_words_and_the_chosen_ones_scored_together() -> None:
    tree = body(query=WORD, weight=0.25, saturation=2, boost=3, _name="mine")
    [place] = find(tree, "search")
    one = prepared(place)
    out = rewritten(tree, [one], {place.path: [("books", "1"), ("books", "2")]}, one)
    scored = out["query"]["bool"]["should"][0]["script_score"]
    assert scored["query"]["bool"]["should"] == [
        {"bool": {"must": [WORD], "_name": WORDS}},
        {
            "constant_score": {
                "filter": {"bool": {"filter": [{"term": {"_index": "books"}}, {"ids": {"values": ["1", "2"]}}]}},
                "boost": 0,
            }
        },
    ]
    assert (scored["boost"], scored["_name"]) == (3.0, "mine")
    assert "min_score" not in scored
    assert (scored["script"]["params"]["weight"], scored["script"]["params"]["saturation"]) == (0.25, 2.0)
    assert out["query"]["bool"]["filter"] is tree["query"]["bool"]["filter"]


def test_the_same_id_in_two_indices_is_told_apart() -> None:
    tree = body()
    [place] = find(tree, "search")
    out = rewritten(tree, [prepared(place)], {place.path: [("a", "1"), ("b", "1")]})
    [similar] = out["query"]["bool"]["should"][0]["script_score"]["query"]["bool"]["should"]
    assert similar["constant_score"]["filter"]["bool"]["should"] == [
        {"bool": {"filter": [{"term": {"_index": "a"}}, {"ids": {"values": ["1"]}}]}},
        {"bool": {"filter": [{"term": {"_index": "b"}}, {"ids": {"values": ["1"]}}]}},
    ]


def test_elsewhere_one_script_with_its_least_similarity_says_it_all() -> None:
    tree = {"post_filter": {"crosshatch": {"text": "cats", "min_similarity": 0.75}}}
    [place] = find(tree, "search")
    scored = rewritten(tree, [prepared(place)], {})["post_filter"]["script_score"]
    assert (scored["min_score"], scored["script"]["params"]["min_similarity"]) == (1e-20, 0.75)
    [everything] = scored["query"]["bool"]["should"]
    assert everything == {"constant_score": {"filter": {"match_all": {}}, "boost": 0}}


def test_where_ranks_are_fused_both_lists_are_asked_inside_every_restriction() -> None:
    mine = {"crosshatch": {"text": "cats", "query": WORD, "k": 7, "fusion": "rrf", "like": {"_id": "9"}, "boost": 3}}
    tree = {"query": {"bool": {"should": [mine], "filter": OPEN, "must_not": [SECRET]}}, "runtime_mappings": {}}
    [place] = find(tree, "search")
    one = prepared(place)
    check_ranking(tree, [one])
    likes = {"ids": {"values": ["9"]}}
    words, codes = listed(tree, one), candidates(tree, one)
    assert words["query"] == {"bool": {"must": [WORD], "filter": [OPEN], "must_not": [SECRET, likes]}}
    assert codes["query"]["script_score"]["query"] == {"bool": {"filter": [OPEN], "must_not": [SECRET, likes]}}
    assert [(body["size"], body["runtime_mappings"]) for body in (words, codes)] == [(7, {})] * 2
    assert one.most == 14
    ranks = Ranks([("books", "1")], [("books", "2")], one.weight)
    native = rewritten(tree, [one], {place.path: ranks}, one)["query"]["bool"]["should"][0]
    named = {"bool": {"must": [WORD], "_name": WORDS}}
    assert native == {"bool": {"must": [ranks.query(named)], "must_not": [likes], "boost": 3.0}}
    assert share(tree, one) is None


@pytest.mark.parametrize("beside", [{"should": [WORD]}, {"must": WORD}])
def test_ranks_are_not_added_to_scores_of_another_scale(beside: dict[str, Any]) -> None:
    mine = {"crosshatch": {"text": "cats", "query": WORD, "fusion": "rrf"}}
    tree = {"query": {"bool": {**beside, "should": [mine, *beside.get("should", [])]}}}
    [place] = find(tree, "search")
    with pytest.raises(RequestError, match=r"\[query.bool.should\[0\].crosshatch.fusion\] rrf has scores"):
        check_ranking(tree, [prepared(place)])


def test_lists_of_ranks_have_their_length() -> None:
    [place] = find({"query": {"crosshatch": {"text": "cats", "query": WORD, "fusion": "rrf", "k": 301}}}, "search")
    with pytest.raises(RequestError, match=r"\[query.crosshatch.k\] k is 301; with fusion rrf both lists have k"):
        prepared(place)


def test_without_a_code_its_words_stay() -> None:
    tree = body(query=WORD)
    [place] = find(tree, "search")
    assert by_words(tree, [(place, read(place))])["query"]["bool"]["should"] == [WORD, WORD]


@pytest.mark.parametrize(
    ("tree", "params", "source"),
    [
        ({}, {}, True),
        ({"_source": ["title"]}, {}, ["title"]),
        ({"_source": False}, {}, False),
        ({}, {"_source": "false"}, None),
        ({}, {"_source_includes": "title"}, None),
        ({"script_fields": {"mine": {"script": "1"}}}, {}, None),
        ({"stored_fields": ["a"]}, {}, None),
    ],
)
def test_source_comes_as_the_request_would_have_had_it(tree: dict[str, Any], params: Any, source: Any) -> None:
    [place] = find(body(), "search")
    out = explained(tree, prepared(place), params)
    assert out.get("_source") == source
    assert set(out["script_fields"]) == {"crosshatch", *tree.get("script_fields", {})}


def test_our_script_field_is_not_overwritten_by_the_callers() -> None:
    [place] = find(body(), "search")
    with pytest.raises(RequestError, match="use another"):
        explained({"script_fields": {"crosshatch": {"script": "1"}}}, prepared(place), {})


@pytest.mark.parametrize(
    ("tree", "alone"),
    [
        ({"query": {"crosshatch": {"text": "cats", "query": WORD, "boost": 2}}}, True),
        (
            {
                "query": {
                    "bool": {"should": [{"crosshatch": {"text": "cats", "query": WORD, "boost": 2}}], "filter": OPEN}
                }
            },
            True,
        ),
        (body(query=WORD, boost=2), False),
        ({"query": {"bool": {"should": {"crosshatch": {"text": "a"}}, "must": WORD}}}, False),
        ({"query": {"bool": {"should": {"crosshatch": {"text": "a"}}, "boost": 3}}}, False),
        ({"query": {"bool": {"must": {"crosshatch": {"text": "a", "min_similarity": 0.5}}}}}, False),
        ({"query": {"crosshatch": {"text": "a"}}, "indices_boost": [{"books": 2}]}, False),
        ({"query": {"crosshatch": {"text": "a"}}, "rescore": {}}, False),
        ({"query": {"crosshatch": {"text": "a", "weight": 1}}}, False),
        ({"query": {"crosshatch": {"text": "a", "boost": 0}}}, False),
    ],
)
def test_a_bm25_score_is_worked_out_where_the_clause_alone_ranks(tree: dict[str, Any], alone: bool) -> None:
    [place] = find(tree, "msearch")
    assert share(tree, prepared(place)) == (Share(0.5, 8.0, 2.0) if alone else None)


def test_indices_of_other_weights_need_the_clause_to_say_which() -> None:
    [place] = find(body(), "search")
    others = [TARGET, Target("more", "s", TARGET.tables, weight=0.9)]
    with pytest.raises(RequestError, match=r"\[query.bool.should\[0\].crosshatch.weight\] is \[0.5, 0.9\]"):
        side(place, read(place), others, {"s": [("text", CODE)]})


def test_one_space_has_one_weight_a_part_or_the_clause_says_which() -> None:
    others = [TARGET, Target("more", "s", TARGET.tables, part_weights={"image": 0.5})]
    [place] = find(body(part_weights={"text": 0.5}), "search")
    with pytest.raises(RequestError, match=r"\[query.*\] the weight of part image is \[0.5, 1.0\] in the indices that"):
        side(place, read(place), others, {"s": [("text", CODE)]})
    [place] = find(body(part_weights={"image": 0.25}), "search")
    by_text, by_image = side(place, read(place), others, {"s": [("text", CODE)]}).pairs
    assert (by_text.table, by_image.table) == (TABLE, tuple(value / 4 for value in TABLE))


def test_each_space_has_its_own_weights() -> None:
    [place] = find(body(on=["text"]), "search")
    others = [TARGET, Target("more", "t", TARGET.tables, part_weights={"text": 0.5})]
    pairs = side(place, read(place), others, {"s": [("text", CODE)], "t": [("text", CODE)]}).pairs
    assert {pair.space: pair.table[0] for pair in pairs} == {"s": 1.0, "t": 0.5}


def test_codes_that_the_query_has_none_to_compare_with_are_told_with_the_place() -> None:
    [place] = find(body(on=["record"]), "search")
    with pytest.raises(RequestError, match=r"\[query.bool.should\[0\].crosshatch\] space s has no codes that this"):
        prepared(place)


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
names = st.sampled_from(
    ["query", "bool", "should", "must", "filter", "must_not", "aggs", "filters", "post_filter", "rescore", "sort",
     "nested", "rescore_query", "highlight", "highlight_query", "functions", "function_score", "knn", "fields", "x"]
)  # fmt: skip
clause = st.just({"crosshatch": {"text": "cats", "min_similarity": 0.5}})


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(names, t, max_size=4), max_leaves=25
    )


@given(trees(scalars))
def test_what_holds_no_clause_has_no_place(tree: Any) -> None:
    assert find(tree, "search") == []


@given(trees(scalars | clause))
def test_only_the_places_found_change_and_nothing_of_ours_is_left_in_query_position(tree: Any) -> None:
    before = copy.deepcopy(tree)
    places = find(tree, "search")
    out = rewritten(tree, [prepared(place) for place in places], {})
    assert tree == before
    assert find(out, "search") == []
    if not places:
        assert out is tree
    for place in places:  # put the clauses back: all else is as it was
        out = replaced(out, place.path, {"crosshatch": place.clause})
    assert out == before


def test_candidates_are_looked_for_among_what_shares_a_band() -> None:
    cut = Banding(16, 8)
    banded = changed(TARGET, bands=cut)
    each = [{"terms": {"_crosshatch.s.t": band}} for band in cut.terms(CODE, REACH.radius)]
    near = {"bool": {"should": each, "minimum_should_match": REACH.agree}}

    def asked(target: Target, **clause: Any) -> Any:
        said = {"query": {"bool": {"should": [{"crosshatch": {"text": "cats", **clause}}], "filter": [OPEN]}}}
        [place] = find(said, "search")
        one = side(place, read(place), [target], {"s": [("text", CODE)]})
        return candidates(said, one)["query"]["script_score"]["query"]["bool"]["filter"]

    assert asked(banded, on=["text"]) == [OPEN, near]
    assert asked(banded, on=["text"], plan="exact") == asked(TARGET, on=["text"]) == [OPEN]
    with pytest.raises(RequestError, match="space s of index books has no bands"):
        asked(TARGET, plan="bands")


def sided(targets: list[Target], able: Abilities, **clause: Any) -> tuple[Any, Side]:
    said = {"query": {"bool": {"should": [{"crosshatch": {"text": "cats", **clause}}], "filter": [OPEN]}}}
    [place] = find(said, "search")
    return said, side(place, read(place), targets, {"s": [("text", CODE)]}, able)


def test_bands_count_only_where_all_indices_that_share_a_space_have_the_same() -> None:
    one, other = (changed(TARGET, index=name, bands=Banding(16, width)) for name, width in (("a", 8), ("b", 6)))
    assert sided([one, changed(one, index="c")], BARE)[1].near is not None
    for others in ([one, other], [one, TARGET], [TARGET, one]):
        assert sided(others, BARE)[1].near is None
    with pytest.raises(RequestError, match=r"\[query.*plan\] the indices .* different bands in one space"):
        sided([one, other], BARE, plan="bands")
    with pytest.raises(RequestError, match="space s of index books has no bands"):
        sided([one, TARGET], BARE, plan="bands")


def test_candidates_come_from_the_plugin_where_the_cluster_and_every_index_can() -> None:
    able = Abilities(knn="3.6.0.0")
    graphed = changed(TARGET, vectors=True)
    tree, one = sided([graphed], able, k=7)
    [near] = candidates(tree, one)["query"]["script_score"]["query"]["bool"]["filter"]
    walks = [walk for each in near["bool"]["should"] for walk in each["knn"].items()]
    assert [field for field, _ in walks] == [
        f"_crosshatch.s.knn_{n}" for n in ("text", *(f"image_{i}" for i in range(4)))
    ]
    assert all((walk["k"], walk["filter"]) == (7, {"bool": {"filter": [OPEN]}}) for _, walk in walks)
    tree, one = sided([TARGET], able, k=7, plan="knn-score", on=["text"])
    scored = candidates(tree, one)["query"]["script_score"]
    assert (scored["script"]["source"], scored["query"]) == ("knn_score", {"bool": {"filter": [OPEN]}})
    for targets, abilities in (([graphed], BARE), ([graphed, changed(TARGET, index="c")], able)):
        assert sided(targets, abilities)[1].plugin is None
    assert sided([graphed], able, plan="exact")[1].plugin is None


@pytest.mark.parametrize(
    ("clause", "able", "said"),
    [
        ({"plan": "knn"}, Abilities(knn="3.6.0.0"), r"plan\] space s of index books has no vectors"),
        ({"plan": "knn", "on": ["text"]}, BARE, r"plan\] the plan knn needs OpenSearch's k-NN plugin"),
        ({"plan": "knn-score"}, Abilities(knn="3.6.0.0"), r"plan\] the plan knn-score compares one code with one"),
    ],
)
def test_a_plan_of_the_plugin_that_cannot_be_taken_is_refused_at_its_place(
    clause: dict[str, Any], able: Abilities, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        sided([TARGET], able, **clause)
