"""Which codes of a query keep their weights."""

from typing import cast

import pytest

from integration.search.knn import knn_score_plan
from integration.search.plan import Target
from integration.search.request import SearchRequest
from integration.search.scoring import Scoring, scored
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.weighted import WeightedCode

BARE = HashCode(16, b"\xaa\x00")
SURE = WeightedCode(16, b"\xaa\x00", bytes([15, 3] * 8))


def test_symmetric_scoring_leaves_weights_out() -> None:
    assert scored([("text", SURE), ("image", BARE)], "symmetric") == [("text", BARE), ("image", BARE)]


def test_asymmetric_scoring_keeps_those_that_there_are() -> None:
    assert scored([("text", SURE), ("image", BARE)], "asymmetric") == [("text", SURE), ("image", BARE)]


@pytest.mark.parametrize("codes", [[], [("text", BARE)]])
def test_asymmetric_scoring_without_any_weights_is_refused(codes: list[tuple[str, HashCode]]) -> None:
    with pytest.raises(
        RequestError, match=r"^asymmetric scoring needs a text or a picture that a worker of this relea"
    ):
        scored(codes, "asymmetric")


def test_a_scoring_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RequestError) as refused:
        SearchRequest(text="a", scoring=cast("Scoring", "floats"))
    assert str(refused.value) == "no scoring 'floats'; there are: symmetric, asymmetric"


def test_candidates_of_knn_score_are_those_of_unweighted_bits() -> None:
    target = Target("biblios", "s", {("text", "text"): tuple(1 - d / 16 for d in range(17))})
    with pytest.raises(
        RequestError, match=r"^the plan knn-score finds candidates by the number of bits that differ; as"
    ):
        knn_score_plan(SearchRequest(text="a", on=("text",)), target, [("text", SURE)])
