"""What was noticed, by index: ids that wait, sweeps that are due, jobs on their way. One thread works it off.

Where a follower lives, it finds the same changes within a second: then nothing is sent, so that no record is read
twice. A record that is up to date is written by no worker, so noticing our own writes could not go round in circles.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from celery import Celery
from redis import Redis

from integration import jobs, lease, reattach, scan, state, switch, watermarks
from integration.counts import Counts
from integration.dispatch import Dispatch
from integration.engine.client import Cluster, part
from integration.gateway.going_on import GoingOn
from integration.gateway.writes import EVERY, Record, Written
from integration.jobs import Job
from integration.lines import Shard
from integration.manners import Manners
from integration.parcels import Mode, Stale, batches, looked_up
from integration.reindex import is_work
from integration.settings import Settings
from integration.writer import Key
from mappings.errors import CrosshatchError, NotAttachedError, UnknownIndexError

MOST_PENDING = 20_000  # ids of an index that wait; beyond that it is swept
MOST_UNSORTED = 100  # requests that are read, and wait for the engine to say what they mean
FRESH = 2.0  # seconds that it is believed which indices are attached
SWEEP_EVERY = 5.0  # seconds between two sweeps of an index: each refreshes it


class Noticed:
    """`add` what was written, `step` again and again. `counts` is for metrics."""

    def __init__(self, cluster: Cluster, broker_url: str, settings: Settings, tell: Callable[[str], None]) -> None:
        self._cluster, self._settings, self._tell = cluster, settings, tell
        self._broker_url = broker_url
        self._app = jobs.queue_app(broker_url)
        self._broker: Redis | None = None
        self._indices: dict[str, _Index] = {}
        self._read = -FRESH
        self._moved = False
        self._written: list[Written] = []
        self._strange: list[Record] = []  # of indices that may have been attached since the last look
        self._going_on = GoingOn(cluster)
        self.counts: Counter[str] = Counter()

    @property
    def room(self) -> bool:
        """Whether more may be added before the next step."""
        return len(self._written) < MOST_UNSORTED

    def add(self, written: Written) -> None:
        """Take what one request wrote; nothing is asked yet."""
        if written.records or written.swept or written.moved:
            self._written.append(written)

    def step(self) -> None:
        """Sort what came by index, and take each index one step on. Raises what the engine or the broker is at."""
        if self._written or self._strange:
            if self._look():
                strange, self._strange = self._strange, []
                for record in strange:
                    if index := self._indices.get(record.index):
                        index.add(record)
            while self._written:
                self._sort(self._written[-1])
                self._written.pop()
        troubles = []
        try:
            self._sweep(self._going_on.written())
        except CrosshatchError as error:
            troubles.append(error)
        for index in list(self._indices.values()):
            try:
                index.step(moved=self._moved)
            except CrosshatchError as error:
                troubles.append(error)
        self._moved = self._moved and bool(troubles)
        if troubles:
            raise troubles[0]

    def _look(self) -> bool:
        """Find out which indices are attached now; whether that was asked anew."""
        if time.monotonic() - self._read < FRESH:
            return False
        broker = jobs.check_broker(self._broker_url) if self._broker is None else self._broker  # may come after us
        self._broker = broker
        found = {known.index: known for known in state.every(self._cluster)}
        self._indices = {name: one for name, one in self._indices.items() if name in found}
        for name, known in found.items():
            if name in self._indices:
                self._indices[name].meet(known)
            else:
                self._indices[name] = _Index(
                    self._cluster, self._app, broker, self._settings, self._tell, known, self.counts
                )
        self._read = time.monotonic()
        return True

    def _sort(self, written: Written) -> None:
        for record in written.records:
            if index := self._indices.get(record.index):
                index.add(record)
            elif len(self._strange) < MOST_PENDING:
                self._strange.append(record)
        self._sweep(written.swept)
        if written.task is not None:
            self._going_on.add(written.task, written.swept)
        self._moved = self._moved or written.moved

    def _sweep(self, expressions: Iterable[str]) -> None:
        for expression in expressions:
            for name in self._behind(expression):
                self._indices[name].due = True

    def _behind(self, expression: str) -> list[str]:
        """The attached indices that an index expression means."""
        if expression == EVERY or not self._indices:
            return list(self._indices)
        params = {"filter_path": "*.settings.index.uuid", "ignore_unavailable": "true"}
        try:
            found = self._cluster.request("GET", f"/{part(expression)}/_settings", params=params)
        except UnknownIndexError:
            return []
        return [name for name in found or {} if name in self._indices]


class _Index:
    """One attached index. `due`: it is to be swept."""

    def __init__(
        self,
        cluster: Cluster,
        app: Celery,
        broker: Redis,
        settings: Settings,
        tell: Callable[[str], None],
        known: state.Attached,
        counts: Counter[str],
    ) -> None:
        self._cluster, self._known, self._settings, self._counts = cluster, known, settings, counts
        self._tell, held = tell, Manners(cluster, settings).held
        self._dispatch = Dispatch(
            app, broker, tell, patience=math.inf, retried=(CrosshatchError,), held=held, give_up=self._give_up
        )
        self._pending: dict[Key, None] = {}
        self._sweep: Iterator[Job] = iter(())
        self._swept = -SWEEP_EVERY
        self._shards: dict[int, Shard] = {}
        self._judging = watermarks.judging(known)
        self.due = False

    def meet(self, known: state.Attached) -> None:
        """What the state says now."""
        self._known = known

    def add(self, record: Record) -> None:
        """A record that was written."""
        self._counts["records"] += 1
        if len(self._pending) >= MOST_PENDING:
            self._pending.clear()
            self.due = True
        self._pending[Key(record.id, record.routing)] = None

    def step(self, *, moved: bool) -> None:
        """Send what there is room for, and take answers. `moved`: the name may mean another index now."""
        if moved or self._pending or self.due:
            self._prepare()
        try:
            while self._dispatch.room and (job := next(self._sweep, None)):
                self._send(job)
        except CrosshatchError:
            self.due = True  # from where the last sweep ended
            raise
        if not self._dispatch.idle:
            self._dispatch.answers()

    def _give_up(self, job: Job, error: CrosshatchError) -> Counts:
        """A job that breaks every worker: its records stay stale, and `update` writes down which of them does it."""
        self._counts["gave_up"] += len(job.keys)
        self._tell(f"{self._known.index}: {error}; {len(job.keys)} records are left to `crosshatch update`")
        return Counts()

    def _send(self, job: Job) -> None:
        self._dispatch.send(job)
        self._counts["jobs"] += 1

    def _prepare(self) -> None:
        """Turn what waits into jobs, unless a follower does the same or the jobs before have not left yet."""
        if self._is_followed():
            self._counts["followed"] += len(self._pending)
            self._pending.clear()
            self.due, self._shards = False, {}
            return
        if not self._is_there():  # whoever writes to it when it is made is noticed again
            self._pending.clear()
            self.due = False
            return
        if not self._dispatch.room:
            return
        switch.check(self._cluster, self._known.index)
        if self._pending and self._is_routed():
            self._pending.clear()  # an answer does not tell the routing: the sweep does
            self.due = True
        while self._pending and self._dispatch.room:
            stale = [Stale(key, 0, kept=False) for key in islice(self._pending, self._settings.batch)]
            for space in self._known.spaces:
                for job in batches(stale, self._known.in_space(space), self._settings.batch, Mode()):
                    self._send(job)
            for one in stale:
                del self._pending[one.key]
        if self.due and time.monotonic() - self._swept > SWEEP_EVERY:
            self._begin_sweep()

    def _is_there(self) -> bool:
        """Whether the name still means the index that is known; what was made anew is attached again, and swept."""
        name = self._known.called or self._known.index
        try:
            if state.concrete(self._cluster, name) == (self._known.index, self._known.uuid):
                return True
            again = reattach.current(self._cluster, name, self._known)
        except (UnknownIndexError, NotAttachedError):
            again = None
        if again is None:  # dropped, or its owner is still making it
            return False
        self._known, self._shards, self.due = again, {}, True
        self._pending.clear()
        return True

    def _is_followed(self) -> bool:
        kept = lease.stored(self._cluster, self._known.index)
        return bool(kept and kept.get("owner") and abs(time.time() - kept["at"]) < lease.DEAD)

    def _is_routed(self) -> bool:
        if all(key.routing for key in self._pending):
            return False
        body = {"query": {"exists": {"field": "_routing"}}, "size": 0, "terminate_after": 1, "track_total_hits": 1}
        found = self._cluster.request("POST", f"/{part(self._known.index)}/_search", body=body)
        return bool(found["hits"]["total"]["value"])

    def _begin_sweep(self) -> None:
        """Look where every shard is now, and read from the last look up to there."""
        self._swept = time.monotonic()
        seen = watermarks.look(self._cluster, self._known.index)
        watermarks.complete(seen, watermarks.shards(self._cluster, self._known.index))
        judging = watermarks.judging(self._known)
        met = {
            number: self._shards[number]
            for number, point in seen.points.items()
            if number in self._shards and self._shards[number].meet(point.history, point.checkpoint)
        }
        if self._judging != judging or len(met) != len(seen.points):
            met = {n: Shard.unknown(p.history, p.checkpoint) for n, p in seen.points.items()}
        self._judging, self.due = judging, False
        self._counts["sweeps"] += 1
        self._sweep = self._found(met)

    def _found(self, shards: dict[int, Shard]) -> Iterator[Job]:
        """The jobs of a sweep, found as they are asked for; how far it came is known once all are."""
        for space in self._known.spaces:
            known = self._known.in_space(space)
            judged = watermarks.judged_since(self._cluster, known, shards)
            while page := list(islice(judged, scan.PAGE)):
                work = [one for one in page if is_work(one, Mode())]
                yield from batches(looked_up(self._cluster, known, work, Mode()), known, self._settings.batch, Mode())
        for shard in shards.values():
            shard.tail.done = shard.tail.read = shard.tail.end
            shard.scan, shard.needed = None, False
        self._shards = shards
