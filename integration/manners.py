"""Manners of whatever writes to a catalogue's index: a rate, quiet hours, back-off, and room in heap and on disk.

`admit` waits, and so comes before documents are read: no wait may lie between the read and the write. Right before
the write there is only time for `confirm`, which raises.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis

from integration import quiet_hours
from integration.engine.client import Cluster
from integration.pressure import FRESH, Pressure
from integration.rate import Rate
from integration.settings import Settings
from mappings.errors import EngineUnavailable, HeldBack

PATIENCE = 30.0  # seconds that a process waits before the work is put back
LATER = 60.0  # seconds after which what was put back is tried again; far below the broker's visibility timeout
FIRST, LONGEST = 0.5, 30.0  # seconds of back-off: after the first refusal, and at most
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Hold:
    seconds: float
    why: str


class Manners:
    """One a process, shared by its batches. `broker` is asked only where there is a rate; without one, there is none.

    Not for several threads at once.
    """

    def __init__(self, cluster: Cluster, settings: Settings, broker: Callable[[], Redis] | None = None) -> None:
        self._quiet = settings.quiet_hours
        self._pressure = Pressure(cluster, settings.heap_limit, settings.disk_limit)
        self._rate = Rate(broker(), settings.write_rate) if broker and settings.write_rate else None
        self._refusals = 0
        self._free = 0.0  # monotonic time until which the back-off lasts

    def admit(self, documents: int, allowed: Callable[[], None] = lambda: None) -> None:
        """Wait until so many documents may be written.

        `allowed` is asked every second and raises to stop. Raises HeldBack where it takes longer than `PATIENCE`.
        """
        allowed()
        self._wait_out(allowed)
        seconds = self._rate.take(documents, PATIENCE) if self._rate and documents else 0.0
        if seconds > PATIENCE:
            raise HeldBack(f"the rate of writing is used up for {seconds:.0f} seconds", seconds)
        _sleep(seconds, allowed)

    def confirm(self, allowed: Callable[[], None] = lambda: None) -> None:
        """Pass where what was admitted may still be written. Raises HeldBack, or what `allowed` raises."""
        allowed()
        hold = self._hold()
        if hold:
            raise HeldBack(hold.why, max(hold.seconds, FRESH))

    def held(self) -> str | None:
        """What keeps everybody from writing right now, in words: for those who send work."""
        try:
            hold = self._hold()
        except EngineUnavailable:  # who does the work meets it too, and says so better
            return None
        return hold.why if hold else None

    def refused(self) -> None:
        """The engine was too busy: everybody of this process waits, twice as long each time."""
        wait = min(FIRST * 2**self._refusals, LONGEST)
        self._refusals = min(self._refusals + 1, 16)
        self._free = time.monotonic() + wait * random.uniform(0.5, 1.0)  # noqa: S311 - so that workers part

    def taken(self) -> None:
        """The engine took a write: the back-off is over."""
        self._refusals = 0

    def _wait_out(self, allowed: Callable[[], None]) -> None:
        deadline = time.monotonic() + PATIENCE
        told = ""
        while hold := self._hold():
            if time.monotonic() + min(hold.seconds, FRESH) > deadline or hold.seconds > PATIENCE:
                raise HeldBack(hold.why, max(hold.seconds, FRESH))
            if hold.why != told:
                told = hold.why
                _log.warning("waiting: %s", hold.why)
            _sleep(hold.seconds, allowed)

    def _hold(self) -> _Hold | None:
        """What stands against a write right now."""
        quiet = quiet_hours.left(self._quiet)
        if quiet:
            return _Hold(quiet, f"these are quiet hours ({', '.join(map(str, self._quiet))})")
        busy = self._free - time.monotonic()
        if busy > 0:
            return _Hold(busy, "the engine was too busy")
        full = self._pressure.found()
        return _Hold(FRESH, full) if full else None


def _sleep(seconds: float, allowed: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))
        allowed()
