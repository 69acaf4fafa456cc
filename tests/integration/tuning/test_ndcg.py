"""nDCG: worked out by hand, and against the sum written out."""

import math
import random

import numpy as np
import pytest

from integration.tuning.ndcg import dcg, ndcg


def test_worked_out_by_hand() -> None:
    """Gains 7, 3, 7, 0, 1, 3 by log2 of 2 to 7; best order 7, 7, 3, 3, 1, 0."""
    grades = np.array([3.0, 2, 3, 0, 1, 2])
    assert dcg(grades) == pytest.approx(7 + 1.89279 + 3.5 + 0 + 0.38685 + 1.06862, abs=1e-4)
    best = 7 + 4.41651 + 1.5 + 1.29203 + 0.38685
    assert ndcg(grades, grades) == pytest.approx(13.84826 / best, abs=1e-5)


def test_only_ten_places_count() -> None:
    late = np.array([0.0] * 10 + [3.0])
    assert ndcg(late, late) == 0
    assert ndcg(np.array([0.0] * 9 + [1.0]), np.array([1.0])) == pytest.approx(1 / math.log2(11))


def test_a_relevant_record_that_is_not_found_counts() -> None:
    assert ndcg(np.array([1.0]), np.array([1.0, 1.0])) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert ndcg(np.array([]), np.array([1.0])) == 0


@pytest.mark.parametrize("seed", range(20))
def test_the_slow_twin(seed: int) -> None:
    rng = random.Random(seed)
    judged = [rng.choice((0.0, 0.0, 0.5, 1.0, 3.0)) for _ in range(rng.randrange(1, 30))] + [1.0]
    order = rng.sample(judged, rng.randrange(len(judged)))

    def slow(grades: list[float]) -> float:
        total = 0.0
        for place in range(1, 11):
            if place <= len(grades):
                total += (2 ** grades[place - 1] - 1) / math.log2(place + 1)
        return total

    expected = slow(order) / slow(sorted(judged, reverse=True))
    assert ndcg(np.array(order), np.array(judged)) == pytest.approx(expected)
