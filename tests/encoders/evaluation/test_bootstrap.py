"""Intervals that cover what they should, and comparisons that are paired."""

import numpy as np
import pytest

from encoders.evaluation.bootstrap import interval, paired, share


def test_an_interval_is_that_of_the_normal_law_on_many_queries() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.2, 2000)
    low, high = interval(values)
    error = values.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.15 * error)
    assert interval(values) == (low, high)


def test_a_pair_is_compared_query_by_query() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(400)
    better = paired(first, first + 0.01 + rng.normal(0, 0.01, 400))  # far below the spread of the queries themselves
    assert 0 < better.low < better.mean < better.high
    assert better.mean == pytest.approx(0.01, abs=0.002)
    assert better.p == 0.001
    same = paired(first, rng.permutation(first))
    assert same.low < 0 < same.high
    assert same.p > 0.1
    assert paired(first, first).p == 1
    with pytest.raises(ValueError, match="400 and 3 queries cannot be paired"):
        paired(first, first[:3])


def test_a_share_is_of_the_same_queries() -> None:
    whole = np.tile([1.0, 1.0, 0.0, 0.0], 200)
    assert share(whole, whole / 2) == pytest.approx((0.5, 0.5, 0.5))  # half of every query, whichever are drawn
    part = np.tile([1.0, 0.0, 0.0, 0.0], 200)
    kept, low, high = share(whole, part)
    assert kept == 0.5
    error = np.sqrt(0.5 * 0.5 / 400)  # of the 400 queries that the floats answer, half are kept
    assert (low, high) == pytest.approx((0.5 - 1.96 * error, 0.5 + 1.96 * error), abs=0.15 * error)
    with pytest.raises(ValueError, match="4 queries have no share of 4 whose mean is 0"):
        share(np.zeros(4), np.zeros(4))
