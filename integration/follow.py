"""`crosshatch update INDEX --follow`: find what changes in an index, have it encoded, and never stop finding.

Each shard is read by sequence number from its watermark on, and every document on the way is judged by its digest: a
record that lost its codes, or never had any, is stale whoever wrote it, and our own writes come by and are unchanged.
A watermark moves only over what workers have answered, so nothing is lost with this process or the broker. A full
digest scan is the same reading from the start; it runs beside, where no watermark is valid and once a day.
"""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integration import jobs, problems, scan, state, switch, watermarks
from integration.dispatch import Dispatch
from integration.engine.client import Cluster
from integration.lease import BEAT, Lease
from integration.lines import Line, Shard, Sweep
from integration.pace import Pace
from integration.reindex import Mode, batches, is_work
from integration.settings import Settings
from integration.watermarks import Change, Seen
from integration.writer import Key
from mappings.errors import CrosshatchError, FollowedAlready, NotAttachedError

AHEAD = 50_000  # stale records that may wait in memory for a worker; beyond that, finding waits too
PAGES = 4  # pages that are read of a shard before answers are taken again
AGAIN = 2.0  # seconds until what did not answer is tried again
TELL = 60.0  # seconds between two messages about the same trouble


class Follower:
    """Follows one index. `tell` gets one line for each sweep that did something, and for each trouble."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        broker_url: str,
        settings: Settings,
        tell: Callable[[str], None],
        *,
        retry: bool = False,
    ) -> None:
        self._cluster, self._name, self._settings, self._tell = cluster, name, settings, tell
        self._known = state.attached(cluster, name)
        self._lease = Lease(cluster, self._known.index)
        app, broker = jobs.queue_app(broker_url), jobs.check_broker(broker_url)
        self._dispatch = Dispatch(app, broker, tell, patience=math.inf, retried=(CrosshatchError,))
        self._mode = Mode(retry=retry)
        self._before: Mapping[str, Any] | None = None  # what the last follower knew
        self._shards: dict[int, Shard] = {}
        self._since: dict[int, float] = {}  # a time before the oldest change of a shard that is not read yet
        self._looked = time.monotonic()
        self._next_look = self._next_beat = 0.0
        self._hidden = False  # something was written that no refresh has shown yet
        self._queue: deque[tuple[jobs.Job, Sweep]] = deque()
        self._sweeps: dict[str, Sweep] = {}  # of the jobs that are not answered, by id
        self._stale = 0  # records in these jobs
        self._pace = Pace()
        self._last_scan: float | None = None  # Unix time
        self._trouble = (-TELL, "")

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop`. Raises FollowedAlready, and NotAttachedError where the index is detached."""
        self._before = self._lease.take(lambda seconds: not stop.wait(seconds))
        try:
            pause = 0.0
            while not stop.wait(pause):
                pause = self._patiently()
        finally:
            with contextlib.suppress(CrosshatchError):  # whoever took over, or the engine, has the last word
                self._lease.keep(self.summary() if self._shards else dict(self._before or {}), last=True)

    def _patiently(self) -> float:
        """One step; whatever does not answer is waited for."""
        try:
            return self.step()
        except (FollowedAlready, NotAttachedError):
            raise
        except CrosshatchError as error:
            now = time.monotonic()
            if self._trouble[1] != str(error) or now - self._trouble[0] > TELL:
                self._trouble = (now, str(error))
                self._tell(f"{error}; waiting")
            return AGAIN

    def step(self) -> float:
        """Look, read, send, take answers; return how many seconds may pass until the next step."""
        now = time.monotonic()
        if now >= self._next_beat:
            self._beat()
            self._next_beat = now + BEAT
        if now >= self._next_look:
            self._look()
            self._next_look = now + self._settings.follow_interval
        self._read()
        self._pump()
        if not self._dispatch.idle:
            return 0.02
        if any(line.unread for line in self._lines()):
            return 0.0
        return max(min(self._next_look, self._next_beat) - time.monotonic(), 0.0)

    def _lines(self) -> list[Line]:
        lines = [shard.tail for shard in self._shards.values()]
        return lines + [shard.scan for shard in self._shards.values() if shard.scan]

    def _beat(self) -> None:
        """Tell that we live and how far we are; learn what changed in the state; scan all once in a while."""
        if self._shards:
            self._lease.keep(self.summary())
        known = state.by_name(self._cluster, self._known.index)
        if known is None:
            raise NotAttachedError(f"index {self._known.index} was detached; nothing is left to follow")
        changed = _judging(known) != _judging(self._known)
        if known.uuid == self._known.uuid:
            self._known = known
        if changed:
            self._tell(f"{known.index}: its spaces or its profile changed; scanning all of it")
        late = self._last_scan is not None and abs(time.time() - self._last_scan) > self._settings.follow_scan * 3600
        for shard in self._shards.values():
            if changed or late:
                shard.look_again(needed=changed)
        if late:
            self._last_scan = None

    def _look(self) -> None:
        """See how far each shard has come. What is no longer the shard that was followed is scanned."""
        now = time.monotonic()
        switch.check(self._cluster, self._known.index)
        seen = watermarks.look(self._cluster, self._name)
        if seen.uuid != self._known.uuid:
            self._rebuilt(seen)
        if not self._shards:
            self._begin(seen)
        watermarks.complete(seen, len(self._shards))
        for number, point in seen.points.items():
            shard = self._shards[number]
            if point.checkpoint > shard.tail.end:
                self._hidden = True
                if not shard.tail.unread:
                    self._since[number] = self._looked
            if not shard.meet(point.history, point.checkpoint):
                self._tell(f"{seen.index}: the history of shard {number} changed; scanning all of it")
                self._shards[number] = Shard.unknown(point.history, point.checkpoint)
                self._hidden = True
        self._looked = now

    def _begin(self, seen: Seen) -> None:
        """Go on where the last follower stopped, or, where that says nothing of this index, scan all of it."""
        numbers = range(watermarks.shards(self._cluster, seen.index))
        watermarks.complete(seen, len(numbers))
        kept = self._before or {}
        known = kept.get("uuid") == seen.uuid and kept.get("judging") == _judging(self._known)
        known = known and set(kept["shards"]) == {str(number) for number in numbers}
        if known:
            self._shards = {n: Shard.read(kept["shards"][str(n)]) for n in numbers}
            self._last_scan = kept["last_scan"]
            self._looked = time.monotonic() - max(time.time() - kept["at"], 0.0) - kept["lag_s"]
        else:
            self._shards = {n: Shard.unknown(p.history, p.checkpoint) for n, p in seen.points.items()}
            self._tell(f"{seen.index}: no watermark is known; scanning all of it")
        if self._mode.retry:
            for shard in self._shards.values():
                shard.look_again(needed=True)
        self._hidden = True

    def _rebuilt(self, seen: Seen) -> None:
        """The name stands for another index than before."""
        known = state.attached(self._cluster, self._name)
        self._tell(f"{seen.index} was made anew; following it")
        if known.index != self._known.index:
            self._lease.keep(self.summary(), last=True)
            self._lease = Lease(self._cluster, known.index)
            self._before = self._lease.take(lambda _: True)
        self._known = known
        self._shards, self._since = {}, {}
        self._queue.clear()
        self._sweeps.clear()
        self._stale = 0

    def _read(self) -> None:
        """Read what changed, and of a scan as much as keeps the workers busy."""
        if self._hidden:
            watermarks.refresh(self._cluster, self._known.index)
            self._hidden = False
        for number, shard in self._shards.items():
            for _ in range(PAGES):
                if shard.tail.unread and self._stale < AHEAD:
                    self._sweep(number, shard.tail, self._since.get(number, self._looked))
            if shard.scan and shard.scan.unread and not self._queue:
                self._sweep(number, shard.scan, time.monotonic())

    def _sweep(self, number: int, line: Line, since: float) -> None:
        """Read one page and queue what is stale of it, in every space."""
        hits, end = watermarks.changes(self._cluster, self._known.index, number, line.read, line.end)
        sweep = Sweep(end, since, read=len(hits))
        for space in self._known.spaces:
            seen = self._known.in_space(space)
            keys = self._keys(hits, seen)
            sweep.stale += len(keys)
            for job in batches(keys, seen, self._settings.batch, self._mode):
                sweep.left += 1
                self._sweeps[job.id] = sweep
                self._queue.append((job, sweep))
        self._stale += sweep.stale
        self._pace.found += sweep.stale
        self._pace.sweeps += 1
        line.begin(sweep)

    def _keys(self, hits: Sequence[Change], seen: state.Attached) -> list[Key]:
        """The records of a page that a worker must look at; what failed is tried again when its content changed."""
        judged = [scan.judge(hit, seen, None) for hit in hits]
        doubtful = [one.key.id for one in judged if self._mode.retry or one.verdict == "stale"]
        before = problems.of_records(self._cluster, seen, doubtful)
        again = [
            scan.judge(hit, seen, before[hit.id]) if hit.id in before else one
            for hit, one in zip(hits, judged, strict=True)
        ]
        return [one.key for one in again if is_work(one, self._mode)]

    def _pump(self) -> None:
        """Send jobs, take answers, move the watermarks."""
        while self._queue and self._dispatch.room:
            self._dispatch.send(self._queue.popleft()[0])
        for job, counts in self._dispatch.answers():
            sweep = self._sweeps.pop(job.id, None)
            if sweep:  # else of an index that was dropped since
                sweep.left -= 1
                sweep.counts.add(counts)
                self._pace.counts.add(counts)
                self._stale -= len(job.keys)
        scanning = any(shard.scan for shard in self._shards.values())
        for number, shard in self._shards.items():
            for sweep in shard.settle():
                if sweep.stale:
                    self._tell(self._line(number, sweep))
        if scanning and not any(shard.scan for shard in self._shards.values()):
            self._last_scan, self._mode = time.time(), Mode()
            self._tell(f"{self._known.index}: the full scan is over")

    def _line(self, number: int, sweep: Sweep) -> str:
        counts, seconds = sweep.counts, time.monotonic() - sweep.since
        return (
            f"{self._known.index} shard {number}: {sweep.stale} stale of {sweep.read}, encoded {counts.encoded}, "
            f"restored {counts.restored}, unchanged {counts.unchanged}, failed {counts.failed.total()}, {seconds:.1f} s"
        )

    def summary(self) -> dict[str, Any]:
        """What is kept of this follower in the state."""
        return {
            "uuid": self._known.uuid,
            "judging": _judging(self._known),
            "shards": {str(number): shard.message() for number, shard in self._shards.items()},
            "last_scan": self._last_scan,
            "stale": self._stale,
            "unread": sum(shard.tail.end - shard.tail.read for shard in self._shards.values()),
            "lag_s": round(self.lag(), 3),
            "rates": self._pace.rates(),
        }

    def lag(self) -> float:
        """Seconds that the oldest change without its code may be old at most."""
        now = time.monotonic()
        oldest = [sweep.since for line in self._lines() for sweep in line.open if sweep.left]
        oldest += [self._since.get(n, now) for n, shard in self._shards.items() if shard.tail.unread]
        return now - min(oldest, default=now)


def _judging(known: state.Attached) -> dict[str, str]:
    """What the digests of an index depend on: a change of it makes every record stale."""
    return {"profile": known.profile.sha256} | {f"space {n}": b.digest for n, b in known.spaces.items()}
