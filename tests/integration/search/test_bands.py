"""The bands plan: which records its requests look at, and how two lists become one."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from integration.search.bands import bands_plan, merged, near, unseen
from integration.search.plan import Lists, Target, pairs_of, plan
from integration.search.planner import choose
from integration.search.proving import Round
from integration.search.request import SearchRequest
from mappings.bands import Banding, Reach
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.scripts import Pair
from mappings.weighted import WeightedCode

TABLE = tuple(1 - d / 16 for d in range(17))
CUT = Banding(16, 8)
ONE = Reach(1)
TARGET = Target("biblios", "s", {("text", "text"): TABLE, ("text", "image"): TABLE}, ("title",), "title", bands=CUT)
CODE = HashCode(16, b"\xa5\x0f")
TEXT = ("text", CODE)
ENGLISH = {"term": {"language": {"value": "eng"}}}


def terms(radius: int) -> list[str]:
    return [term for band in CUT.terms(CODE, radius) for term in band]


def test_only_what_shares_a_band_is_scored() -> None:
    request = SearchRequest(image=b"-", on=("text",))
    banded = bands_plan(request, TARGET, [TEXT], [ENGLISH], reach=ONE)
    exact = plan(request, TARGET, [TEXT], [ENGLISH])
    assert (banded.name, banded.candidates, banded.lists) == ("bands", None, None)
    inner = banded.fused["query"]["script_score"]["query"]["bool"]
    assert inner == {"filter": [ENGLISH, {"terms": {"_crosshatch.s.t": terms(1)}}]}
    banded.fused["query"]["script_score"]["query"] = exact.fused["query"]["script_score"]["query"]
    assert banded.fused == exact.fused


def test_each_stored_part_has_its_terms_and_a_match_all_goes() -> None:
    found = bands_plan(SearchRequest(image=b"-"), TARGET, [TEXT], reach=Reach(0)).fused["query"]["script_score"][
        "query"
    ]
    each = [{"terms": {f"_crosshatch.s.{part}": terms(0)}} for part in ("t", "i")]
    assert found == {"bool": {"filter": [{"bool": {"should": each}}]}}


def test_several_codes_of_a_query_share_a_fields_terms() -> None:
    other = ("text", HashCode(16, b"\xa5\xff"))  # its first band is the same
    asked = near(pairs_of(TARGET, [TEXT, other], ("text",)), {"s": (CUT, Reach(0))})
    assert asked == {"terms": {"_crosshatch.s.t": [*terms(0), CUT.terms(other[1], 0)[1][0]]}}


def test_two_bands_that_must_agree_are_two_clauses_of_several() -> None:
    reach = Reach(1, agree=2)
    each = [{"terms": {"_crosshatch.s.t": band}} for band in CUT.terms(CODE, 1)]
    asked = near(pairs_of(TARGET, [TEXT], ("text",)), {"s": (CUT, reach)})
    assert asked == {"bool": {"should": each, "minimum_should_match": 2}}
    both = near(pairs_of(TARGET, [TEXT]), {"s": (CUT, reach)})
    assert both is not None
    assert [one["bool"]["minimum_should_match"] for one in both["bool"]["should"]] == [2, 2]
    more = near(pairs_of(TARGET, [TEXT], ("text",)), {"s": (CUT, Reach(1, agree=3))})
    assert more == asked, "as many as there are"


def test_words_make_two_lists_on_the_first_pages() -> None:
    lists = bands_plan(SearchRequest(text="red cats", page=3, size=20), TARGET, [TEXT], [ENGLISH]).lists
    assert lists is not None
    assert (lists.start, lists.size, lists.k) == (40, 20, 100)
    assert [body["size"] for body in lists.bodies] == [60, 60]
    assert "terms" not in str(lists.words)
    assert bands_plan(SearchRequest(text="red cats", page=6, size=20), TARGET, [TEXT]).lists is None
    assert bands_plan(SearchRequest(text="red cats", weight=0.0), TARGET, [TEXT]).lists is None


def test_the_most_similar_of_the_bands_are_scored_by_both_sides() -> None:
    lists = bands_plan(SearchRequest(text="red cats", min_similarity=0.25), TARGET, [TEXT], [ENGLISH]).lists
    assert lists is not None
    asked = lists.codes["query"]["script_score"]
    assert (asked["script"]["params"]["weight"], asked["script"]["params"]["min_similarity"]) == (1.0, 0.25)
    assert asked["query"]["bool"]["filter"][0] == ENGLISH
    assert "red cats" not in str(asked), "BM25 of all that shares bands would take too long"
    assert lists.codes["min_score"] == 1e-20
    assert [body["rescore"]["window_size"] for body in lists.bodies] == [100, 300]
    rescored = [body["rescore"]["query"]["rescore_query"]["script_score"] for body in lists.bodies]
    assert rescored[0]["script"] == rescored[1]["script"]
    assert all("red cats" in str(one["query"]) for one in rescored)


def test_hits_are_counted_together_only_where_a_request_wants_it() -> None:
    for count in (True, False):
        lists = bands_plan(SearchRequest(text="red cats", count=count), TARGET, [TEXT]).lists
        assert lists is not None
        assert ("aggs" in lists.codes) == count


def hit(record: str, score: float, *, words: bool) -> dict[str, Any]:
    """One whose score is its similarity's share, and more where the words match."""
    similarity = score if words else 2 * score
    fields = {"crosshatch": [{"similarity": similarity}]}
    return {"_id": record, "_score": score, "fields": fields}


def answer(*hits: dict[str, Any], total: int, both: int | None = 0) -> dict[str, Any]:
    found = {"total": {"value": total, "relation": "eq"}, "hits": list(hits)}
    return {"hits": found, **({} if both is None else {"aggregations": {"both": {"doc_count": both}}})}


@pytest.mark.parametrize(("size", "rescored"), [(1, 100), (10, 100), (20, 200), (50, 500)])
def test_all_pages_of_a_size_rescore_as_many(size: int, rescored: int) -> None:
    """Else a record that a later page alone looks at would push others from page to page."""
    for page in (1, 2):
        lists = bands_plan(SearchRequest(text="red cats", page=page, size=size), TARGET, [TEXT]).lists
        assert lists is not None
        assert lists.words["rescore"]["window_size"] == rescored


def test_lists_are_merged_by_score_then_id() -> None:
    words = answer(hit("b", 0.9, words=True), hit("d", 0.5, words=True), total=40)
    codes = answer(hit("b", 0.9, words=True), hit("c", 0.7, words=False), hit("a", 0.5, words=False), total=5, both=2)
    page = merged(Lists({}, {}, start=1, size=2, k=100, weight=0.5), (words, codes))["hits"]
    assert [one["_id"] for one in page["hits"]] == ["c", "a"]
    assert page["total"]["value"] == 40 + 3


def test_no_more_than_k_are_found_by_the_code_alone() -> None:
    codes = answer(*(hit(record, 0.5, words=False) for record in "abc"), hit("d", 0.4, words=True), total=9, both=1)
    page = merged(Lists({}, {}, start=0, size=10, k=2, weight=0.5), (answer(total=1), codes))["hits"]
    assert [one["_id"] for one in page["hits"]] == ["a", "b", "d"]
    assert page["total"] == {"value": 1 + 2, "relation": "eq"}


def test_a_total_that_is_not_counted_is_the_least() -> None:
    codes = answer(hit("a", 0.5, words=False), hit("b", 0.4, words=True), total=900, both=None)
    page = merged(Lists({}, {}, start=0, size=10, k=100, weight=0.5), (answer(total=7, both=None), codes))["hits"]
    assert page["total"] == {"value": 7 + 1, "relation": "gte"}
    assert ["matched_queries" in one for one in page["hits"]] == [False, True]


def test_what_shares_no_band_is_no_more_similar_than_this() -> None:
    """Two bands within one bit: every code up to 3 bits off shares one, so the best unseen one is 4 bits off."""
    assert unseen(pairs_of(TARGET, [TEXT]), CUT, ONE) == TABLE[4]
    assert unseen(pairs_of(TARGET, [TEXT]), CUT, Reach(8)) == -1.0
    weights = {"text": 0.25, "image": 0.5}
    assert unseen(pairs_of(TARGET, [TEXT], part_weights=weights), CUT, ONE) == 0.5 * TABLE[4]


def test_weighted_bits_are_unseen_where_the_lightest_of_each_band_differ() -> None:
    """Bands of the bits 0 to 7 and 8 to 15; within no bit off, one bit of each differs: those that weigh 1 and 2."""
    code = WeightedCode(16, CODE.packed, bytes([9, 1, *[15] * 6, *[15] * 7, 2]))
    pairs = pairs_of(TARGET, [("text", code)])
    assert unseen(pairs, CUT, Reach(0)) == pytest.approx(1 - (code.floor + code.unit * (1 + 2)) / 16)
    assert unseen(pairs, CUT, ONE) == pytest.approx(1 - (code.floor + code.unit * (1 + 9 + 2 + 15)) / 16)
    assert unseen(pairs, CUT, Reach(8)) == -1.0


@pytest.mark.parametrize("seed", range(20))
def test_no_code_without_a_band_in_common_is_more_similar_than_unseen(seed: int) -> None:
    """Against every code of 16 bits, with bands that leave four bits out."""
    rng = random.Random(seed)
    cut = Banding(16, 6, tuple(rng.sample(range(16), 12)))
    query: HashCode = HashCode(16, rng.randbytes(2))
    weights, unit, floor = np.ones(16), 1.0, 0.0
    if seed % 2:
        query = sure = WeightedCode(16, query.packed, bytes([15, *rng.choices(range(16), k=15)]))
        weights, unit, floor = np.array(list(sure.weights)), sure.unit, sure.floor
    pair = Pair("s", "text", query, tuple(sorted((rng.random() for _ in TABLE), reverse=True)))
    radius = rng.randrange(4)
    differ = np.unpackbits(np.arange(1 << 16, dtype=">u2").view(np.uint8).reshape(-1, 2), axis=1)
    apart = [differ[:, cut.order[at : at + 6]].sum(axis=1) > radius for at in (0, 6)]
    for agree, missed in ((1, apart[0] & apart[1]), (2, apart[0] | apart[1])):
        weighed = floor + unit * (differ @ weights)[missed]
        found = unseen([pair], cut, Reach(radius, agree))
        assert found == pytest.approx(np.interp(weighed, range(17), pair.table).max())


def test_a_tie_with_what_is_unseen_proves_nothing() -> None:
    """The engine tells scores in single precision, in which 0.8 is a little more."""
    request = SearchRequest(image=b"-", size=1, k=1, weight=1.0)
    single = float(np.float32(0.8))
    assert single > 0.8
    told = {"hits": {"hits": [{"_score": single}]}}
    assert not Round(plan(request, TARGET, [TEXT]), unseen=0.8, least=0.0).proves(told)
    assert Round(plan(request, TARGET, [TEXT]), unseen=0.79, least=0.0).proves(told)


def test_a_space_without_bands_is_told() -> None:
    bare = replace(TARGET, bands=None)
    with pytest.raises(
        RequestError, match=r"space s of index biblios has no bands; .* `crosshatch plans add biblios b"
    ):
        choose(SearchRequest(text="a", plan="bands"), bare, [TEXT])
    assert choose(SearchRequest(text="a"), bare, [TEXT]).name == "exact"
    assert choose(SearchRequest(text="a"), TARGET, [TEXT]).name == "bands"
