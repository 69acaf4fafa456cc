"""What is held out: whole groups, about as many as asked; and the score, against a slow twin."""

import numpy as np
import pytest

from encoders.data.api import Pairs
from encoders.training.validation import agreement, held_out
from tests.encoders.methods.sets import average_precision

RNG = np.random.default_rng(4)


def pairs(count: int, **changes: object) -> Pairs:
    sides: dict[str, object] = {
        name: RNG.standard_normal((count, 5)).astype(np.float32) for name in ("images", "texts")
    }
    return Pairs("made", **{**sides, **changes})  # type: ignore[arg-type]


def test_a_tenth_is_held_out_by_the_seed() -> None:
    made = pairs(400)
    learning, checking = held_out(made, share=0.1, seed=1)
    assert len(checking) == 40
    assert sorted([*learning, *checking]) == list(range(400))
    assert (held_out(made, share=0.1, seed=1)[1] == checking).all()
    assert set(held_out(made, share=0.1, seed=2)[1]) != set(checking)


def test_what_hangs_together_stays_together() -> None:
    """Pairs 2i and 2i + 1 share a picture, 2i + 1 and 2i + 2 a record within each ten; the last twenty a record."""
    count = 300
    rows = np.arange(count)
    records = (rows + 1) // 2 + rows // 10 * 1000
    records[-20:] = records[-20]
    made = pairs(count, images=RNG.standard_normal((count, 3)).astype(np.float32)[rows - rows % 2], records=records)
    _, checking = held_out(made, share=0.2, seed=0)
    tens = checking // 10
    assert 40 <= len(checking) <= 60
    assert all((tens == ten).sum() == 10 for ten in tens)
    assert len({28, 29} & set(tens.tolist())) in (0, 2)


def test_empty_features_are_like_no_others() -> None:
    images = np.zeros((200, 4), dtype=np.float32)
    assert len(held_out(pairs(200, images=images), share=0.1, seed=0)[1]) == 20


@pytest.mark.parametrize(("count", "share", "held"), [(59, 0.1, 0), (60, 0.1, 20), (60, 0.0, 0), (600, 0.25, 150)])
def test_few_pairs_are_all_learnt_from(count: int, share: float, held: int) -> None:
    learning, checking = held_out(pairs(count), share=share, seed=0)
    assert (len(learning), len(checking)) == (count - held, held)


def test_pairs_that_all_hang_together_are_all_learnt_from() -> None:
    made = pairs(100, images=np.ones((100, 3), dtype=np.float32))
    assert [len(rows) for rows in held_out(made, share=0.2, seed=0)] == [100, 0]


def test_agreement_by_record_and_by_label() -> None:
    made = pairs(12)
    images, texts = (RNG.integers(0, 4, (12, 2), dtype=np.uint8) for _ in range(2))
    own = np.eye(12, dtype=bool)
    slow = [average_precision(images, texts, own, own), average_precision(texts, images, own, own)]
    assert agreement(images, texts, made) == pytest.approx(np.mean(slow), abs=0.05)
    assert agreement(np.arange(12, dtype=np.uint8)[:, None], np.arange(12, dtype=np.uint8)[:, None], made) == 1

    labels = np.eye(3, dtype=bool)[np.arange(12) % 3]
    slow = [average_precision(images, texts, labels, labels), average_precision(texts, images, labels, labels)]
    assert agreement(images, texts, pairs(12, labels=labels)) == pytest.approx(np.mean(slow), abs=0.05)
