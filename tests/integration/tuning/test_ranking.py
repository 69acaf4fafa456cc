"""A pool ranked by any weights: by hand, and against the design's formula written out."""

import random

import numpy as np
import pytest

from integration.tuning.pools import pool_of
from integration.tuning.ranking import Limits, Numbers, Pool, ranked

WIDE = Limits(k=100, min_similarity=0.0)
# by hand: (BM25, [similarity of text, image, record])
TOLD = {
    "a": (8.0, [-1.0, -1.0, -1.0]),  # words alone: half of 1 - w at c = 8
    "b": (0.0, [0.9, -1.0, -1.0]),
    "c": (0.0, [-1.0, 1.0, -1.0]),
    "d": (24.0, [0.1, 0.2, -1.0]),
    "e": (0.0, [-1.0, -1.0, -1.0]),  # found by nothing
}


def names(pool: Pool, numbers: Numbers, limits: Limits = WIDE) -> str:
    return "".join("abcde"[place] for place in ranked(pool, numbers, limits))


def by_hand(**more: bool) -> Pool:
    return pool_of(TOLD, {"b": 1.0}, **{"worded": True, "condensed": False, **more})


def test_worked_out_by_hand() -> None:
    """w = .5: a .25, b .45, c .5, d .375 + .1."""
    assert names(by_hand(), Numbers(0.5, 8.0)) == "cdba"


def test_a_part_s_weight_multiplies_and_0_takes_its_records_out() -> None:
    """With image = .4: c .2, d .375 + .05."""
    assert names(by_hand(), Numbers(0.5, 8.0, (1.0, 0.4, 1.0))) == "bdac"
    assert names(by_hand(), Numbers(0.5, 8.0, (1.0, 0.0, 1.0))) == "bda"


def test_without_a_weight_the_words_rank_and_the_similar_follow_by_id() -> None:
    assert names(by_hand(), Numbers(0.0, 8.0)) == "dabc"


def test_only_the_most_similar_are_hits_and_only_if_similar_enough() -> None:
    assert names(by_hand(), Numbers(0.5, 8.0), Limits(1, 0.0)) == "cda"
    assert names(by_hand(), Numbers(0.5, 8.0), Limits(100, 0.95)) == "cda"
    assert names(by_hand(), Numbers(0.5, 8.0, (1.0, 0.8, 1.0)), Limits(100, 0.85)) == "dba"


def test_only_judged_records_are_ranked_where_clicks_judge() -> None:
    assert by_hand().ndcg(Numbers(0.5, 8.0), WIDE) == pytest.approx(0.5)  # third place: 1 / log2(4)
    assert by_hand(condensed=True).ndcg(Numbers(0.5, 8.0), WIDE) == 1.0


def test_the_largest_weight_of_a_part_is_1() -> None:
    assert Numbers(0.5, 8.0, (1.0, 0.5, 0.5)).with_part(0, 0.25).parts == (0.5, 1.0, 1.0)
    assert Numbers(0.5, 8.0, (1.0, 0.5, 0.5)).with_part(1, 0.3).parts == (1.0, 0.3, 0.5)


@pytest.mark.parametrize("seed", range(40))
def test_the_slow_twin(seed: int) -> None:
    rng = random.Random(seed)
    told = {
        f"{rng.choice('aZé')}{number}": (
            rng.choice((0.0, 0.0, rng.random() * 20, 4.0)),
            [rng.choice((-1.0, rng.randrange(9) / 8)) for _ in range(3)],
        )
        for number in range(60)
    }
    worded = rng.random() < 0.8
    if not worded:
        told = {record: (0.0, similar) for record, (_, similar) in told.items()}
    parts = rng.choice(((1.0, 1.0, 1.0), (0.5, 1.0, 0.0), (1.0, 0.25, 0.8)))
    numbers = Numbers(rng.choice((0.0, 0.5, 1.0, rng.random())), 8.0, parts)
    limits = Limits(rng.choice((1, 5, 100)), rng.choice((0.0, 0.5)))

    def similarity(record: str) -> float | None:
        held = [p * s for p, s in zip(parts, told[record][1], strict=True) if p > 0 and s >= 0]
        return max(held) if held else None

    def key(rank: float, record: str) -> tuple[float, bytes]:
        return -float(np.float32(rank)), record.encode()

    found = [record for record, (words, _) in told.items() if words > 0]
    near = [(s, r) for r in told if r not in found and (s := similarity(r)) is not None and s >= limits.min_similarity]
    found += [record for _, record in sorted(near, key=lambda one: key(*one))[: limits.k]]

    def score(record: str) -> float:
        words, w = told[record][0], numbers.weight if worded else 1.0
        return words if w == 0 else (1 - w) * words / (words + 8.0) + w * (similarity(record) or 0.0)

    expected = [record for _, record in sorted(((score(r), r) for r in found), key=lambda one: key(*one))]
    records = sorted(told, key=str.encode)
    pool = pool_of(told, {}, worded=worded, condensed=False)
    assert [records[place] for place in ranked(pool, numbers, limits)] == expected
