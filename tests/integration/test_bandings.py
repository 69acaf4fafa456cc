"""What bands are learnt from, and what is said of how much they find."""

import random
from dataclasses import replace

import numpy as np
import pytest

from integration import bandings, state
from integration.state import Learnt
from mappings.bands import REACH, Banding
from mappings.code import HashCode
from mappings.fields import StoredCodes

CUT = Banding(32, 8)


def codes(rng: random.Random, count: int) -> list[StoredCodes]:
    return [StoredCodes(text=HashCode(32, rng.randbytes(4))) for _ in range(count)]


def by_hand(records: list[StoredCodes], cut: Banding, depth: int) -> float:
    """The slow way: every pair by `HashCode.distance` and the terms of `Banding`; of ties the first count."""
    texts = [one.text for one in records if one.text]
    shares = []
    for at, one in enumerate(texts):
        others = sorted(texts[:at] + texts[at + 1 :], key=lambda other: one.distance(other))
        near = {term for band in cut.terms(one, REACH.radius) for term in band}
        found = [len(near & set(cut.line(other).split(" "))) >= REACH.agree for other in others]
        shares.append(sum(found[:depth]) / depth)
    return sum(shares) / len(shares)


def test_recall_is_what_the_terms_find() -> None:
    """A collection of clusters: two bands of the ten nearest come near, not of all of the hundred nearest."""
    rng = random.Random(1)
    records: list[StoredCodes] = []
    for centre in codes(rng, 30):
        for _ in range(10):
            whole = int.from_bytes(centre.text.packed if centre.text else b"")
            for bit in rng.sample(range(32), 3):
                whole ^= 1 << bit
            records.append(StoredCodes(text=HashCode(32, whole.to_bytes(4))))
    found = dict(bandings.measured_recall(records, CUT))
    assert set(found) == {"at_10", "at_100"}
    for depth in (10, 100):
        assert found[f"at_{depth}"] == pytest.approx(by_hand(records, CUT, depth), abs=0.05)
    assert found["at_10"] > found["at_100"]


def test_a_record_does_not_find_itself_and_parts_are_not_mixed() -> None:
    rng = random.Random(2)
    far = [HashCode(32, bytes(4)), HashCode(32, b"\xff" * 4)]
    records = [StoredCodes(image=tuple(enumerate(far)), record=one.text) for one in codes(rng, 300)]
    found = dict(bandings.measured_recall(records, CUT))
    assert found["at_10"] < 1, "the records' own codes are spread at random"
    assert dict(bandings.measured_recall([replace(one, record=None) for one in records], CUT))["at_100"] == 1


def test_nothing_is_said_of_a_few_records() -> None:
    assert bandings.measured_recall(codes(random.Random(3), 150), CUT) == ()
    assert bandings.measured_recall([], CUT) == ()


def test_codes_are_packed_in_their_order() -> None:
    one, two, three = (HashCode(32, bytes([n] * 4)) for n in (1, 2, 3))
    packed = bandings.packed_codes([StoredCodes(one, ((0, two),)), StoredCodes(record=three)])
    assert packed.tolist() == [[1] * 4, [2] * 4, [3] * 4]
    assert packed.dtype == np.uint8
    assert not len(bandings.packed_codes([]))


@pytest.mark.parametrize(("documents", "too_many"), [(100, True), (101, False), (9999, False), (10_000, True)])
def test_an_index_outgrows_its_bands_tenfold(documents: int, too_many: bool) -> None:
    learnt = Learnt(1000, 1000)
    assert bandings.outgrown(learnt, documents) is too_many
    stand = bandings.Stand("s", CUT, learnt, ready=True, documents=1, lack=0, now=documents)
    said = f"learnt at 1000 documents, and there are {documents}; add them again to learn anew"
    assert stand.advice == (said if too_many else None)
    assert replace(stand, ready=False).advice == "not every document has them yet; run `crosshatch plans add` again"
    assert bandings.outgrown(None, documents) is False


def test_the_bands_that_writes_carry_are_those_that_are_being_filled() -> None:
    bundle = state.Bundle("b", "b", 32, "ab", bands=CUT)
    assert bundle.cut == CUT
    assert replace(bundle, filling=Banding(32, 10)).cut == Banding(32, 10)
