"""The protocol on sets small enough to say what must come out."""

import numpy as np
import pytest

from encoders.data.api import DataSet, Pairs, Split
from encoders.evaluation.coding import Coded
from encoders.evaluation.protocol import measured
from mappings.errors import RequestError

LABELS = np.array([[1, 0], [0, 1], [1, 1], [1, 0], [0, 1], [0, 1]], dtype=bool)
CODES = np.array([[0, 0], [255, 255], [0, 15], [0, 1], [255, 254], [0, 3]], dtype=np.uint8)
NO_CODES = np.zeros_like(CODES)


def labelled() -> DataSet:
    pairs = Pairs("p", images=np.eye(6, dtype=np.float32), texts=np.eye(6, dtype=np.float32), labels=LABELS)
    return DataSet(pairs, Split(np.array([0, 1]), np.array([2, 3, 4, 5]), np.array([2, 3])))


def codes(images: np.ndarray, texts: np.ndarray) -> Coded:
    return Coded(16, images, texts, 0.0, 0.0)


def test_four_directions_by_hand() -> None:
    found = measured(labelled(), codes(CODES, NO_CODES))
    assert list(found) == ["image-text", "text-image", "text-text", "image-image"]
    # picture 0 is nearest to 3 (1 bit), 5 (2), 2 (4), 4 (15); relevant are 3 and 2: (1 + 2/3) / 2
    # picture 1 is nearest to 4 (1 bit), 2 (12), 5 (14), 3 (15); relevant are 4, 2 and 5: 1
    assert found["image-image"].average_precision.tolist() == pytest.approx([5 / 6, 1])
    assert found["image-image"].figures["map"].value == pytest.approx(11 / 12)
    # all texts tie, and so does everything against them: chance, of 2 in 4 and of 3 in 4
    for name in ("image-text", "text-text"):
        figure = found[name].figures["map"]
        assert figure.value == pytest.approx(figure.chance)
    assert found["image-image"].figures["precision@1"].value == 1
    assert found["image-image"].figures["precision@1"].chance == pytest.approx((2 / 4 + 3 / 4) / 2)
    assert "precision@5" not in found["image-image"].figures  # there are four


def test_radius_figures_by_hand() -> None:
    found = measured(labelled(), codes(CODES, NO_CODES))["image-image"]
    # within 2 bits: picture 0 has 3 and 5, one of them right, of 2; picture 1 has 4, right, of 3
    assert found.radius["precision@radius2"] == pytest.approx(0.75)
    recall = (1 / 2 + 1 / 3) / 2
    assert found.radius["f1@radius2"] == pytest.approx(2 * 0.75 * recall / (0.75 + recall))
    # within 0 bits nothing lies: precision 0; from 15 bits on everything: half and three quarters
    assert (found.precision[0], found.precision[15], found.recall[15]) == pytest.approx((0, 0.625, 1))
    # best: from 14 bits on picture 0 has 3 of 4 and both, picture 1 three of three
    assert found.radius["f1_radius"] == 14


def test_an_order_gives_ties_no_mean() -> None:
    averaged, ordered = (
        measured(labelled(), codes(CODES, NO_CODES), ties=ties)["text-text"].average_precision
        for ties in ("average", "order")
    )
    # two relevant of four: every order gives one of these, none of which is the mean of all
    possible = {(1 / (a + 1) + 2 / (b + 1)) / 2 for a in range(4) for b in range(a + 1, 4)}
    assert min(abs(ordered[0] - value) for value in possible) < 1e-12
    assert averaged[0] == pytest.approx(np.mean(list(possible)))


def test_learned_codes_are_the_database_of_either_kind() -> None:
    found = measured(labelled(), codes(CODES, CODES), learned=CODES[[0, 1]])
    assert {name: direction.database for name, direction in found.items()} == {"image-text": 2, "text-image": 2}
    # training pair 2 has labels of both queries, 3 those of the first alone; the first query finds both
    assert found["text-image"].average_precision.tolist() == pytest.approx([1, 1 / 2])
    with pytest.raises(RequestError, match="3 learned codes came for 2 training pairs of p"):
        measured(labelled(), codes(CODES, CODES), learned=CODES[:3])


def captioned() -> DataSet:
    """Three records of two captions each; the last two ask."""
    pairs = Pairs("p", captions=list("abcdef"), pictures=[b""] * 6, records=np.array([0, 0, 1, 1, 2, 2]))
    asking = np.array([2, 3, 4, 5])
    return DataSet(pairs, Split(asking, asking, np.array([0, 1])))


def test_a_picture_of_several_captions_stands_once_and_no_text_finds_itself() -> None:
    own = np.array([[0, 0], [0, 0], [15, 0], [15, 1], [240, 0], [240, 3]], dtype=np.uint8)
    found = measured(captioned(), codes(own, own))
    sizes = {name: (direction.queries, direction.database) for name, direction in found.items()}
    assert sizes == {"image-text": (2, 4), "text-image": (4, 2), "text-text": (4, 4)}  # no other picture of a record
    ordered = measured(captioned(), codes(own, own), ties="order")
    for one in (found, ordered):
        assert one["text-text"].figures["map"].value == 1  # the other caption of its record, itself left out
    assert found["text-image"].figures["hit@1"].value == 1
    assert found["image-text"].figures["recall@1"].value == pytest.approx(0.5)
    assert found["text-text"].figures["precision@1"].chance == pytest.approx(1 / 3)
