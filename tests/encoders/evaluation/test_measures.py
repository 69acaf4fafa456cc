"""Every figure against numbers worked out by hand, and against a slow twin that tries every order of what ties."""

from collections.abc import Callable
from itertools import permutations, product
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.evaluation import measures
from encoders.evaluation.counts import Counts, Placed
from encoders.evaluation.rankings import Ordered, Ranking, Tied, precision_at, recall_at

Groups = list[list[int]]  # one query's ranking: gains of the items of each group


def counted(*queries: Groups, most: int = 3) -> Counts:
    width = max(len(groups) for groups in queries)
    padded = [groups + [[]] * (width - len(groups)) for groups in queries]

    def table(value: Callable[[list[int]], int]) -> np.ndarray:
        return np.array([[value(group) for group in groups] for groups in padded], dtype=np.int64)

    everything = [[gain for group in groups for gain in group] for groups in queries]
    shared = np.array([[gains.count(kind) for kind in range(most + 1)] for gains in everything], dtype=np.int64)
    return Counts(table(len), table(lambda group: sum(gain > 0 for gain in group)), table(sum), shared)


def test_average_precision_by_hand() -> None:
    # relevant at places 1, 3, 4 of 5: (1/1 + 2/3 + 3/4) / 3
    assert measures.average_precision(counted([[1], [0], [1], [1], [0]]))[0] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    # two tie, one relevant: first or second place, 1 or 1/2
    assert measures.average_precision(counted([[1, 0]]))[0] == pytest.approx(0.75)
    # no relevant item: 0, and counted
    assert measures.average_precision(counted([[0], [0]], [[1], [0]])).tolist() == [0, 1]


def test_average_precision_at_a_cut_by_hand() -> None:
    # relevant at 1, 3, 4; of the first 3, two are: (1 + 2/3) / 2; and three could have been: (1 + 2/3) / 3
    ranked = counted([[1], [0], [1], [1], [0]])
    assert measures.average_precision_at(ranked, 3)[0] == pytest.approx((1 + 2 / 3) / 2)
    assert measures.average_precision_of_possible(ranked, 3)[0] == pytest.approx((1 + 2 / 3) / 3)
    # three tie, one relevant, the first alone counts: 1 with chance 1/3, else nothing was found: 0
    assert measures.average_precision_at(counted([[1, 0, 0]]), 1)[0] == pytest.approx(1 / 3)


def test_precision_recall_and_hits_by_hand() -> None:
    ranked, sizes = counted([[0], [1, 0, 1, 0], [1]]), np.array([1, 3, 6, 9])
    # before the cut nothing, then half of what is drawn
    np.testing.assert_allclose(precision_at(Tied(ranked), sizes), [[0, 1 / 3, 3 / 6, 3 / 9]])
    np.testing.assert_allclose(recall_at(Tied(ranked), sizes), [[0, 1 / 3, 1, 1]])
    # two draws of four, two of them relevant: both miss with chance 2/4 · 1/3
    assert measures.hit_at(ranked, 3)[0] == pytest.approx(1 - 1 / 6)
    assert [measures.hit_at(ranked, size)[0] for size in (1, 5, 6, 9)] == [0, 1, 1, 1]


def test_chances_to_miss_by_hand() -> None:
    # none wanted; everything drawn; one of four in one draw; 1 - 1/4 - 1/4 in two; more draws than items
    items, wanted, places = (np.array(row) for row in ([3, 3, 4, 4, 3], [0, 1, 1, 1, 0], [10, 3, 1, 2, 4]))
    np.testing.assert_allclose(measures.miss(items, wanted, places), [1, 0, 3 / 4, 1 / 2, 1])


def test_ndcg_by_hand() -> None:
    # gains 0, 2, 1 in this order; the best order is 2, 1, 0
    ideal = 2 + 1 / np.log2(3)
    assert measures.ndcg(counted([[0], [2], [1]]))[0] == pytest.approx((2 / np.log2(3) + 1 / 2) / ideal)
    assert measures.ndcg(counted([[0], [2], [1]]), 2)[0] == pytest.approx(2 / np.log2(3) / ideal)
    # all tie: each place has the mean gain of 1
    assert measures.ndcg(counted([[0, 2, 1]]))[0] == pytest.approx((1 + 1 / np.log2(3) + 1 / 2) / ideal)


def test_curves_by_hand() -> None:
    precision, recall = measures.curve(counted([[], [1, 0], [1]], [[1], [], [0]]))
    np.testing.assert_allclose(precision, [[0, 1 / 2, 2 / 3], [1, 1, 1 / 2]])
    np.testing.assert_allclose(recall, [[0, 1 / 2, 1], [1, 1, 1]])
    # from recall 0 to .5 at precision 1, then falling to .5: .5 + .5 · .75
    assert measures.area(np.array([1, 0.5]), np.array([0.5, 1])) == pytest.approx(0.875)
    np.testing.assert_allclose(measures.f1(np.array([1, 0.0]), np.array([0.5, 0])), [2 / 3, 0])


def test_chance_is_what_random_orders_give() -> None:
    ranked = counted([[1], [0], [2], [0]])
    assert measures.average_precision(measures.chance(ranked.shared))[0] == pytest.approx(
        mean(plain_average_precision(list(order)) for order in permutations([1, 0, 2, 0]))
    )


def plain_average_precision(gains: list[int], size: int | None = None, divisor: int | None = None) -> float:
    """One list, from its definition; divided by its relevant items, or by `divisor`."""
    ranked, seen, total = gains[:size], 0, 0.0
    for place, gain in enumerate(ranked, start=1):
        if gain:
            seen += 1
            total += seen / place
    whole = seen if divisor is None else divisor
    return total / whole if whole else 0.0


def plain_ndcg(gains: list[int], size: int | None) -> float:
    def dcg(ranked: list[int]) -> float:
        return sum(gain / np.log2(place + 1) for place, gain in enumerate(ranked[:size], start=1))

    best = dcg(sorted(gains, reverse=True))
    return dcg(gains) / best if best else 0.0


def orders(groups: Groups) -> list[list[int]]:
    """Every order in which the items could stand."""
    each = [list(permutations(group)) for group in groups]
    return [[gain for part in parts for gain in part] for parts in product(*each)]


def twins(groups: Groups, size: int) -> dict[str, float]:
    """Each figure, averaged over every order."""
    every = orders(groups)
    relevant = sum(gain > 0 for group in groups for gain in group)
    first = [sum(gain > 0 for gain in order[:size]) for order in every]
    return {
        "ap": mean(plain_average_precision(order) for order in every),
        "ap@": mean(plain_average_precision(order, size) for order in every),
        "ap@possible": mean(plain_average_precision(order, size, min(size, relevant)) for order in every),
        "precision": mean(first) / size,
        "recall": mean(first) / relevant if relevant else 0.0,
        "hit": mean(number > 0 for number in first),
        "ndcg": mean(plain_ndcg(order, None) for order in every),
        "ndcg@": mean(plain_ndcg(order, size) for order in every),
    }


def fast(ranked: Ranking, size: int) -> dict[str, np.ndarray]:
    sizes = np.array([size])
    return {
        "ap": ranked.average_precision(),
        "ap@": ranked.average_precision_at(size),
        "ap@possible": ranked.average_precision_of_possible(size),
        "precision": precision_at(ranked, sizes)[:, 0],
        "recall": recall_at(ranked, sizes)[:, 0],
        "hit": ranked.hit_at(size),
        "ndcg": ranked.ndcg(),
        "ndcg@": ranked.ndcg(size),
    }


rankings = st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=3).filter(any)


@settings(deadline=None)
@given(st.lists(rankings, min_size=1, max_size=3), st.integers(1, 10))
def test_figures_are_the_means_over_every_order(queries: list[Groups], size: int) -> None:
    got = fast(Tied(counted(*queries)), size)
    for number, groups in enumerate(queries):
        for name, value in twins(groups, size).items():
            assert got[name][number] == pytest.approx(value, abs=1e-9), name


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=3), st.integers(1, 7))
def test_figures_of_one_order_are_those_of_its_list(lists: list[list[int]], size: int) -> None:
    rows, places = np.nonzero(lists)
    gains = np.array(lists)
    shared = np.stack([np.bincount(row, minlength=4) for row in gains])
    got = fast(Ordered(Placed(rows, places + 1, gains[rows, places], shared)), size)
    for number, one in enumerate(lists):
        for name, value in twins([[gain] for gain in one], size).items():
            assert got[name][number] == pytest.approx(value, abs=1e-9), name


def test_a_large_cut_group_is_as_exact_as_a_small_one() -> None:
    """A group of 60,000 that the cut goes through, against a sum over every possible number of relevant items."""
    from scipy.stats import hypergeom

    n, r, first, known, size = 60_000, 9_000, 40, 25, 5_000
    counts = Counts(
        *(np.array([row]) for row in ([first, n], [known, r], [known, r], [first + n - known - r, known + r]))
    )
    t = size - first
    m = np.arange(0, min(r, t) + 1)
    chances = hypergeom.pmf(m, n, r, t)
    places = np.arange(1, t + 1)
    before = sum(known / first * (1 + (i - 1) * (known - 1) / (first - 1)) / i for i in range(1, first + 1))
    harmonic, skipped = (1 / (first + places)).sum(), ((places - 1) / (first + places)).sum()
    inside = m / t * ((known + 1) * harmonic + (m - 1) / (t - 1) * skipped)
    expected = (chances * (before + inside) / (known + m)).sum()
    assert measures.average_precision_at(counts, size)[0] == pytest.approx(expected, rel=1e-8)
