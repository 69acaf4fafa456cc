"""Answers of the engine as it gives them, read by hand."""

from typing import Any

import pytest

from integration.search.hits import explained, read_hits, read_total, title_of
from integration.search.plan import SearchPlan

BOTH = SearchPlan("exact", "biblios", {}, {}, weight=0.25, saturation=8.0)
BEST = {"distance": 5, "part": "image", "picture": 2, "similarity": 0.75}


def answer(**hit: Any) -> dict[str, Any]:
    return {"hits": {"total": {"value": 120}, "hits": [{"_id": "7", "_score": 0.5625, **hit}]}}


def test_a_hit_of_both_sides() -> None:
    raw = answer(_source={"title": "Cats"}, matched_queries={"bm25": 8.0}, fields={"crosshatch": [BEST]})
    [hit] = read_hits(raw, BOTH, "title")
    assert hit.listed() == {
        "id": "7",
        "score": 0.5625,
        "bm25": 8.0,
        "distance": 5,
        "part": "image",
        "picture": 2,
        "title": "Cats",
    }
    # 0.75 * 8 / (8 + 8) + 0.25 * 0.75
    assert (explained(hit, BOTH)["words"], explained(hit, BOTH)["codes"]) == (0.375, 0.1875)


@pytest.mark.parametrize("fields", [{}, {"fields": {"crosshatch": [None]}}], ids=["no field", "null"])
def test_a_hit_without_a_code(fields: dict[str, Any]) -> None:
    [hit] = read_hits(answer(matched_queries={"bm25": 1.0}, **fields), BOTH, "title")
    assert (hit.distance, hit.part, hit.picture, hit.title) == (None, None, None, None)
    assert explained(hit, BOTH)["codes"] == 0


def test_a_hit_that_only_the_code_finds() -> None:
    [hit] = read_hits(answer(fields={"crosshatch": [BEST]}), BOTH, "title")
    assert hit.bm25 is None
    assert explained(hit, BOTH)["words"] == 0


def test_bare_bm25_scores_are_brought_into_the_formula() -> None:
    words_only = SearchPlan("exact", "biblios", {}, {}, weight=0.0, saturation=8.0)
    [hit] = read_hits(answer(matched_queries={"bm25": 24.0}), words_only, "title")
    assert hit.score == 0.75


def test_total_counts_at_most_k_without_words() -> None:
    alone = SearchPlan("exact", "biblios", None, {}, weight=0.5, saturation=8.0, limit=100)
    assert (read_total(answer(), BOTH), read_total(answer(), alone)) == (120, 100)


TITLES: dict[str, tuple[Any, str, str | None]] = {
    "plain": ({"title": "Cats"}, "title", "Cats"),
    "list": ({"title": ["Cats", "Katzen"]}, "title", "Cats; Katzen"),
    "object": ({"title": {"main": "Cats"}}, "title.main", "Cats"),
    "dotted name": ({"title.main": "Cats"}, "title.main", "Cats"),
    "objects": ({"titles": [{"t": "Cats"}, {"u": 1}, {"t": ["Dogs"]}]}, "titles.t", "Cats; Dogs"),
    "number": ({"title": 1984}, "title", "1984"),
    "half a surrogate": ({"title": "Cat\ud83d"}, "title", "Cat?"),
    "missing": ({}, "title", None),
    "no text": ({"title": {"main": {}}}, "title", None),
}


@pytest.mark.parametrize("name", TITLES)
def test_title(name: str) -> None:
    source, field, expected = TITLES[name]
    assert title_of(source, field) == expected
