"""What a clause may say, and the words with which a wrong one is refused."""

from typing import Any

import pytest

from integration.gateway.clause import read
from integration.gateway.positions import find
from mappings.errors import RequestError


def at_the_top(clause: Any) -> Any:
    [place] = find({"query": {"crosshatch": clause}}, "search")
    return read(place)


def test_every_key_is_read() -> None:
    clause = at_the_top(
        {
            "text": "cats", "image": {"url": "https://a.example/b"}, "like": {"_index": "a", "_id": "1"},
            "code": {"space": "s", "base64": "AA=="}, "on": ["text", "record"],
            "part_weights": {"image": 0.5, "text": 1}, "query": {"match_all": {}},
            "weight": 1, "saturation": 2.5, "min_similarity": 0.5, "k": 10_000, "plan": "exact", "fusion": "auto",
            "scoring": "asymmetric", "budget_ms": 12.5,
            "boost": 2, "_name": "mine",
        }
    )  # fmt: skip
    assert (clause.like.index, clause.like.id, clause.on, clause.k) == ("a", "1", ("text", "record"), 10_000)
    assert clause.part_weights == {"image": 0.5, "text": 1}
    assert (clause.plan, clause.scoring, clause.fusion) == ("exact", "asymmetric", "auto")
    assert clause.budget_ms == 12.5
    assert (clause.weight, clause.saturation, clause.boost, clause.name) == (1, 2.5, 2, "mine")


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ({}, "[query.crosshatch] nothing to search for; expected one or several of text, image, like and code"),
        ({"text": " "}, "[query.crosshatch] text is empty; expected at least one word"),
        ("cats", "[query.crosshatch] is str; expected an object"),
        ({"text": "a", "k": 0}, "[query.crosshatch] k: Input should be greater than or equal to 1"),
        ({"text": "a", "k": 10_001}, "[query.crosshatch] k: Input should be less than or equal to 10000"),
        ({"text": "a", "weight": 1.5}, "[query.crosshatch] weight: Input should be less than or equal to 1"),
        ({"text": "a", "on": ["cover"]}, "[query.crosshatch] on.0: Input should be 'text', 'image' or 'record'"),
        (
            {"text": "a", "part_weights": {"image": 2}},
            "[query.crosshatch] part_weights.image: Input should be less than or equal to 1",
        ),
        (
            {"text": "a", "part_weights": {"cover": 0.5}},
            "[query.crosshatch] no part 'cover' to give a weight; there are: text, image, record",
        ),
        (
            {"text": "a", "plan": "ivf"},
            "[query.crosshatch] no plan 'ivf'; there are: auto, exact, bands, knn, knn-score",
        ),
        ({"text": "a", "budget_ms": 0}, "[query.crosshatch] budget_ms: Input should be greater than 0"),
        ({"text": "a", "budget_ms": float("nan")}, "[query.crosshatch] budget_ms: Input should be a finite number"),
        (
            {"text": "a", "budget_ms": "soon"},
            "[query.crosshatch] budget_ms: Input should be a valid number, unable to parse string as a number",
        ),
        ({"text": "a", "scoring": 1}, "[query.crosshatch] scoring: Input should be a valid string"),
        ({"text": "a", "scoring": "float"}, "[query.crosshatch] no scoring 'float'; there are: symmetric, asymmetric"),
        ({"text": "a", "fusion": "sum"}, "[query.crosshatch] no fusion 'sum'; there are: auto, exact, rrf"),
        (
            {"text": "a", "fusion": "rrf"},
            "[query.crosshatch.fusion] rrf merges what a `query` finds with what codes find; give a query, too",
        ),
        ({"image": {}}, "[query.crosshatch] image: expected one of base64, url and upload"),
        (
            {"text": "a", "query": {"bool": {"must": [{"crosshatch": {"text": "b"}}]}}},
            "[query.crosshatch.query.bool.must[0].crosshatch] stands in another crosshatch clause; put them side by "
            "side in a bool",
        ),
    ],
)
def test_a_wrong_clause_is_refused_with_its_place(clause: Any, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        at_the_top(clause)
    assert str(refused.value) == said


def test_an_unknown_key_is_told_the_known_ones() -> None:
    with pytest.raises(RequestError, match=r"unknown key 'txt'; there are: text, image, like, .*, _name"):
        at_the_top({"txt": "a"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"post_filter": {"crosshatch": {"text": "a"}}}, r"\[post_filter.crosshatch.min_similarity\] is required here"),
        (
            {"post_filter": {"crosshatch": {"text": "a", "min_similarity": 0.5, "k": 3}}},
            r"\[post_filter.crosshatch.k\] counts only at the top",
        ),
        (
            {"post_filter": {"crosshatch": {"text": "a", "min_similarity": 0.5, "budget_ms": 3}}},
            r"\[post_filter.crosshatch.budget_ms\] chooses a plan only at the top of a query or in should",
        ),
        (
            {"query": {"bool": {"must": [{"crosshatch": {"text": "a", "query": {}, "fusion": "rrf"}}]}}},
            r"\[query.bool.must\[0\].crosshatch.fusion\] rrf ranks only at the top of a query or in should",
        ),
        (
            {"query": {"crosshatch": {"text": "a"}, "match_all": {}}},
            r"\[query.crosshatch\] stands beside other members",
        ),
    ],
)
def test_its_place_decides_what_it_needs(body: dict[str, Any], said: str) -> None:
    [place] = find(body, "search")
    with pytest.raises(RequestError, match=said):
        read(place)


def test_a_stored_query_is_refused() -> None:
    [place] = find({"query": {"crosshatch": {"text": "a"}}}, "delete_by_query")
    with pytest.raises(RequestError, match=r"\[query.crosshatch\] a crosshatch clause can stand in searches"):
        read(place)
