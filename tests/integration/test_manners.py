"""When a write waits, when it is put back, and when it passes at once."""

from collections.abc import Iterator
from typing import Any

import pytest

from integration import manners as module
from integration.manners import FIRST, LONGEST, PATIENCE, Manners
from integration.settings import Settings
from mappings.errors import EngineUnavailable, HeldBack, SwitchedOff
from tests.integration.fakes import FakeCluster


class Clock:
    """A clock that only sleeping moves."""

    now = 1000.0
    slept = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def made(**settings: Any) -> Manners:
    return Manners(FakeCluster().as_cluster(), Settings(**settings))


def test_without_limits_nothing_waits(clock: Clock) -> None:
    manners = made()
    manners.admit(64)
    manners.confirm()
    assert manners.held() is None
    assert clock.slept == 0


def test_in_quiet_hours_work_goes_back_at_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    manners = made(quiet_hours="08:00-18:00")
    monkeypatch.setattr(module.quiet_hours, "left", lambda _: 7200.0)
    for step in (lambda: manners.admit(1), manners.confirm):
        with pytest.raises(HeldBack, match=r"quiet hours \(08:00-18:00\)") as held:
            step()
        assert held.value.seconds == 7200.0
    assert manners.held() == "these are quiet hours (08:00-18:00)"
    assert clock.slept == 0


def test_refusals_wait_longer_each_time_and_a_write_ends_it(clock: Clock) -> None:
    manners = made()
    waits = []
    for _ in range(9):
        manners.refused()
        before = clock.slept
        manners.admit(1)
        waits.append(clock.slept - before)
    for number, wait in enumerate(waits):
        longest = min(FIRST * 2**number, LONGEST)
        assert longest / 2 <= wait <= longest + 1e-6
    manners.taken()
    manners.refused()
    before = clock.slept
    manners.admit(1)
    assert clock.slept - before <= FIRST


def test_jitter_parts_the_workers(clock: Clock) -> None:
    waits = set()
    for _ in range(20):
        manners = made()
        manners.refused()
        before = clock.slept
        manners.admit(1)
        waits.add(round(clock.slept - before, 6))
    assert len(waits) > 10


def test_a_full_disk_is_waited_for_a_while(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    manners = made()
    monkeypatch.setattr(manners._pressure, "found", lambda: "full" if clock.slept < 12 else None)
    manners.admit(1)
    assert 12 <= clock.slept <= 16
    monkeypatch.setattr(manners._pressure, "found", lambda: "full")
    before = clock.slept
    with pytest.raises(HeldBack, match="full"):
        manners.admit(1)
    assert 0 < clock.slept - before <= PATIENCE


def test_whoever_waits_sees_the_switch(clock: Clock) -> None:
    manners = made()
    for _ in range(7):
        manners.refused()
    start = clock.slept

    def allowed() -> None:
        if clock.slept > start + 3:
            raise SwitchedOff("off")

    with pytest.raises(SwitchedOff):
        manners.admit(1, allowed)
    assert clock.slept - start <= 5


def test_who_sends_work_is_not_stopped_by_an_engine_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    manners = made()

    def away() -> None:
        raise EngineUnavailable("away")

    monkeypatch.setattr(manners._pressure, "found", away)
    assert manners.held() is None
    with pytest.raises(EngineUnavailable):
        manners.confirm()
