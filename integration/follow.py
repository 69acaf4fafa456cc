"""`crosshatch update INDEX --follow`: find what changes in an index, have it encoded, and never stop finding.

Each shard is read by sequence number from its watermark on, and every document on the way is judged by its digest: a
record that lost its codes, or never had any, is stale whoever wrote it, and our own writes come by and are unchanged.
A watermark moves only over what workers have answered, so nothing is lost with this process or the broker. A full
digest scan is the same reading from the start; it runs beside, where no watermark is valid and once a day.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integration import jobs, lines, problems, reattach, scan, state, switch, watermarks
from integration.engine.client import Cluster
from integration.lease import BEAT, Lease
from integration.lines import Line, Shard, Sweep
from integration.manners import Manners
from integration.outstanding import Outstanding, endless
from integration.pace import Pace
from integration.parcels import Mode, Stale, batches, looked_up
from integration.reindex import is_work
from integration.rollcall import RollCall
from integration.settings import Settings
from integration.watermarks import Change, Seen, judging
from mappings.errors import CrosshatchError, FollowedAlready, NotAttachedError, UnknownIndexError

AHEAD = 50_000  # stale records that may wait in memory for a worker; beyond that, finding waits too
PAGES = 4  # pages that are read of a shard before answers are taken again
AGAIN = 2.0  # seconds until what did not answer is tried again
TELL = 60.0  # seconds between two messages about the same trouble


class Follower:
    """Follows one index.

    `tell` gets one line for each sweep that did something, and for each trouble; `show` all counts, at every look.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        broker_url: str,
        settings: Settings,
        tell: Callable[[str], None],
        *,
        retry: bool = False,
        show: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> None:
        self._show = show
        self._cluster, self._name, self._settings, self._tell = cluster, name, settings, tell
        self._known = _found(reattach.current(cluster, name), name)
        self._judging = judging(self._known)  # what every record was, or will be by a scan that has begun, judged by
        self._lease = Lease(cluster, self._known.index)
        app, broker = jobs.queue_app(broker_url), jobs.check_broker(broker_url)
        held = Manners(cluster, settings).held
        self._outstanding = Outstanding(endless(app, broker, tell, held, cluster, lambda: self._known))
        self._mode = Mode(retry=retry)
        self._before: Mapping[str, Any] | None = None  # what the last follower knew
        self._shards: dict[int, Shard] = {}
        self._since: dict[int, float] = {}  # a time before the oldest change of a shard that is not read yet
        self.looked = time.monotonic()  # the last time that we saw where every shard is
        self._next_look = self._next_beat = 0.0
        self._hidden = False  # something was written that no refresh has shown yet
        self._pages = watermarks.Pages(cluster)
        self._pace = Pace()
        self._last_scan: float | None = None  # Unix time
        self._roll: RollCall | None = None  # of a full scan that began in this process
        self._trouble = (-TELL, "")
        self._detached = False

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop`. Raises FollowedAlready, and NotAttachedError where the index is detached."""
        self.begin(lambda seconds: not stop.wait(seconds))
        try:
            pause = 0.0
            while not stop.wait(pause):
                pause = self.patiently()
        finally:
            self.end()

    def begin(self, wait: Callable[[float], bool]) -> None:
        """Become the one follower of the index; `wait` as `Lease.take` wants it. Raises FollowedAlready."""
        self._wait = wait
        self._before = self._lease.take(wait)

    def end(self) -> None:
        """Keep how far we came; the next follower need not wait."""
        kept = self.summary() if self._shards else dict(self._before or {})
        with contextlib.suppress(CrosshatchError):  # whoever took over, or the engine, has the last word
            if not self._detached:
                self._lease.keep(kept, last=True)

    def patiently(self) -> float:
        """One step; whatever does not answer is waited for."""
        try:
            return self.step()
        except FollowedAlready:
            raise
        except CrosshatchError as error:
            if self._detached:
                raise
            now = time.monotonic()
            if self._trouble[1] != str(error) or now - self._trouble[0] > TELL:
                self._trouble = (now, str(error))
                self._tell(f"{error}; waiting")
            return AGAIN

    def hurry(self) -> None:
        """Let the next step look at everything."""
        self._next_look = self._next_beat = 0.0

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
        if not self._outstanding.idle:
            return 0.02
        if any(line.unread for line in self._lines()):
            return 0.0
        return max(min(self._next_look, self._next_beat) - time.monotonic(), 0.0)

    def _lines(self) -> list[Line]:
        tails = [shard.tail for shard in self._shards.values()]
        return tails + [shard.scan for shard in self._shards.values() if shard.scan]

    def _beat(self) -> None:
        """Tell that we live and how far we are; learn what changed in the state; scan all once in a while."""
        try:
            self._identify()
            self._scan_where_due()  # before what it says is kept
        finally:  # also while there is nothing to follow
            if self._shards and not self._detached:
                self._lease.keep(self.summary())

    def _scan_where_due(self) -> None:
        changed = judging(self._known) != self._judging
        if changed and self._shards:
            self._tell(f"{self._known.index}: its spaces or its profile changed; scanning all of it")
        late = self._last_scan is not None and abs(time.time() - self._last_scan) > self._settings.follow_scan * 3600
        if changed or late:
            self._last_scan = None
            if self._shards and not any(shard.scan for shard in self._shards.values()):
                self._roll = RollCall(self._cluster, self._known, self._known.spaces)
            for shard in self._shards.values():
                shard.look_again(needed=changed)
        self._judging = judging(self._known)

    def _look(self) -> None:
        """See how far each shard has come. What is no longer the shard that was followed is scanned."""
        now = time.monotonic()
        switch.check(self._cluster, self._known.index)
        seen = watermarks.look(self._cluster, self._name)
        if seen.uuid != self._known.uuid:
            self._identify()
        if not self._shards:
            self._begin(seen)
        watermarks.complete(seen, len(self._shards))
        for number, point in seen.points.items():
            shard = self._shards[number]
            if point.checkpoint > shard.tail.end:
                self._hidden = True
                if not shard.tail.unread:
                    self._since[number] = self.looked
            if not shard.meet(point.history, point.checkpoint):
                self._tell(f"{seen.index}: the history of shard {number} changed; scanning all of it")
                self._shards[number] = Shard.unknown(point.history, point.checkpoint)
                self._hidden = True
        self.looked = now
        self._show(self.summary() | self._pace.message())

    def _begin(self, seen: Seen) -> None:
        """Go on where the last follower stopped, or, where that says nothing of this index, scan all of it."""
        numbers = range(watermarks.shards(self._cluster, seen.index))
        watermarks.complete(seen, len(numbers))
        self._judging = judging(self._known)
        shards = lines.restored(self._before, seen.uuid, self._judging)
        if self._before and set(shards) == set(numbers):
            self._shards, self._last_scan = shards, self._before["last_scan"]
            away = max(time.time() - self._before["at"], 0.0)
            self.looked = time.monotonic() - away - self._before["lag_s"]
        else:
            self._shards = {n: Shard.unknown(p.history, p.checkpoint) for n, p in seen.points.items()}
            self._roll = RollCall(self._cluster, self._known, self._known.spaces)
            self._tell(f"{seen.index}: no watermark is known; scanning all of it")
        if self._mode.retry:
            for shard in self._shards.values():
                shard.look_again(needed=True)
        self._hidden = True
        self._next_beat = 0.0  # what is known now is worth keeping

    def _identify(self) -> None:
        """Learn which index the name stands for now, and what is known of it."""
        try:
            known = _found(reattach.current(self._cluster, self._name, self._known), self._name)
        except NotAttachedError:
            self._detached = state.by_name(self._cluster, self._known.index) is None
            raise
        if known.uuid != self._known.uuid:
            self._tell(f"{known.index} was made anew; following it")
            self._shards, self._since, self._roll = {}, {}, None
            self._outstanding.forget()
        if known.index != self._known.index:
            self.end()
            self._lease = Lease(self._cluster, known.index)
            self.begin(self._wait)
        self._known = known

    def _read(self) -> None:
        """Read what changed, and of a scan as much as keeps the workers busy."""
        if self._hidden:
            watermarks.refresh(self._cluster, self._known.index)
            self._hidden = False
        for number, shard in self._shards.items():
            for _ in range(PAGES):
                if shard.tail.unread and self._outstanding.records < AHEAD:
                    self._sweep(number, shard.tail, self._since.get(number, self.looked))
            if shard.scan and shard.scan.unread and not self._outstanding.unsent:
                self._sweep(number, shard.scan, time.monotonic())

    def _sweep(self, number: int, line: Line, since: float) -> None:
        """Read one page and queue what is stale of it, in every space."""
        hits, end = self._pages.read(self._known.index, number, line.read, line.end)
        sweep = Sweep(end, since, read=len(hits))
        for space in self._known.spaces:
            seen = self._known.in_space(space)
            self._outstanding.add(sweep, batches(self._keys(hits, seen), seen, self._settings.batch, self._mode))
        self._pace.found += sweep.stale
        self._pace.sweeps += 1
        line.begin(sweep)

    def _keys(self, hits: Sequence[Change], seen: state.Attached) -> list[Stale]:
        """The records of a page that a worker must look at; what failed is tried again when its content changed."""
        judged = [scan.judge(hit, seen, None) for hit in hits]
        if self._roll:  # what is written while the scan goes on was perhaps met by no page of it
            self._roll.meet(seen.space, [one.digest for one in judged])
        doubtful = [one.key.id for one in judged if self._mode.retry or one.verdict == "stale"]
        before = problems.of_records(self._cluster, seen, doubtful)
        again = [
            scan.judge(hit, seen, before[hit.id]) if hit.id in before else one
            for hit, one in zip(hits, judged, strict=True)
        ]
        work = [one for one in again if is_work(one, self._mode)]
        return looked_up(self._cluster, seen, work, self._mode)

    def _pump(self) -> None:
        """Send jobs, take answers, move the watermarks."""
        self._pace.counts.add(self._outstanding.pump())
        scanning = any(shard.scan for shard in self._shards.values())
        for number, shard in self._shards.items():
            for sweep in shard.settle():
                if sweep.stale:
                    self._tell(f"{self._known.index} shard {number}: {sweep.told()}")
        if scanning and not any(shard.scan for shard in self._shards.values()):
            self._last_scan, self._mode = time.time(), Mode()
            if self._roll:
                self._roll.close()
            self._roll = None
            self._tell(f"{self._known.index}: the full scan is over")

    def summary(self) -> dict[str, Any]:
        """What is kept of this follower in the state."""
        return {
            "uuid": self._known.uuid,
            "judging": self._judging,
            "shards": {str(number): shard.message() for number, shard in self._shards.items()},
            "last_scan": self._last_scan,
            "scanning": any(shard.scan for shard in self._shards.values()),
            "stale": self._outstanding.records,
            "unread": sum(shard.tail.end - shard.tail.read for shard in self._shards.values()),
            "lag_s": round(max(self._oldest(), self._unread_since()), 3),
            "oldest_stale_s": round(self._oldest(), 3),
            "rates": self._pace.rates(),
        }

    def _oldest(self) -> float:
        """Seconds that the oldest change of a stale record may be old at most, or since a scan found the record."""
        now = time.monotonic()
        return now - min((sweep.since for line in self._lines() for sweep in line.open if sweep.left), default=now)

    def _unread_since(self) -> float:
        now = time.monotonic()
        unread = (self._since.get(n, now) for n, shard in self._shards.items() if shard.tail.unread)
        return now - min(unread, default=now)


def _found(known: state.Attached | None, name: str) -> state.Attached:
    if known is None:
        raise UnknownIndexError(f"there is no index {name}, or its owner is still making it; see GET _cat/indices")
    return known
