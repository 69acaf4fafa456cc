"""Hours of the day in which nothing is written, as an administrator writes them: `08:00-18:00,22:00-06:00`."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` until just before `end`, local time; one that ends before it starts goes over midnight."""

    start: datetime.time
    end: datetime.time

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `08:00-18:00`. Raises ValueError."""
        first, dash, last = text.partition("-")
        try:
            start, end = datetime.time.fromisoformat(first.strip()), datetime.time.fromisoformat(last.strip())
        except ValueError:
            dash = ""
        if not dash or start == end or start.tzinfo or end.tzinfo:
            raise ValueError(f"{text!r} is no span of the day; expected start-end such as 08:00-18:00")
        return cls(start, end)

    def __str__(self) -> str:
        return "-".join(f"{time:%H:%M:%S}".removesuffix(":00") for time in (self.start, self.end))

    def left(self, now: datetime.datetime) -> float:
        """Seconds from `now` until the span ends; 0 outside it."""
        end = now.replace(hour=self.end.hour, minute=self.end.minute, second=self.end.second, microsecond=0)
        end += DAY if end <= now else datetime.timedelta()
        begin = end.replace(hour=self.start.hour, minute=self.start.minute, second=self.start.second)
        begin -= DAY if begin >= end else datetime.timedelta()
        return (end - now).total_seconds() if begin <= now else 0.0


def left(spans: Iterable[Span], now: datetime.datetime | None = None) -> float:
    """Seconds until the quiet ends; 0 where it is not quiet. `now` is the local time."""
    here = now or datetime.datetime.now().astimezone().replace(tzinfo=None)
    return max((span.left(here) for span in spans), default=0.0)
