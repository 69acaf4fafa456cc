"""Fitting: a weight that is known to be right is found, noise changes nothing, and no query judges its own fit."""

import random
from collections import Counter

import numpy as np

from integration.tuning.fitting import FOLDS, PART_WEIGHTS, SATURATIONS, WEIGHTS, Fitting, folds_of
from integration.tuning.pools import pool_of
from integration.tuning.ranking import Limits, Numbers, Pool

LIMITS = Limits(100, 0.0)
NOW = Numbers(0.5, 8.0)


def by_words(rng: random.Random, *, image: bool = False) -> Pool:
    """The relevant record is the best by its words, and others are far more similar: by a picture, or by their text."""
    told = {}
    for number in range(30):
        similar = rng.uniform(0.4, 1.0)
        told[f"r{number}"] = (rng.uniform(1, 9), [-1.0, similar, -1.0] if image else [similar, -1.0, -1.0])
    told["right"] = (12.0, [0.3, -1.0, -1.0])
    return pool_of(told, {"right": 1.0}, worded=True, condensed=False)


def noise(rng: random.Random) -> Pool:
    told = {f"r{n}": (rng.uniform(0.1, 9), [rng.random(), rng.random(), -1.0]) for n in range(30)}
    return pool_of(told, {f"r{rng.randrange(30)}": 1.0}, worded=True, condensed=False)


def keys(pools: list[Pool]) -> list[str]:
    return [str(number) for number in range(len(pools))]


def test_codes_that_mislead_lose_their_weight() -> None:
    rng = random.Random(1)
    pools = [by_words(rng) for _ in range(20)]
    fitted = Fitting(pools, NOW, LIMITS).fitted(keys(pools))
    assert fitted.rises
    assert fitted.numbers.weight < 0.3
    assert fitted.after.mean() > 0.95 > fitted.before.mean()


def test_a_part_that_misleads_loses_its_own_where_another_part_is_right() -> None:
    """Only the text's similarity tells the right record apart, words say nothing, and pictures outshine it."""
    rng = random.Random(2)
    pools = []
    for _ in range(20):
        told = {f"r{n}": (4.0, [rng.uniform(0.1, 0.4), rng.uniform(0.7, 1.0), -1.0]) for n in range(30)}
        told["right"] = (4.0, [0.6, 0.1, -1.0])
        pools.append(pool_of(told, {"right": 2.0}, worded=True, condensed=False))
    fitted = Fitting(pools, NOW, LIMITS).fitted(keys(pools))
    text, image, record = fitted.numbers.parts
    assert (text, record) == (1.0, 1.0)
    assert image < 0.6
    assert fitted.after.tolist() == [1.0] * 20


def test_what_is_right_already_stays() -> None:
    told = {"a": (9.0, [0.9, -1.0, -1.0]), "b": (1.0, [0.1, -1.0, -1.0])}
    pools = [pool_of(told, {"a": 1.0, "b": 0.0}, worded=True, condensed=True) for _ in range(10)]
    odd = Numbers(0.37, 5.5, (0.9, 1.0, 1.0))
    fitted = Fitting(pools, odd, LIMITS).fitted(keys(pools))
    assert (fitted.numbers, fitted.rises) == (odd, False)


def test_a_part_that_was_switched_off_stays_so() -> None:
    pools = [noise(random.Random(seed)) for seed in range(10)]
    off = Numbers(0.5, 8.0, (1.0, 0.0, 1.0))
    assert Fitting(pools, off, LIMITS).best(np.arange(10)).parts == off.parts


def test_the_ascent_ends_where_no_single_number_does_better() -> None:
    pools = [noise(random.Random(seed)) for seed in range(12)]
    fitting = Fitting(pools, NOW, LIMITS)
    every = np.arange(12)
    best = fitting.best(every)

    def mean(numbers: Numbers) -> float:
        return round(sum(pool.ndcg(numbers, LIMITS) for pool in pools) / 12, 9)

    around = [Numbers(w, best.saturation, best.parts) for w in WEIGHTS]
    around += [Numbers(best.weight, c, best.parts) for c in SATURATIONS]
    around += [best.with_part(at, weight) for at in (0, 1) for weight in PART_WEIGHTS]
    assert mean(best) == max(mean(one) for one in around) > mean(NOW)


def test_queries_that_are_held_out_have_no_part_in_what_ranks_them() -> None:
    """Nothing is to be learnt from noise: fitted on all queries it does better on them, and held out it does not."""
    pools = [noise(random.Random(seed)) for seed in range(20)]
    fitting = Fitting(pools, NOW, LIMITS)
    fitted = fitting.fitted(keys(pools))
    assert fitting.ndcg(fitted.numbers).mean() > fitted.before.mean() + 0.01
    folds = folds_of(keys(pools))
    for fold in range(FOLDS):
        others = Fitting([pool for pool, of in zip(pools, folds, strict=True) if of != fold], NOW, LIMITS)
        numbers = others.best(np.arange(int((folds != fold).sum())))
        held_out = np.flatnonzero(folds == fold)
        assert fitted.after[held_out].tolist() == [pools[at].ndcg(numbers, LIMITS) for at in held_out]


def test_folds_are_even_and_keep_the_same_query_together() -> None:
    folds = folds_of([f"q{number % 50}" for number in range(100)])
    assert sorted(Counter(folds.tolist()).values()) == [20] * FOLDS
    assert folds[:50].tolist() == folds[50:].tolist()
