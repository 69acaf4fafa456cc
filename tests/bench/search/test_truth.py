"""The right answers and recall, against slow and obvious twins."""

import numpy as np
import pytest

from mappings.code import HashCode, codes_of
from tests.bench.search import truth
from tests.bench.search.truth import Truth, recall


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_nearest_is_what_sorting_by_distance_and_id_gives(rng: np.random.Generator) -> None:
    codes = rng.integers(256, size=(3_000, 16), dtype=np.uint8)
    codes[100:120] = codes[7]  # ties across the n-th place
    code = HashCode(128, codes[7].tobytes())
    slow = sorted((code.distance(one), number) for number, one in enumerate(codes_of(codes)))
    for size in (1, 10, 21, 100, 3_000):
        found = truth.nearest(code, codes, size)
        as_near = [pair for pair in slow if pair[0] <= slow[size - 1][0]]
        assert [(int(-value), int(one)) for one, value in zip(found.ids, found.values, strict=True)] == as_near
        assert len(found.among(size)) == len(as_near)


def test_distances_do_not_depend_on_blocks(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = rng.integers(256, size=(1_001, 16), dtype=np.uint8)
    code = HashCode(128, rng.bytes(16))
    whole = truth.distances(code, codes)
    monkeypatch.setattr(truth, "BLOCK", 64)
    assert (truth.distances(code, codes) == whole).all()
    assert whole.tolist() == [code.distance(one) for one in codes_of(codes)]


@pytest.mark.parametrize("weight", [0.0, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("known", [0, 5, 60, 400])
def test_the_fused_truth_needs_few_scores_and_misses_nothing(
    rng: np.random.Generator, weight: float, known: int
) -> None:
    """Only the best `known` BM25 scores are told; the slow twin knows them all."""
    words = np.where(rng.random(2_000) < 0.15, rng.gamma(2, 4, 2_000), 0.0)  # about 300 match
    similar = 0.5 + rng.normal(0, 0.04, 2_000)
    similar[rng.integers(2_000, size=40)] += 0.3
    order = np.argsort(-words, kind="stable")[:known]
    top = order[words[order] > 0]
    asked: list[int] = []

    def bm25(ids: truth.Ids) -> truth.Scores:
        asked.extend(ids.tolist())
        return words[ids]

    rest = float(np.sort(words)[::-1][len(top)])
    found = truth.best_fused(similar, (top, words[top]), rest, bm25, weight, 50)
    slow = sorted(range(2_000), key=lambda one: (-truth.fused(words, similar, weight)[one], one))[:50]
    assert found.ids[:50].tolist() == slow
    assert not set(asked) & set(top.tolist())
    assert len(asked) < 2_000 or known == 0
    if known == 400:
        assert asked == []  # all that match were told


def test_the_fused_score_by_hand() -> None:
    # (1 - .2) * 24 / 32 + .2 * .5 = .7, and similarity alone where no word matches
    assert truth.fused(np.array([24.0, 0.0]), np.array([0.5, 0.9]), 0.2) == pytest.approx([0.7, 0.18])


def test_fused_ranks_by_hand() -> None:
    # 7: .75/61 + .25/62; 9: .75/62; 4: .25/61; 2: .25/63 and .75/63, which is a tie of nobody
    found = truth.by_ranks(np.array([7, 9, 2]), np.array([4, 7, 2]), 0.25)
    assert found.ids.tolist() == [7, 2, 9, 4]
    assert found.values == pytest.approx([0.75 / 61 + 0.25 / 62, 1 / 63, 0.75 / 62, 0.25 / 61])
    one = truth.by_ranks(np.array([5, 3]), np.array([3, 5]), 0.5)  # a tie, by number
    assert one.ids.tolist() == [3, 5]
    assert truth.by_ranks(np.array([], np.int64), np.array([8]), 0.5).ids.tolist() == [8]


def test_recall_is_fair_to_ties_and_counts_a_record_once() -> None:
    right = Truth(np.array([0, 1, 2, 3, 4]), np.array([-1.0, -2.0, -3.0, -3.0, -3.0]))
    assert recall([0, 1, 2], right, 3) == 1
    assert recall([4, 1, 0], right, 3) == 1  # 4 is as near as the third
    assert recall([4, 3, 2], right, 3) == 1  # none is farther than the third
    assert recall([0, 1, 5], right, 3) == pytest.approx(2 / 3)
    assert recall([0, 0, 0], right, 3) == pytest.approx(1 / 3)
    assert recall([], right, 3) == 0
    assert recall([5, 4, 3, 2, 1, 0], right, 3) == pytest.approx(2 / 3)  # only the first three count
