"""How far the history of a shard has been read, and how far of that is answered. Pure bookkeeping.

A sweep is one page of changes. Several may be under way; a line's `done` moves to the end of a sweep only when it and
all before it are answered, so that whatever is lost with the broker is read again.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from integration.counts import Counts


@dataclass(slots=True, eq=False)
class Sweep:
    """One page of changes: up to which sequence number it read, and what became of its stale records.

    `since` is a time (monotonic seconds) that none of its changes is older than.
    """

    end: int
    since: float
    read: int = 0
    stale: int = 0
    left: int = 0  # jobs that are not answered yet
    counts: Counts = field(default_factory=Counts)

    def told(self) -> str:
        """One line for whoever watches."""
        counts, seconds = self.counts, time.monotonic() - self.since
        return (
            f"{self.stale} stale of {self.read}, encoded {counts.encoded}, restored {counts.restored}, "
            f"unchanged {counts.unchanged}, failed {counts.failed.total()}, {seconds:.1f} s"
        )


@dataclass(slots=True)
class Line:
    """Sequence numbers from `done` (answered) over `read` to `end` (known to be there); -1 stands before the first."""

    done: int
    end: int
    read: int = field(init=False)
    open: deque[Sweep] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.read = self.done

    @property
    def unread(self) -> bool:
        """Whether there is more to read."""
        return self.read < self.end

    @property
    def finished(self) -> bool:
        """Whether everything was read and answered."""
        return self.done >= self.end

    def begin(self, sweep: Sweep) -> None:
        """Note that everything up to the end of `sweep` was read."""
        self.read = sweep.end
        self.open.append(sweep)

    def settle(self) -> list[Sweep]:
        """Move `done` over the sweeps that are answered, in order; return them."""
        settled = []
        while self.open and not self.open[0].left:
            settled.append(self.open.popleft())
            self.done = settled[-1].end
        return settled


@dataclass(slots=True)
class Shard:
    """One shard: its changes (`tail`), and a full digest scan (`scan`) where one is under way.

    `needed` tells a scan without which nothing is known of the shard from one that only looks once more.
    """

    history: str
    tail: Line
    scan: Line | None = None
    needed: bool = False

    @classmethod
    def unknown(cls, history: str, checkpoint: int) -> Self:
        """A shard of which nothing is known: all of it must be scanned, and what changes from now on is followed."""
        return cls(history, Line(checkpoint, checkpoint), Line(-1, checkpoint), needed=True)

    def meet(self, history: str, checkpoint: int) -> bool:
        """Note how far the shard has come; False where it is no longer the one that was followed."""
        if history != self.history or checkpoint < self.tail.end:
            return False
        self.tail.end = checkpoint
        return True

    def look_again(self, *, needed: bool = False) -> None:
        """Begin a full scan of what is behind the tail; one under way goes on, unless this one is `needed`."""
        if needed or self.scan is None:
            self.scan, self.needed = Line(-1, self.tail.read), needed

    def settle(self) -> list[Sweep]:
        """The sweeps that are answered now; a scan that is over is forgotten."""
        settled = self.tail.settle()
        if self.scan:
            settled += self.scan.settle()
            if self.scan.finished:
                self.scan, self.needed = None, False
        return settled

    def message(self) -> dict[str, Any]:
        """As JSON: what must be known to go on after this process."""
        scan = {"done": self.scan.done, "end": self.scan.end, "needed": self.needed} if self.scan else None
        return {"history": self.history, "checkpoint": self.tail.done, "scan": scan}

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Self:
        """Read what `message` wrote."""
        checkpoint, scan = message["checkpoint"], message["scan"]
        line = Line(scan["done"], scan["end"]) if scan else None
        return cls(message["history"], Line(checkpoint, checkpoint), line, bool(scan and scan["needed"]))


def restored(kept: Mapping[str, Any] | None, uuid: str, judging: Mapping[str, str]) -> dict[int, Shard]:
    """The shards that a follower kept of this index; none where it kept nothing, or judged by something else."""
    if not kept or kept.get("uuid") != uuid or kept.get("judging") != judging:
        return {}
    return {int(number): Shard.read(shard) for number, shard in kept["shards"].items()}
