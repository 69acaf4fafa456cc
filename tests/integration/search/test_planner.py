"""The planner: which plan, and why."""

from dataclasses import replace
from typing import Any

import pytest

from integration.search.abilities import Abilities
from integration.search.plan import Target
from integration.search.planner import FEW, READ, asks_for_abilities, choose, counts
from integration.search.request import SearchRequest
from mappings.bands import Banding
from mappings.code import HashCode
from mappings.errors import RequestError

TABLE = tuple(1 - d / 16 for d in range(17))
BARE = Target("biblios", "s", {("text", "text"): TABLE}, ("title",))
BANDED = replace(BARE, bands=Banding(16, 8))
GRAPHED = replace(BARE, vectors=True)
NONE, KNN = Abilities(), Abilities(version=(3, 6, 0), knn="3.6.0.0")
USELESS = "its vectors are of no use: the plugin is not installed"
CODES = [("text", HashCode(16, b"\xa5\x0f"))]
ASKED = {"budget_ms": 100.0}
CASES = {
    "known": (
        replace(BANDED, documents=61_200),
        {},
        None,
        "bands",
        "61200 records when they were counted last, in bands of 8 bits",
    ),
    "time to read all": (BANDED, ASKED, 100 * READ, "exact", "only 250000 records"),
    "no time to read all": (BANDED, ASKED, 100 * READ + 1, "bands", "250001 records, in bands of 8 bits"),
    "all the time that there is": (BANDED, {"budget_ms": 1e308}, 10**9, "exact", "only 1000000000 records"),
    "hardly any time": (BANDED, {"budget_ms": 0.1}, 251, "bands", "251 records, in bands of 8 bits"),
    "no bands": (BARE, {}, None, "exact", "space s has no bands and no vectors"),
    "large": (BANDED, {}, FEW + 1, "bands", "20001 records, in bands of 8 bits"),
    "not counted": (BANDED, {}, None, "bands", "many records, in bands of 8 bits"),
    "small": (BANDED, {}, FEW, "exact", "only 20000 records"),
    "selective": (BANDED, {"filters": (("language", "gd"),)}, 7, "exact", "only 7 records pass the filters"),
    "none pass": (BANDED, {"filters": (("language", "gd"),)}, 0, "exact", "only 0 records pass the filters"),
    "named": (BANDED, {"plan": "exact"}, 10**6, "exact", "the request names it"),
    "named small": (BANDED, {"plan": "bands"}, 3, "bands", "the request names it"),
}


@pytest.mark.parametrize("case", CASES)
def test_choice(case: str) -> None:
    target, asked, matching, name, why = CASES[case]
    chosen = choose(SearchRequest(text="cats", **asked), target, CODES, matching=matching)
    assert (chosen.name, chosen.why) == (name, why)


@pytest.mark.parametrize(
    ("target", "asked", "able", "matching", "name", "why"),
    [
        (GRAPHED, {}, KNN, FEW + 1, "knn", "20001 records, in graphs of the k-NN plugin"),
        (replace(GRAPHED, bands=Banding(16, 8)), {}, KNN, None, "knn", "many records, in graphs of the k-NN plugin"),
        (GRAPHED, {}, KNN, FEW, "exact", "only 20000 records"),
        (GRAPHED, {}, NONE, FEW + 1, "exact", f"space s has no bands; {USELESS}"),
        (
            replace(GRAPHED, bands=Banding(16, 8)),
            {},
            NONE,
            None,
            "bands",
            f"many records, in bands of 8 bits; {USELESS}",
        ),
        (BARE, {}, KNN, None, "exact", "space s has no bands and no vectors"),
        (GRAPHED, {"plan": "knn"}, KNN, 3, "knn", "the request names it"),
        (BARE, {"plan": "knn-score"}, KNN, None, "knn-score", "the request names it"),
    ],
)
def test_choice_with_the_plugin(
    target: Target, asked: dict[str, Any], able: Abilities, matching: int | None, name: str, why: str
) -> None:
    request = SearchRequest(text="cats", on=("text",), **asked)
    chosen = choose(request, target, CODES, matching=matching, able=able)
    assert (chosen.name, chosen.why) == (name, why)


@pytest.mark.parametrize(
    ("target", "plan", "able", "said"),
    [
        (BARE, "knn", KNN, "space s of index biblios has no vectors .* run `crosshatch plans add biblios knn`"),
        (
            GRAPHED,
            "knn",
            NONE,
            "the plan knn needs OpenSearch's k-NN plugin: the plugin is not installed; take another",
        ),
        (GRAPHED, "knn-score", NONE, "the plan knn-score needs .*: the plugin is not installed"),
        (BARE, "knn-score", replace(KNN, script_types=("stored",)), "the cluster's settings allow no inline scripts"),
        (BARE, "knn-score", replace(KNN, expensive_queries=False), "search.allow_expensive_queries is false"),
    ],
)
def test_a_plan_that_is_named_is_taken_or_refused(target: Target, plan: Any, able: Abilities, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        choose(SearchRequest(text="cats", on=("text",), plan=plan), target, CODES, able=able)


def test_what_the_cluster_can_do_is_asked_only_where_it_counts() -> None:
    assert asks_for_abilities("auto", [BARE, GRAPHED])
    assert asks_for_abilities("knn", [BARE])
    assert asks_for_abilities("knn-score", [BARE])
    assert not asks_for_abilities("auto", [BARE, BANDED])
    assert not asks_for_abilities("exact", [GRAPHED])


def test_only_a_choice_that_depends_on_it_is_counted_for() -> None:
    assert counts(SearchRequest(text="a"), BANDED)
    assert counts(SearchRequest(text="a"), GRAPHED)
    assert not counts(SearchRequest(text="a"), BARE)
    assert not counts(SearchRequest(text="a", plan="exact"), BANDED)
    known = replace(BANDED, documents=FEW + 1)
    assert not counts(SearchRequest(text="a"), known), "the state knows that there are many"
    assert counts(SearchRequest(text="a", filters=(("language", "eng"),)), known)
    assert counts(SearchRequest(text="a", budget_ms=1000), known)
    assert counts(SearchRequest(text="a"), replace(BANDED, documents=FEW))
