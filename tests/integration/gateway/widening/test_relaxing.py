"""Queries without their words: what is left are the limits, and what cannot be told apart is left alone."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integration.gateway.widening.relaxing import relaxed, unnamed
from integration.gateway.widening.strings import Unsure, lucene
from integration.gateway.widening.words import Fields

FIELDS = Fields.of(("title^2", "subject", "author"))
WORD = {"match": {"title": "cats at sea"}}
OTHER = {"match": {"author": "smith"}}
OPEN = {"term": {"open": True}}
ALL: dict[str, Any] = {"match_all": {}}


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (WORD, ALL),
        ({"multi_match": {"query": "cats", "fields": ["title", "isbn"], "minimum_should_match": "75%"}}, ALL),
        ({"simple_query_string": {"query": "cats +sea | dogs"}}, ALL),
        ({"bool": {"must": WORD, "filter": OPEN}}, {"bool": {"must": [ALL], "filter": OPEN}}),
        ({"bool": {"must": [WORD, OPEN], "must_not": [WORD]}}, {"bool": {"must": [ALL, OPEN], "must_not": [WORD]}}),
        (
            {"bool": {"should": [WORD, OTHER, OPEN], "minimum_should_match": 1}},
            {"bool": {"should": [ALL, ALL, OPEN], "minimum_should_match": 1}},
        ),
        (
            {"bool": {"must": [WORD], "should": [{"match": {"subject": "Cats at sea"}}, OPEN]}},
            {"bool": {"must": [ALL], "should": [ALL, OPEN]}},
        ),
        (
            {"dis_max": {"queries": [{"bool": {"must": [WORD], "filter": [OPEN]}}, OPEN], "tie_breaker": 0.1}},
            {"dis_max": {"queries": [{"bool": {"must": [ALL], "filter": [OPEN]}}, OPEN], "tie_breaker": 0.1}},
        ),
        ({"bool": {"must": [WORD, {"match": {"loans": 3}}]}}, {"bool": {"must": [ALL, {"match": {"loans": 3}}]}}),
    ],
)  # fmt: skip
def test_words_become_everything_and_the_rest_stays(query: Any, left: Any) -> None:
    assert relaxed(query, FIELDS) == left


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("cats at sea", "*:* *:* *:*"),
        ("(cats* sea~1) AND branch:CPL", "(*:* *:*) AND branch:CPL"),
        ('"cats at sea"~3^2 OR su-geo:"New York"', '*:* OR su-geo:"New York"'),
        ("cats NOT dogs -birds", "*:* NOT dogs -birds"),
        ("NOT (dogs OR -birds) cats", "NOT (dogs OR -birds) *:*"),
        ("title:(cats AND sea)^2 AND year:[1900 TO 1950]", "title:(*:* AND *:*)^2 AND year:[1900 TO 1950]"),
        ("title: cats", "*:*"),
        ("cats AND author:smith", "*:* AND author:smith"),
        ("(*) AND cats", "(*) AND *:*"),
        (r"AT\&T C\+\+", "*:* *:*"),
    ],
)
def test_the_limits_of_a_query_string_stay_where_they_are(said: str, left: str) -> None:
    body = {"query": said, "default_operator": "AND", "analyze_wildcard": True}
    assert relaxed({"query_string": body}, FIELDS) == {"query_string": {**body, "query": left}}


@pytest.mark.parametrize(
    "query",
    [
        {"bool": {"must": [WORD, OTHER]}},
        {"bool": {"must": [WORD], "should": [OTHER]}},
        {"bool": {"should": [WORD, OTHER], "minimum_should_match": 2}},
        {"bool": {"should": [WORD, OTHER], "minimum_should_match": "75%"}},
        {"bool": {"filter": [OPEN], "must": [{"bool": {"must": [WORD]}}, {"dis_max": {"queries": [OTHER]}}]}},
        {"query_string": {"query": "title:cats AND author:smith"}},
        {"simple_query_string": {"query": "cats -dogs"}},
    ],
)
def test_where_one_of_the_words_may_be_a_limit_nothing_is_added(query: Any) -> None:
    with pytest.raises(Unsure):
        relaxed(query, FIELDS)


@given(st.text(alphabet=' ab:*?"()[]{}+-!&|~^\\/ANDORT猫', max_size=30))
@example('A":"')
@example('a"b"(a)')
def test_no_string_loses_anything_but_words(text: str) -> None:
    """Of the atoms that were there, those left are the same, in their order."""
    try:
        before = lucene(text)
        found = relaxed({"query_string": {"query": text}}, Fields())
    except Unsure:
        return
    after = iter(lucene(found["query_string"]["query"]))
    for one in before:
        other = next(after)
        if (other.text, other.field, other.negated) != (one.text, one.field, one.negated):
            assert (other.text, other.field) == ("", "*")
            assert (bool(one.text), one.field, one.plain) == (True, None, True)
    assert list(after) == []


def test_beside_the_original_it_has_no_names_and_shows_nothing() -> None:
    items = {"nested": {"path": "items", "query": {"term": {"shelf": "x"}}, "inner_hits": {"size": 3}}}
    query = {"bool": {"must": [{"match": {"title": {"query": "cats", "_name": "own"}}}, items], "_name": "all"}}
    bare = {"nested": {"path": "items", "query": {"term": {"shelf": "x"}}}}
    assert unnamed(query) == {"bool": {"must": [{"match": {"title": {"query": "cats"}}}, bare]}}
