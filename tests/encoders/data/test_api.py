"""Pairs and splits: what they refuse, and what they keep."""

import numpy as np
import pytest

from encoders.data.api import DataSet, Pairs, Split
from encoders.data.published import drawn
from mappings.errors import DataError, RequestError


def rows(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, dtype=np.int64)


def test_take_keeps_every_side_together() -> None:
    pairs = Pairs(
        "p",
        images=np.array([[0], [1], [2]], dtype=np.float32),
        labels=np.eye(3, dtype=bool),
        captions=["a", "b", "c"],
        pictures=[b"0", b"1", b"2"],
        records=rows(7, 7, 8),
    )
    taken = pairs.take(rows(2, 0))
    assert taken.images is not None
    assert taken.images.tolist() == [[2], [0]]
    assert taken.captions == ["c", "a"]
    assert taken.pictures is not None
    assert [taken.pictures[0], taken.pictures[1]] == [b"2", b"0"]
    assert taken.records.tolist() == [8, 7]
    assert taken.take(rows(1)).records.tolist() == [7]


def test_a_side_that_is_missing_is_told() -> None:
    pairs = Pairs("covers", captions=["a", "b"], pictures=[b"0", b"1"])
    with pytest.raises(RequestError, match="covers has no features of its pictures"):
        pairs.features()
    with pytest.raises(RequestError, match="covers has no labels, which SCM needs"):
        pairs.needed_labels("SCM")
    with pytest.raises(DataError, match="one: all 2 pairs have the same labels; SCM needs two classes at least"):
        Pairs("one", labels=np.ones((2, 1), dtype=bool)).needed_labels("SCM")


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"^p: nothing came; every side must have the same number of rows, one at least"
    ):
        Pairs("p")
    with pytest.raises(DataError, match=r"^p: 0 captions came"):
        Pairs("p", captions=[])


LEAKS = {
    "a query learnt from": (Split(rows(0), rows(1), rows(0, 2)), "1 of 1 queries are in the train part as well"),
    "a query searched": (Split(rows(0), rows(0, 1), rows(1)), "1 of 1 queries are in the database part as well"),
    "by another caption": (Split(rows(3), rows(2), rows(1)), "1 of 1 queries are in the database part as well"),
    "empty": (Split(rows(0), rows(1), rows()), "the train part has 0 rows; all must be among 4"),
    "outside": (Split(rows(4), rows(1), rows(1)), "the query part has 1 rows; all must be among 4"),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_split_does_not_leak(name: str) -> None:
    pairs = Pairs("p", labels=np.eye(4, dtype=bool), records=rows(0, 1, 3, 3))
    split, message = LEAKS[name]
    with pytest.raises(DataError, match=message):
        DataSet(pairs, split)


def test_without_labels_a_query_finds_its_own_record() -> None:
    pairs = Pairs("p", captions=list("abcd"), records=rows(0, 1, 3, 3))
    assert len(DataSet(pairs, Split(rows(2, 3), rows(2, 3), rows(0, 1))).query) == 2


def test_a_drawn_split_is_the_same_for_one_seed() -> None:
    pairs = Pairs("p", labels=np.eye(10, dtype=bool))
    first, again, other = (drawn(pairs, 3, 4, seed=seed) for seed in (1, 1, 2))
    assert first.query.tolist() == again.query.tolist() != other.query.tolist()
    assert (len(first.query), len(first.train)) == (3, 4)
    assert sorted([*first.query, *first.database]) == list(range(10))
    assert set(first.train) <= set(first.database)
    with pytest.raises(DataError, match="p: 8 queries and 4 to learn from were asked of 10 pairs in 10 groups"):
        drawn(pairs, 8, 4, seed=1)


@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_split_parts_no_group(seed: int) -> None:
    pairs, groups = Pairs("p", captions=list("abcdefgh")), np.array([0, 1, 1, 1, 2, 2, 3, 0])
    split = drawn(pairs, 3, None, seed=seed, groups=groups)
    assert len(split.query) >= 3
    assert not set(groups[split.query]) & set(groups[split.train])
    assert sorted([*split.query, *split.train]) == list(range(8))
    assert split.database.tolist() == split.query.tolist()  # no labels: each finds its own
