"""Every body of the plugin's plans, compared as a whole; `tests/live/knn` sends them."""

from dataclasses import replace
from typing import Any

import pytest

from integration.search import knn
from integration.search.plan import plan
from integration.search.request import SearchRequest
from mappings import vectors
from mappings.bands import Banding
from mappings.code import HashCode
from mappings.errors import CodeLengthError, RequestError
from mappings.fields import StoredCodes
from tests.integration.search.test_plan import ENGLISH, IMAGE, ORDER, TARGET, TEXT, WORDS

ALLOWED = {"bool": {"filter": [ENGLISH], "must_not": [WORDS]}}


def near(field: str, vector: list[int], k: int, allowed: Any, explored: int = 256) -> dict[str, Any]:
    asked = {"vector": vector, "k": k, "filter": allowed, "method_parameters": {"ef_search": explored}}
    return {"knn": {field: asked}}


def test_a_code_becomes_signed_numbers() -> None:
    assert vectors.vector(HashCode(32, b"\x00\x7f\x80\xff")) == [0, 127, -128, -1]


def test_members_lie_beside_the_bands() -> None:
    codes = StoredCodes(TEXT[1], ((0, IMAGE[1]), (7, TEXT[1])))
    assert vectors.members(codes) == {"knn_text": [0, 1], "knn_image_0": [-1, 0], "knn_image_1": [0, 1]}
    assert vectors.members(codes, ["record", "text"]) == {"knn_text": [0, 1]}
    assert not set(vectors.members(codes)) & set(Banding(16, 8).members(codes))
    assert vectors.members(StoredCodes()) == {}


def test_pictures_beyond_the_last_field_have_no_vector() -> None:
    codes = StoredCodes(None, tuple((number, IMAGE[1]) for number in range(9)))
    assert list(vectors.members(codes)) == ["knn_image_0", "knn_image_1", "knn_image_2", "knn_image_3"]


def test_mapping() -> None:
    one = {
        "type": "knn_vector",
        "dimension": 128,
        "data_type": "binary",
        "space_type": "hamming",
        "method": {"name": "hnsw", "engine": "lucene", "parameters": {"m": 16, "ef_construction": 100}},
    }
    space = vectors.space_mapping("s", 128, "lucene")["properties"]["_crosshatch"]["properties"]["s"]["properties"]
    images = dict.fromkeys(("knn_image_0", "knn_image_1", "knn_image_2", "knn_image_3"), one)
    assert space == {"knn_text": one, **images, "knn_record": one}
    with pytest.raises(RequestError, match=r"no engine 'nmslib' for binary vectors; there are: lucene, faiss"):
        vectors.space_mapping("s", 128, "nmslib")
    with pytest.raises(CodeLengthError, match="20 bits"):
        vectors.space_mapping("s", 20, "lucene")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "index.knn is not true"),
        ({"index.knn": "false"}, "index.knn is not true"),
        ({"index.knn": "true"}, "index.knn.derived_source.enabled is not false"),
        ({"index.knn": "true", "index.knn.derived_source.enabled": "true"}, "index.knn.derived_source.enabled is not"),
        (vectors.SETTINGS, None),
    ],
)
def test_an_index_that_can_hold_no_vectors(settings: dict[str, str], said: str | None) -> None:
    why = vectors.refusal(settings)
    assert (
        (why is None)
        if said is None
        else (why is not None and why.startswith(said) and "anew with index.knn: true" in why)
    )


def test_the_graph_is_walked_inside_the_exact_plans_first_step() -> None:
    request = SearchRequest(text="red cats", k=7)
    exact = plan(request, TARGET, [TEXT], [ENGLISH])
    found = knn.knn_plan(request, TARGET, [TEXT], [ENGLISH])
    fields = ["text", "image_0", "image_1", "image_2", "image_3"]
    should = [near(f"_crosshatch.s.knn_{name}", [0, 1], 7, ALLOWED) for name in fields]
    assert exact.candidates is not None
    assert found.candidates is not None
    scored = exact.candidates["query"]["script_score"]
    inner = {"bool": {"filter": [{"bool": {"should": should}}]}}
    assert found == replace(
        exact, name="knn", candidates={**exact.candidates, "query": {"script_score": {**scored, "query": inner}}}
    )


def test_without_words_there_is_one_step() -> None:
    request = SearchRequest(image=b"x", like="9", k=300)
    found = knn.knn_plan(request, TARGET, [IMAGE])
    allowed = {"bool": {"filter": [{"match_all": {}}], "must_not": [{"ids": {"values": ["9"]}}]}}
    should = [near(f"_crosshatch.s.knn_image_{n}", [-1, 0], 300, allowed, 300) for n in range(4)]
    assert found.candidates is None
    assert found.fused["query"]["script_score"]["query"] == {"bool": {"filter": [{"bool": {"should": should}}]}}
    assert found.limit == 300


def test_a_part_without_vectors_is_refused() -> None:
    with pytest.raises(RequestError, match=r"no binary vectors of image in index biblios"):
        knn.knn_plan(SearchRequest(text="x"), TARGET, [TEXT], parts=("text",))
    assert knn.knn_plan(SearchRequest(text="x", on=("text",)), TARGET, [TEXT], parts=("text",)).name == "knn"


def test_knn_score_finds_the_candidates_by_distance() -> None:
    request = SearchRequest(text="red cats", on=("text",), k=7, min_similarity=0.25)
    exact = plan(request, TARGET, [TEXT], [ENGLISH])
    params = {"field": "crosshatch.s.text", "query_value": "AAE=", "space_type": "hammingbit"}
    query = {
        "script_score": {
            "query": ALLOWED,
            "script": {"source": "knn_score", "lang": "knn", "params": params},
            "min_score": 1 / 9.5,  # (1 - d / 16) ** 2 is .25 at 8 bits, and 1 / (1 + 8) the score there
        }
    }
    candidates = {"query": query, "size": 7, "_source": False, "track_total_hits": False, "sort": ORDER}
    found = knn.knn_score_plan(request, TARGET, [TEXT], [ENGLISH])
    assert found == replace(exact, name="knn-score", candidates=candidates)


def test_knn_score_without_words_scores_the_ids() -> None:
    found = knn.knn_score_plan(SearchRequest(like="9", on=("text",)), TARGET, [TEXT])
    inner = found.body(["3", "4"])["query"]["script_score"]["query"]["bool"]
    ids = {"constant_score": {"filter": {"ids": {"values": ["3", "4"]}}, "boost": 0}}
    assert inner["should"] == [ids]
    assert inner["minimum_should_match"] == 1
    assert inner["must_not"] == [{"ids": {"values": ["9"]}}]
    assert found.limit == 100


def test_knn_score_knows_nothing_farther_than_the_whole_code() -> None:
    found = knn.knn_score_plan(SearchRequest(like="9", on=("text",), min_similarity=0.0), TARGET, [TEXT])
    assert found.candidates is not None
    assert found.candidates["query"]["script_score"]["min_score"] == 1 / 17.5


@pytest.mark.parametrize(
    ("on", "codes", "said"),
    [
        ((), [TEXT], "a code with text, a code with image"),
        (("image",), [IMAGE], "a code with image"),
        (("text",), [TEXT, TEXT], "a code with text, a code with text"),
    ],
)
def test_knn_score_refuses_what_it_cannot_rank(on: tuple[str, ...], codes: Any, said: str) -> None:
    with pytest.raises(RequestError, match=f"this query compares {said}: give `on` text"):
        knn.knn_score_plan(SearchRequest(text="x", image=b"x", on=on), TARGET, codes)
