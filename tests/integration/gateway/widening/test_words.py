"""Which words rank a search, and what is wrapped for them."""

from typing import Any

import pytest

from integration.gateway.widening.strings import Unsure
from integration.gateway.widening.words import Fields, Words, find

FIELDS = Fields.of(("title^2", "subject", "author.*"))
WORD = {"match": {"title": "cats at sea"}}
OPEN = {"term": {"open": True}}


@pytest.mark.parametrize(
    "query",
    [
        WORD,
        {"match": {"title.phrase": {"query": " cats at sea ", "operator": "and"}}},
        {"multi_match": {"query": "cats at sea", "fields": ["title^3", "isbn"]}},
        {"multi_match": {"query": "cats at sea"}},
        {"combined_fields": {"query": "cats at sea", "fields": ["author.name"]}},
        {"query_string": {"query": "(cats at sea) AND branch:CPL", "default_operator": "AND"}},
        {"query_string": {"query": "title:(cats at sea) AND -author:x", "fields": ["isbn"]}},
        {"simple_query_string": {"query": '"cats at sea" -dogs', "fields": ["*"]}},
    ],
)
def test_words_stand_in_every_kind_of_query_that_reads_them(query: Any) -> None:
    found = find(query, FIELDS)
    assert found is not None
    assert (found.path, found.text) == (("query",), "cats at sea")


@pytest.mark.parametrize(
    "query",
    [
        OPEN,
        {"match_all": {}},
        {"match": {"language": "eng"}},
        {"match": {"title": 1984}},
        {"match": {"title": {"query": "cats", "boost": 0}}},
        {"multi_match": {"query": "978 1", "fields": ["isbn", "issn"]}},
        {"query_string": {"query": "branch:CPL AND year:[1 TO 2]"}},
        {"query_string": {"query": "*"}},
        {"simple_query_string": {"query": "-cats"}},
        {"constant_score": {"filter": WORD}},
        {"nested": {"path": "items", "query": WORD}},
        {"function_score": {"query": WORD, "field_value_factor": {"field": "loans"}}},
        {"bool": {"filter": [WORD], "must_not": [WORD]}},
        {"match_phrase": {"title": "cats"}},
    ],
)
def test_limits_and_orders_of_others_hold_no_words(query: Any) -> None:
    assert find(query, FIELDS) is None


@pytest.mark.parametrize(
    "query",
    [
        {},
        {**WORD, **OPEN},
        {"match": {"title": "a", "author": "b"}},
        {"query_string": {"query": "(cats"}},
        {"query_string": {"query": 5}},
        {"simple_query_string": {"query": "cats", "flags": "OR|AND"}},
        {"multi_match": {"query": "a", "fields": 3}},
        {"bool": {"must": [WORD, "x"]}},
    ],
)  # fmt: skip
def test_what_is_not_certain_is_left_alone(query: Any) -> None:
    with pytest.raises(Unsure):
        find(query, FIELDS)


def test_the_clause_is_wrapped_where_it_stands_and_its_limits_stay_outside() -> None:
    query = {"bool": {"must": [{"bool": {"must": WORD, "must_not": [OPEN]}}], "filter": OPEN}}
    found = find(query, FIELDS)
    assert found == Words(
        ("query", "bool", "must", 0, "bool", "must"), ("cats at sea",), ('{"term": {"open": true}}',) * 2
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"bool": {"must": [WORD, {"term": {"new": True}}]}}, "cats at sea"),
        ({"bool": {"must": WORD, "should": [{"term": {"new": True}}]}}, "cats at sea"),
        ({"bool": {"should": [WORD], "filter": [OPEN]}}, "cats at sea"),
        ({"bool": {"should": [WORD, {"match": {"subject": "Cats at sea"}}]}}, "cats at sea"),
        ({"bool": {"must": [WORD, {"match": {"author.name": "Smith"}}]}}, "cats at sea Smith"),
        ({"dis_max": {"queries": [WORD, {"match": {"subject": "cats at sea"}}]}}, "cats at sea"),
    ],
)
def test_beside_others_that_rank_the_whole_of_them_is_wrapped(query: Any, words: str) -> None:
    found = find(query, FIELDS)
    assert found is not None
    assert (found.path, found.text) == (("query",), words)


def test_an_index_without_known_fields_takes_the_words_of_several_fields_alone() -> None:
    assert find(WORD, Fields()) is None
    found = find({"multi_match": {"query": "cats", "fields": ["a", "b"]}}, Fields())
    assert found is not None
    assert found.text == "cats"
