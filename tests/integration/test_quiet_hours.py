"""Quiet hours by the clock on the wall."""

import datetime

import pytest

from integration.quiet_hours import Span, left

DAY = datetime.date(2026, 3, 4)
HOUR = 3600.0


def at(text: str) -> datetime.datetime:
    return datetime.datetime.combine(DAY, datetime.time.fromisoformat(text))


@pytest.mark.parametrize(
    ("spans", "now", "hours"),
    [
        ((), "12:00", 0.0),
        (("08:00-18:00",), "07:59:59", 0.0),
        (("08:00-18:00",), "08:00", 10.0),
        (("08:00-18:00",), "17:30", 0.5),
        (("08:00-18:00",), "18:00", 0.0),
        (("22:00-06:00",), "23:00", 7.0),
        (("22:00-06:00",), "00:00", 6.0),
        (("22:00-06:00",), "06:00", 0.0),
        (("22:00-06:00",), "21:59", 0.0),
        (("20:00-00:00",), "23:30", 0.5),
        (("20:00-00:00",), "00:00", 0.0),
        (("00:00-04:00",), "00:00", 4.0),
        (("08:00-12:00", "10:00-13:00"), "11:00", 2.0),
        (("08:00-12:00", "12:00-18:00"), "12:00", 6.0),
    ],
)
def test_seconds_that_are_left(spans: tuple[str, ...], now: str, hours: float) -> None:
    assert left([Span.read(span) for span in spans], at(now)) == hours * HOUR


def test_now_is_the_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.datetime.now().astimezone()
    around = [Span((now - datetime.timedelta(hours=1)).time(), (now + datetime.timedelta(hours=2)).time())]
    assert HOUR < left(around) <= 2 * HOUR


@pytest.mark.parametrize("text", ["08:00", "8-18", "08:00-24:30", "08:00-08:00", "08:00-", "-", "08:00Z-09:00Z"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="expected start-end such as 08:00-18:00"):
        Span.read(text)


@pytest.mark.parametrize("text", ["08:00-18:00", "22:00:30-06:00"])
def test_a_span_reads_as_it_was_written(text: str) -> None:
    assert str(Span.read(text)) == text
