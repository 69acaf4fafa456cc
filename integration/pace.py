"""What a follower has done since it began, and how fast."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from integration.counts import Counts

WINDOW = 60.0  # seconds that rates are measured over
EVERY = 1.0  # seconds between two marks


@dataclass(slots=True)
class Pace:
    """Totals since the start: stale records found, what became of them, pages that were read."""

    found: int = 0
    sweeps: int = 0
    counts: Counts = field(default_factory=Counts)
    _marks: deque[tuple[float, int, int, int]] = field(default_factory=deque)

    def rates(self) -> dict[str, float]:
        """Records a second over the last minute: found, encoded, restored."""
        now = (time.monotonic(), self.found, self.counts.encoded, self.counts.restored)
        if not self._marks or now[0] - self._marks[-1][0] >= EVERY:
            self._marks.append(now)
        while now[0] - self._marks[0][0] > WINDOW:
            self._marks.popleft()
        first = self._marks[0]
        seconds = max(now[0] - first[0], EVERY)
        names = ("found", "encoded", "restored")
        return {name: round((now[n] - first[n]) / seconds, 3) for n, name in enumerate(names, 1)}

    def message(self) -> dict[str, Any]:
        """The totals, by name."""
        return {**self.counts.message(), "found": self.found, "sweeps": self.sweeps}
