"""Every body of the exact plan, compared as a whole."""

from dataclasses import replace
from typing import Any

import pytest

from integration.search.plan import Target, pairs_of, plan
from integration.search.request import SearchRequest
from mappings.code import HashCode
from mappings.errors import RequestError

LINEAR = tuple(1 - d / 16 for d in range(17))
STEEP = tuple((1 - d / 16) ** 2 for d in range(17))
TARGET = Target(
    index="biblios",
    space="s",
    tables={("text", "text"): STEEP, ("text", "image"): LINEAR, ("image", "image"): LINEAR},
    words=("title^2", "subjects"),
    title="title",
)
TEXT = ("text", HashCode(16, b"\x00\x01"))
IMAGE = ("image", HashCode(16, b"\xff\x00"))
TEXT_TEXT = {"field": "crosshatch.s.text", "part": "text", "picture": False, "code": [0, 1], "table": list(STEEP)}
TEXT_IMAGE = {"field": "crosshatch.s.image", "part": "image", "picture": True, "code": [0, 1], "table": list(LINEAR)}
IMAGE_IMAGE = TEXT_IMAGE | {"code": [255, 0]}
WORDS = {
    "multi_match": {
        "query": "red cats",
        "type": "cross_fields",
        "operator": "or",
        "lenient": True,
        "_name": "bm25",
        "fields": ["title^2", "subjects"],
    }
}
ENGLISH = {"term": {"language": {"value": "eng"}}}
ORDER = [{"_score": "desc"}, {"_id": "asc"}]


def score(weight: float, pairs: list[Any], **more: float) -> dict[str, Any]:
    return {"id": "crosshatch-score-1", "params": {"pairs": pairs, "weight": weight, "saturation": 8.0, **more}}


def shown(pairs: list[Any]) -> dict[str, Any]:
    return {
        "_source": ["title"],
        "track_total_hits": True,
        "sort": ORDER,
        "script_fields": {"crosshatch": {"script": {"id": "crosshatch-distance-1", "params": {"pairs": pairs}}}},
    }


def test_words_have_two_sides() -> None:
    both = plan(SearchRequest(text="red cats", page=3, size=20), TARGET, [TEXT], [ENGLISH])
    pairs = [TEXT_TEXT, TEXT_IMAGE]
    assert both.name == "exact"
    assert both.candidates == {
        "query": {
            "script_score": {
                "query": {"bool": {"filter": [ENGLISH], "must_not": [WORDS]}},
                "script": score(1.0, pairs, min_similarity=0.0),
            }
        },
        "min_score": 1e-20,
        "size": 100,
        "_source": False,
        "track_total_hits": False,
        "sort": ORDER,
    }
    found = {"constant_score": {"filter": {"ids": {"values": ["7", "9"]}}, "boost": 0}}
    assert both.body(["7", "9"]) == {
        "query": {
            "script_score": {
                "query": {"bool": {"should": [WORDS, found], "minimum_should_match": 1, "filter": [ENGLISH]}},
                "script": score(0.5, pairs),
            }
        },
        "from": 40,
        "size": 20,
        **shown(pairs),
    }


def test_what_the_request_says_comes_before_what_the_index_says() -> None:
    asked = SearchRequest(text="red cats", weight=0.125, k=3, min_similarity=0.75)
    both = plan(asked, TARGET, [TEXT])
    assert both.candidates is not None
    assert both.candidates["size"] == 3
    assert both.candidates["query"]["script_score"]["script"]["params"]["min_similarity"] == 0.75
    assert both.body()["query"]["script_score"]["script"]["params"]["weight"] == 0.125


def test_weight_0_leaves_the_engines_own_scores_and_order() -> None:
    both = plan(SearchRequest(text="red cats", weight=0), TARGET, [TEXT])
    found = {"constant_score": {"filter": {"ids": {"values": ["7"]}}, "boost": 0}}
    assert both.body(["7"])["query"] == {"bool": {"should": [WORDS, found], "minimum_should_match": 1}}
    assert both.scored_here


def test_without_words_one_request_is_enough() -> None:
    alone = plan(SearchRequest(image=b"picture", weight=0.25), TARGET, [IMAGE])
    assert alone.candidates is None
    assert alone.limit == 100
    assert alone.body() == {
        "query": {
            "script_score": {
                "query": {"bool": {"filter": [{"match_all": {}}]}},
                "script": score(0.25, [IMAGE_IMAGE], min_similarity=0.0),
            }
        },
        "min_score": 1e-20,
        "from": 0,
        "size": 10,
        **shown([IMAGE_IMAGE]),
    }


def test_weight_0_without_words_counts_as_1() -> None:
    alone = plan(SearchRequest(image=b"picture", weight=0), TARGET, [IMAGE])
    assert alone.body()["query"]["script_score"]["script"]["params"]["weight"] == 1
    assert not alone.scored_here


@pytest.mark.parametrize(("page", "window"), [(1, (0, 10)), (3, (20, 5)), (4, (25, 0))], ids=["whole", "cut", "beyond"])
def test_without_words_pages_end_at_k(page: int, window: tuple[int, int]) -> None:
    body = plan(SearchRequest(image=b"picture", k=25, page=page), TARGET, [IMAGE]).body()
    assert (body["from"], body["size"]) == window


def test_the_record_that_hits_are_like_is_no_hit() -> None:
    itself = {"ids": {"values": ["7"]}}
    alone = plan(SearchRequest(like="7"), TARGET, [TEXT]).body()
    assert alone["query"]["script_score"]["query"]["bool"]["must_not"] == [itself]
    both = plan(SearchRequest(like="7", text="red cats"), TARGET, [TEXT])
    assert both.candidates is not None
    assert both.candidates["query"]["script_score"]["query"]["bool"]["must_not"] == [WORDS, itself]
    assert both.body()["query"]["script_score"]["query"]["bool"]["must_not"] == [itself]


def test_every_query_code_meets_every_stored_part_it_has_a_table_for() -> None:
    params = plan(SearchRequest(text="red cats", image=b""), TARGET, [TEXT, IMAGE]).body()
    assert params["query"]["script_score"]["script"]["params"]["pairs"] == [TEXT_TEXT, TEXT_IMAGE, IMAGE_IMAGE]


def test_on_names_the_stored_parts() -> None:
    asked = SearchRequest(text="red cats", image=b"", on=("image", "image"))
    params = plan(asked, TARGET, [TEXT, IMAGE]).body()["query"]["script_score"]["script"]["params"]
    assert params["pairs"] == [TEXT_IMAGE, IMAGE_IMAGE]


def test_nothing_to_compare_with() -> None:
    with pytest.raises(RequestError) as refused:
        plan(SearchRequest(text="red cats", on=("record",)), TARGET, [TEXT])
    assert str(refused.value) == (
        "space s has no codes that this query can be compared with; "
        "it compares text with text, text with image, image with image"
    )


def test_without_search_fields_the_index_says_where_words_are_looked_for() -> None:
    both = plan(SearchRequest(text="a"), Target("biblios", "s", TARGET.tables), [TEXT])
    assert "fields" not in both.body()["query"]["script_score"]["query"]["bool"]["should"][0]["multi_match"]
    assert both.body()["_source"] is False


def test_a_part_s_weight_multiplies_its_similarities_and_0_leaves_it_out() -> None:
    weighed = replace(TARGET, part_weights={"text": 0.5})
    assert [pair.table for pair in pairs_of(weighed, [TEXT])] == [tuple(0.5 * value for value in STEEP), LINEAR]
    asked = pairs_of(weighed, [TEXT, IMAGE], part_weights={"text": 0, "image": 0.25})
    assert [(pair.part, pair.table[0]) for pair in asked] == [("image", 0.25), ("image", 0.25)]


def test_a_request_s_weights_are_in_every_script() -> None:
    both = plan(SearchRequest(text="red cats", part_weights={"image": 0.5}), TARGET, [TEXT])
    pairs = [TEXT_TEXT, TEXT_IMAGE | {"table": [0.5 * value for value in LINEAR]}]
    bodies = [both.candidates or {}, both.fused]
    assert [body["query"]["script_score"]["script"]["params"]["pairs"] for body in bodies] == [pairs, pairs]
    assert both.fused["script_fields"]["crosshatch"]["script"]["params"]["pairs"] == pairs


def test_no_part_left_is_told() -> None:
    with pytest.raises(RequestError) as refused:
        plan(SearchRequest(image=b"-", part_weights={"image": 0}), TARGET, [IMAGE])
    assert str(refused.value) == (
        "space s has no codes that this query can be compared with; it compares text with text, text with image, "
        "image with image, and the weight of image is 0"
    )
