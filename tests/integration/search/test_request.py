"""What a request refuses, word for word."""

from typing import Any

import pytest

from integration.search.request import SearchRequest
from mappings.errors import RequestError

REFUSED = {
    "nothing": ({}, "nothing to search for; give a text, an image, or the id of a record that hits are like"),
    "blank": ({"text": " \t"}, "the text to search for is empty; give at least one word, or leave it out"),
    "long": ({"text": "w" * 4001}, "the text has 4001 characters; at most 4000 are searched for"),
    "weight": ({"text": "a", "weight": 1.5}, "weight is 1.5; expected a number from 0 to 1"),
    "nan": ({"text": "a", "weight": float("nan")}, "weight is nan; expected a number from 0 to 1"),
    "similarity": ({"text": "a", "min_similarity": -0.1}, "min_similarity is -0.1; expected a number from 0 to 1"),
    "k": ({"text": "a", "k": 0}, "k is 0; expected 1 to 10000"),
    "many": ({"text": "a", "k": 10_001}, "k is 10001; expected 1 to 10000"),
    "size": ({"text": "a", "size": 0}, "size is 0 and page 1; both count from 1"),
    "page": ({"text": "a", "page": 0}, "size is 10 and page 0; both count from 1"),
    "deep": (
        {"text": "a", "size": 100, "page": 101},
        "page 101 of 100 hits ends at hit 10100; paging ends at 10000: narrow the search with a filter",
    ),
    "part": ({"text": "a", "on": ("title",)}, "no part 'title' to compare with; there are: text, image, record"),
    "weighted part": (
        {"text": "a", "part_weights": {"title": 1}},
        "no part 'title' to give a weight; there are: text, image, record",
    ),
    "part weight": (
        {"text": "a", "part_weights": {"text": 1, "image": 1.5}},
        "the weight of part image is 1.5; expected a number from 0 to 1",
    ),
    "plan": (
        {"text": "a", "plan": "best"},
        "no plan 'best'; there are: auto, exact, bands, bands-exact, knn, knn-score",
    ),
    "budget": ({"text": "a", "budget_ms": 0}, "budget_ms is 0; expected a number of milliseconds above 0"),
    "surrogate": ({"text": "a\ud800"}, "'a\\ud800' is no Unicode text; send it as UTF-8"),
    "filter": ({"text": "a", "filters": (("f", "\udc80"),)}, "'\\udc80' is no Unicode text; send it as UTF-8"),
    "like": ({"like": ""}, "the id of a record has 1 to 512 bytes; give one that the index holds"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    arguments: dict[str, Any]
    arguments, message = REFUSED[name]
    with pytest.raises(RequestError) as refused:
        SearchRequest(**arguments)
    assert str(refused.value) == message


def test_the_limits_themselves_are_allowed() -> None:
    request = SearchRequest(text="a", size=10, page=1000, weight=0, k=10_000, min_similarity=1.0)
    assert request.start == 9990
