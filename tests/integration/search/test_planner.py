"""The planner: which plan, and why."""

from dataclasses import replace

import pytest

from integration.search.plan import Target
from integration.search.planner import FEW, choose, counts
from integration.search.request import SearchRequest
from mappings.bands import Banding
from mappings.code import HashCode

TABLE = tuple(1 - d / 16 for d in range(17))
BARE = Target("biblios", "s", {("text", "text"): TABLE}, ("title",))
BANDED = replace(BARE, bands=Banding(16, 8))
CODES = [("text", HashCode(16, b"\xa5\x0f"))]
CASES = {
    "no bands": (BARE, {}, None, "exact", "space s has no bands"),
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


def test_only_a_choice_that_depends_on_it_is_counted_for() -> None:
    assert counts(SearchRequest(text="a"), BANDED)
    assert not counts(SearchRequest(text="a"), BARE)
    assert not counts(SearchRequest(text="a", plan="exact"), BANDED)
