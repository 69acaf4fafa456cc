"""The numbers of an index: what is kept, for which space, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from integration import state, weights
from integration.state import Attached, Bundle, Weights
from mappings.errors import RequestError
from mappings.profile import TargetProfile
from tests.integration.fakes import FakeCluster

KNOWN = Attached(
    "biblios",
    "uuid-biblios",
    "s",
    {"s": Bundle("b", "b", 16, "ab"), "t": Bundle("c", "c", 16, "cd", part_weights={"text": 0.25})},
    TargetProfile(name="mine", text=("title",)),
    "secret",
)


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster(indices={"biblios": {}})
    state.save(cluster.as_cluster(), KNOWN)
    return cluster


def test_what_is_not_named_stays(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    weights.change(here, "biblios", {"weight": 0.25}, {"image": 0.5})
    weights.change(here, "biblios", {"saturation": 3.0, "k": 7}, {"record": 0.0})
    read = state.attached(here, "biblios")
    assert read.settings == Weights(0.25, 3.0, 7, 0.0)
    assert read.bundle.part_weights == {"image": 0.5, "record": 0.0}
    assert replace(read.bundle, part_weights={}) == KNOWN.bundle


def test_a_space_has_its_own_and_stays_what_it_was(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    told = weights.listed(weights.change(here, "biblios", {}, {"image": 0.5}, "t"))
    assert told == {
        "index": "biblios", "space": "t", "weight": 0.5, "saturation": 8.0, "k": 100, "min_similarity": 0.0,
        "part_weights": {"text": 0.25, "image": 0.5, "record": 1.0},
    }  # fmt: skip
    read = state.attached(here, "biblios")
    assert (read.space, read.bundle.part_weights) == ("s", {})


def test_a_weight_of_1_is_no_weight(cluster: FakeCluster) -> None:
    weights.change(cluster.as_cluster(), "biblios", {}, {"text": 1.0}, "t")
    assert state.attached(cluster.as_cluster(), "biblios").spaces["t"].part_weights == {}


@pytest.mark.parametrize(
    ("settings", "parts", "message"),
    [
        ({"weight": 1.5}, {}, "weight is 1.5; expected a number from 0 to 1"),
        ({"saturation": 0.0}, {}, "saturation is 0.0; expected a number above 0"),
        ({"saturation": float("inf")}, {}, "saturation is inf; expected a number above 0"),
        ({"k": 0}, {}, "k is 0; expected 1 to 10000"),
        ({}, {"image": -1.0}, "the weight of part image is -1.0; expected a number from 0 to 1"),
        ({}, {"cover": 1.0}, "no part 'cover' to give a weight; there are: text, image, record"),
        (
            {},
            {"text": 0.0, "image": 0.0, "record": 0.0},
            "every part would have weight 0, and no code be compared; leave one above 0",
        ),
    ],
)
def test_what_is_out_of_range_changes_nothing(
    cluster: FakeCluster, settings: dict[str, Any], parts: dict[str, float], message: str
) -> None:
    with pytest.raises(RequestError) as refused:
        weights.change(cluster.as_cluster(), "biblios", settings, parts)
    assert str(refused.value) == message
    assert replace(state.attached(cluster.as_cluster(), "biblios"), version=None) == KNOWN


def test_an_unknown_space_is_told_the_known_ones(cluster: FakeCluster) -> None:
    with pytest.raises(RequestError, match="index biblios has no space 'u'; there are: s, t"):
        weights.change(cluster.as_cluster(), "biblios", {"k": 3}, {}, "u")
