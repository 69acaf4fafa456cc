"""`python -m tests.faults.shifted FILE MODULE ARGS...`: run MODULE with a clock that is off by the seconds in FILE.

FILE may change at any time: a step of the clock, without touching the machine's. It covers what Python asks of the
calendar clock, in the module and in what it forks; not monotonic clocks, which no step moves, and not other programs.
"""

import datetime
import runpy
import sys
import time
from pathlib import Path
from typing import Any, Self

_real, _real_ns = time.time, time.time_ns
_file = Path(sys.argv[1])


def offset() -> float:
    """Seconds that the clock is ahead."""
    return float(_file.read_text() or 0) if _file.exists() else 0.0


class Shifted(datetime.datetime):
    """A `datetime` whose `now` is the shifted one."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        """Now, as the shifted clock has it."""
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Self:
        """Now in UTC, without a zone."""
        return cls.now(datetime.UTC).replace(tzinfo=None)


def install() -> None:
    """Shift every clock that is read through `time` and `datetime` from now on."""
    places: Any = (time, datetime)
    places[0].time = lambda: _real() + offset()
    places[0].time_ns = lambda: _real_ns() + int(offset() * 1e9)
    places[1].datetime = Shifted


if __name__ == "__main__":
    module, sys.argv = sys.argv[2], sys.argv[2:]
    install()
    runpy.run_module(module, run_name="__main__", alter_sys=True)
