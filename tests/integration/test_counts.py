"""Counts that add up."""

import json
from collections import Counter

from integration.counts import Counts

ONE = Counts(3, 2, 1, Counter({"gone": 1, "no-content": 2}), Counter({"picture-missing": 4}))


def test_every_record_is_in_one_and_partial_ones_are_not_counted_twice() -> None:
    assert ONE.documents == 3 + 2 + 1 + 3
    assert Counts().documents == 0


def test_batches_add_up() -> None:
    sum_ = Counts()
    for _ in range(3):
        sum_.add(ONE)
    assert (sum_.encoded, sum_.restored, sum_.unchanged) == (9, 6, 3)
    assert sum_.failed == {"gone": 3, "no-content": 6}
    assert sum_.partial == {"picture-missing": 12}
    assert sum_.documents == 27
    assert ONE.failed == {"gone": 1, "no-content": 2}, "adding must not change what is added"


def test_they_travel_as_json() -> None:
    message = json.loads(json.dumps(ONE.message()))
    assert message == {
        "documents": 9,
        "encoded": 3,
        "restored": 2,
        "unchanged": 1,
        "failed": {"gone": 1, "no-content": 2},
        "partial": {"picture-missing": 4},
    }
    assert Counts.read(message) == ONE


def test_two_counts_share_nothing() -> None:
    one, two = Counts(), Counts()
    one.failed["gone"] += 1
    assert two.failed == {}
