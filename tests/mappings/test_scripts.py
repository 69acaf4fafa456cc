"""The parameters of the stored scripts; that the scripts do what they say is tried in tests/live/test_scripts.py."""

import pytest

from mappings.code import HashCode
from mappings.errors import CodeLengthError
from mappings.scripts import Pair, distance_script, score_script, scripts

LINEAR_16 = tuple(1 - d / 16 for d in range(17))
PARAM = {
    "field": "crosshatch.s.image",
    "part": "image",
    "picture": True,
    "code": [1, 255],
    "table": list(LINEAR_16),
}


def pair(part: str = "image", code: bytes = b"\x01\xff") -> Pair:
    return Pair("s", part, HashCode(16, code), LINEAR_16)


def test_score_script_names_the_stored_script_and_every_parameter() -> None:
    assert score_script([pair()], weight=0.25, saturation=8.0) == {
        "id": "crosshatch-score-1",
        "params": {"pairs": [PARAM], "weight": 0.25, "saturation": 8.0},
    }


def test_least_similarity_is_a_parameter_only_where_it_is_asked_for() -> None:
    params = score_script([pair()], weight=1, saturation=8, min_similarity=0.0)["params"]
    assert params["min_similarity"] == 0.0


def test_distance_script_takes_the_same_pairs() -> None:
    assert distance_script([pair()]) == {"id": "crosshatch-distance-1", "params": {"pairs": [PARAM]}}


def test_only_image_values_end_in_a_picture_number() -> None:
    assert [pair(part).param()["picture"] for part in ("text", "image", "record")] == [False, True, False]


def test_a_table_of_another_length_is_refused_before_it_reaches_the_engine() -> None:
    with pytest.raises(CodeLengthError) as refused:
        Pair("s", "text", HashCode(16, b"ab"), LINEAR_16[:-1])
    assert str(refused.value) == "a calibration of 16 values came for codes of 16 bits; expected 17"


def test_both_scripts_measure_with_the_same_functions() -> None:
    score, distance = scripts()
    assert (score.id, score.context) == ("crosshatch-score-1", "score")
    assert (distance.id, distance.context) == ("crosshatch-distance-1", "field")
    shared = score.source[: score.source.index("// crosshatch-score-1")]
    assert "double[] nearest(" in shared
    assert distance.source.startswith(shared)
