"""Reciprocal rank fusion: worked out by hand, and against a slow version that goes through every record."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.search.bands import bands_plan
from integration.search.hits import Hit, explained
from integration.search.plan import Target, plan
from integration.search.ranks import BEYOND, Ranks
from integration.search.request import SearchRequest
from mappings.bands import Banding
from mappings.code import HashCode
from mappings.errors import RequestError

WORD = {"match": {"title": "cats"}}
TARGET = Target(
    "biblios", "s", {("text", "text"): tuple(1 - d / 16 for d in range(17))}, ("title",), bands=Banding(16, 8)
)
TEXT = ("text", HashCode(16, b"\xa5\x0f"))
ENGLISH = {"term": {"language": {"value": "eng"}}}


def of(*ids: str) -> list[tuple[str, str]]:
    return [("", one) for one in ids]


def test_the_score_is_the_sum_of_both_ranks_each_with_its_weight() -> None:
    ranks = Ranks(of("a", "b"), of("b", "c"), 0.25)
    assert ranks.scores() == pytest.approx(
        {("", "a"): 0.75 / 61, ("", "b"): 0.75 / 62 + 0.25 / 61, ("", "c"): 0.25 / 62}, rel=1e-7
    )
    assert [ranks.places(one) for one in of("a", "b", "c", "d")] == [(1, None), (2, 1), (None, 2), (None, None)]


records = [*(("i", name) for name in "abcdefgh"), *(("j", name) for name in "abc")]
lists = st.builds(lambda order, length: order[:length], st.permutations(records), st.integers(0, len(records)))


@given(words=lists, codes=lists, weight=st.floats(0, 1))
def test_scores_are_those_of_a_slow_version(words: Any, codes: Any, weight: float) -> None:
    slow: dict[Any, Fraction] = {}
    for record in {*words, *codes}:
        slow[record] = Fraction(0)
        for at, one in enumerate(words):
            if one == record:
                slow[record] += (1 - Fraction(weight)) / (60 + at + 1)
        for at, one in enumerate(codes):
            if one == record:
                slow[record] += Fraction(weight) / (60 + at + 1)
    fast = Ranks(words, codes, weight).scores()
    assert fast == pytest.approx({record: float(score) for record, score in slow.items()}, rel=1e-6, abs=1e-30)


@given(words=lists, codes=lists, weight=st.floats(0, 1))
def test_the_query_scores_every_listed_record_so_and_no_other(words: Any, codes: Any, weight: float) -> None:
    """Read as the engine reads it: the best alternative of a `dis_max` that holds for the record."""
    ranks = Ranks(words, codes, weight)
    tail, *by_index = ranks.query(WORD)["dis_max"]["queries"]
    assert tail == {"bool": {"must": [WORD], "boost": BEYOND}}
    found: dict[tuple[str, str], float] = {}
    for one in by_index:
        [index] = [clause["term"]["_index"] for clause in one["bool"]["filter"]]
        [best] = one["bool"]["must"]
        for each in best["dis_max"]["queries"]:
            for record in each["constant_score"]["filter"]["ids"]["values"]:
                assert (index, record) not in found
                found[index, record] = each["constant_score"]["boost"]
    assert found == ranks.scores()


def test_both_lists_are_asked_inside_the_filters_and_become_one_query() -> None:
    asked = plan(SearchRequest(text="cats", like="9", k=7, fusion="rrf", size=5, page=3), TARGET, [TEXT], [ENGLISH])
    listed, similar = asked.listed, asked.candidates
    assert listed is not None
    assert similar is not None
    words = listed["query"]["bool"]["must"]
    assert listed["query"]["bool"] == {"must": words, "filter": [ENGLISH], "must_not": [{"ids": {"values": ["9"]}}]}
    inner = similar["query"]["script_score"]["query"]["bool"]
    assert inner == {"filter": [ENGLISH], "must_not": [{"ids": {"values": ["9"]}}]}
    assert (listed["size"], similar["size"]) == (7, 7)
    ranked = asked.ranked(["1"], ["2"])
    assert (ranked.candidates, ranked.listed, ranked.limit) == (None, None, None)
    final = ranked.body()
    assert (final["from"], final["size"], final["track_total_hits"]) == (10, 5, True)
    assert final["query"]["bool"]["filter"] == [ENGLISH]
    assert final["query"]["bool"]["must"] == [Ranks(of("1"), of("2"), 0.5).query(*words)]


def test_bands_narrow_the_codes_list_alone() -> None:
    request = SearchRequest(text="cats", fusion="rrf")
    banded, exact = bands_plan(request, TARGET, [TEXT]), plan(request, TARGET, [TEXT])
    assert banded.lists is None
    assert (banded.listed, banded.fused) == (exact.listed, exact.fused)
    assert banded.candidates is not None
    assert "_crosshatch.s.t" in str(banded.candidates["query"]["script_score"]["query"])


def test_a_hit_tells_its_ranks() -> None:
    searched = plan(SearchRequest(text="cats", fusion="rrf", weight=0.25), TARGET, [TEXT]).ranked(["1", "2"], ["2"])
    hit = Hit("2", 0.0, 3.0, 4, "text", None, None, 0.75)
    assert explained(hit, searched) == {
        "formula": "(1 - weight) / (60 + words_rank) + weight / (60 + codes_rank)", "weight": 0.25, "similarity": 0.75,
        "words_rank": 2, "codes_rank": 1, "words": 0.75 / 62, "codes": 0.25 / 61,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"image": b"-", "fusion": "rrf"}, r"fusion rrf merges what words find with what codes find; give a text"),
        ({"text": "cats", "fusion": "sum"}, r"no fusion 'sum'; there are: auto, exact, rrf"),
        ({"text": "cats", "fusion": "rrf", "k": 301}, r"k is 301; with fusion rrf both lists have k records, at most"),
    ],
)
def test_what_has_no_two_lists_is_refused(asked: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        plan(SearchRequest(**asked), TARGET, [TEXT])
