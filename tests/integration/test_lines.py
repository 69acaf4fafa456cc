"""Watermarks: they move over what is answered, in order, whatever order the answers come in."""

import random

import pytest

from integration.lines import Line, Shard, Sweep


def sweep(end: int, jobs: int) -> Sweep:
    return Sweep(end, 0.0, left=jobs)


def test_a_watermark_waits_for_the_sweeps_before() -> None:
    line = Line(4, 30)
    first, second, third = sweep(10, 2), sweep(20, 1), sweep(30, 0)
    for one in (first, second, third):
        line.begin(one)
    assert (line.done, line.read, line.unread, line.finished) == (4, 30, False, False)
    second.left = 0
    assert line.settle() == []
    assert line.done == 4, "the first sweep is not answered: what it read would be lost with the broker"
    first.left = 1
    assert line.settle() == []
    first.left = 0
    assert line.settle() == [first, second, third]
    assert (line.done, line.finished, list(line.open)) == (30, True, [])


@pytest.mark.parametrize("seed", range(20))
def test_nothing_unanswered_is_ever_behind_the_watermark(seed: int) -> None:
    """Against the obvious: the end of the longest run of answered sweeps."""
    chance = random.Random(seed)
    line, begun = Line(-1, 10_000), []
    for _ in range(200):
        if chance.random() < 0.5:
            one = sweep(line.read + chance.randint(1, 20), chance.randint(0, 3))
            begun.append(one)
            line.begin(one)
        elif waiting := [one for one in begun if one.left]:
            chance.choice(waiting).left -= 1
        line.settle()
        answered = -1
        for one in begun:
            if one.left:
                break
            answered = one.end
        assert line.done == answered


def test_an_unknown_shard_is_followed_from_now_on_and_scanned_beside() -> None:
    shard = Shard.unknown("h", 7)
    assert (shard.tail.unread, shard.scan and shard.scan.read, shard.needed) == (False, -1, True)
    assert shard.meet("h", 9)
    assert shard.tail.unread
    assert shard.scan is not None
    assert shard.scan.end == 7, "what comes later is the tail's"


def test_an_empty_shard_needs_no_scan() -> None:
    shard = Shard.unknown("h", -1)
    assert shard.settle() == []
    assert (shard.scan, shard.needed) == (None, False)


@pytest.mark.parametrize(("history", "checkpoint"), [("other", 9), ("h", 6)], ids=["history", "lower"])
def test_another_history_or_a_lower_checkpoint_is_another_shard(history: str, checkpoint: int) -> None:
    shard = Shard.unknown("h", 7)
    assert not shard.meet(history, checkpoint)
    assert shard.tail.end == 7


def test_what_is_kept_goes_on_where_it_was_answered() -> None:
    """Not where it was read: those jobs may be gone."""
    shard = Shard.unknown("h", 100)
    assert shard.scan
    shard.meet("h", 150)
    shard.tail.begin(sweep(120, 0))
    shard.tail.begin(sweep(150, 1))
    shard.scan.begin(sweep(40, 0))
    shard.scan.begin(sweep(80, 2))
    shard.settle()
    again = Shard.read(shard.message())
    assert (again.history, again.tail.done, again.tail.read, again.tail.unread) == ("h", 120, 120, False)
    assert again.scan
    assert (again.scan.done, again.scan.read, again.scan.end, again.needed) == (40, 40, 100, True)
    assert again.meet("h", 150)
    assert again.tail.unread


def test_a_scan_that_is_over_is_forgotten() -> None:
    shard = Shard.unknown("h", 10)
    assert shard.scan
    shard.scan.begin(sweep(10, 0))
    assert len(shard.settle()) == 1
    assert (shard.scan, shard.needed) == (None, False)
    assert Shard.read(shard.message()).scan is None
