"""Bring an index's codes up to date: scan it, send the stale ids as jobs, wait for the workers, add up."""

import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from celery import Celery
from celery.result import AsyncResult
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from integration import jobs, scan, state, switch
from integration.counts import Counts
from integration.engine.client import Cluster
from integration.settings import Settings
from integration.store import CodeStore
from integration.writer import Key
from mappings.errors import BrokerUnavailable, CrosshatchError, DataError, EngineUnavailable, WorkerUnavailable

AHEAD = 4  # jobs queued for each worker: enough to keep it busy, few enough to stop soon
STALL = 10.0  # seconds without any answer before the workers are asked what became of the jobs
PATIENCE = 600.0  # seconds without any worker before we give up


class Progress(Protocol):
    """Shown to whoever waits."""

    def scanned(self, documents: int) -> None:
        """So many documents were read so far."""

    def started(self, total: int) -> None:
        """The scan is over; so many records are to be encoded."""

    def advanced(self, counts: Counts) -> None:
        """The counts so far."""

    def waiting(self, message: str) -> None:
        """Something that should answer does not, for now."""


@dataclass(frozen=True, slots=True)
class Mode:
    """`force` encodes anew what is up to date; `retry` tries again what failed with the same content."""

    force: bool = False
    retry: bool = False


def run(
    cluster: Cluster, known: state.Attached, broker_url: str, settings: Settings, mode: Mode, progress: Progress
) -> Counts:
    """Encode or restore every stale record of an index; interrupted at any point, a second run does the rest.

    Raises SwitchedOff, BrokerUnavailable, WorkerUnavailable and EngineUnavailable (what was written stays), and
    DataError where the engine or a worker refuses the whole work.
    """
    switch.check(cluster, known.index)
    broker = jobs.check_broker(broker_url)
    app = jobs.queue_app(broker_url)
    workers = len(jobs.live_workers(app))
    if not workers:
        raise WorkerUnavailable("no worker answers; start one with `crosshatch worker`, then run this again")
    counts = Counts()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        total = _spool_stale(cluster, known, mode, spool, counts, progress)
        progress.started(total)
        spool.seek(0)
        keys = (Key(*json.loads(line)) for line in spool)
        batches = _jobs(keys, known, settings.batch, mode)
        _Dispatch(app, broker, counts, progress, AHEAD * workers).run(batches)
    return counts


def dry_run(cluster: Cluster, known: state.Attached, mode: Mode, progress: Progress) -> Counts:
    """What `run` would do, without doing it: `encoded` and `restored` count what is still to come."""
    counts = Counts()
    bundle = known.bundle
    store = CodeStore(cluster, known.store, known.secret, space=known.space, bits=bundle.bits)
    stale: list[str] = []
    for number, record in enumerate(scan.judged(cluster, known), 1):
        if _is_work(record, mode):
            stale.append(record.digest)
        else:
            _count_settled(record, counts)
        if len(stale) >= scan.PAGE:
            _count_stale(store, stale, counts, mode)
            stale = []
        if number % scan.PAGE == 0:
            progress.scanned(number)
    _count_stale(store, stale, counts, mode)
    return counts


def _count_stale(store: CodeStore, digests: list[str], counts: Counts, mode: Mode) -> None:
    kept = {} if mode.force else store.get(digests)
    restored = sum(digest in kept for digest in digests)
    counts.restored += restored
    counts.encoded += len(digests) - restored


def _is_work(record: scan.Judged, mode: Mode) -> bool:
    """Whether a worker must look at a record."""
    return record.verdict == "stale" or mode.force or (mode.retry and record.problem is not None)


def _count_settled(record: scan.Judged, counts: Counts) -> None:
    if record.verdict == "failed" and record.problem:
        counts.failed[record.problem.reason] += 1
        return
    counts.unchanged += 1
    if record.problem:
        counts.partial[record.problem.reason] += 1


def _spool_stale(
    cluster: Cluster, known: state.Attached, mode: Mode, spool: Any, counts: Counts, progress: Progress
) -> int:
    """Write the keys of what is to be done to `spool`: the scan ends before the encoding, which takes hours."""
    total = 0
    for number, record in enumerate(scan.judged(cluster, known), 1):
        if _is_work(record, mode):
            spool.write(json.dumps([record.key.id, record.key.routing]) + "\n")
            total += 1
        else:
            _count_settled(record, counts)
        if number % scan.PAGE == 0:
            progress.scanned(number)
    return total


def _jobs(keys: Iterator[Key], known: state.Attached, size: int, mode: Mode) -> Iterator[jobs.Job]:
    batch: list[Key] = []
    for key in keys:
        batch.append(key)
        if len(batch) == size:
            yield _job(batch, known, mode)
            batch = []
    if batch:
        yield _job(batch, known, mode)


def _job(batch: list[Key], known: state.Attached, mode: Mode) -> jobs.Job:
    return jobs.Job(uuid.uuid4().hex, known.index, known.uuid, known.space, tuple(batch), mode.force, mode.retry)


@dataclass
class _Dispatch:
    """Keeps a bounded number of jobs in the queue, adds up their answers, and sends again what got lost."""

    app: Celery
    broker: Redis
    counts: Counts
    progress: Progress
    window: int
    flying: dict[str, tuple[jobs.Job, AsyncResult]] = field(default_factory=dict)
    last_answer: float = field(default_factory=time.monotonic)
    last_worker: float = field(default_factory=time.monotonic)
    suspects: set[str] = field(default_factory=set)

    def run(self, batches: Iterator[jobs.Job]) -> None:
        """Send every job of `batches` and wait for all answers."""
        more = True
        try:
            while more or self.flying:
                while more and len(self.flying) < self.window:
                    job = next(batches, None)
                    more = job is not None
                    if job:
                        self._send(job)
                if not self._collect():
                    time.sleep(0.05)
                    if time.monotonic() - max(self.last_answer, self.last_worker) > STALL:
                        self._look_after()
        except (OperationalError, RedisError) as error:
            raise BrokerUnavailable(
                f"the broker went away ({error}); what was encoded is written: start it and run this again"
            ) from error

    def _send(self, job: jobs.Job) -> None:
        result = self.app.send_task(jobs.ENCODE_BATCH, kwargs={"job": job.message()}, retry=False)
        self.flying[result.id] = (job, result)

    def _collect(self) -> bool:
        """Take the answers that have come; whether there were any."""
        done = [task for task, (_, result) in self.flying.items() if result.ready()]
        for task in done:
            _, result = self.flying.pop(task)
            if not result.successful():  # failed, or revoked by an administrator
                raise _failure(result.result)
            self.counts.add(Counts.read(result.result))
            result.forget()
            self.progress.advanced(self.counts)
            self.last_answer = time.monotonic()
        return bool(done)

    def _look_after(self) -> None:
        """No answer for a while: are the workers busy, gone, or did a job die with one?"""
        now = time.monotonic()
        if not jobs.live_workers(self.app, enough=1):
            if now - max(self.last_answer, self.last_worker) > PATIENCE:
                raise WorkerUnavailable(
                    "no worker has answered for ten minutes; start one with `crosshatch worker`, then run this again"
                )
            self.progress.waiting("no worker answers; start one with `crosshatch worker`")
            time.sleep(1.0)
            return
        self.last_worker = now
        if self.broker.llen(jobs.BATCH_QUEUE):
            return  # they are busy with jobs before ours
        held = jobs.running(self.app)
        missing = {task for task, (_, result) in self.flying.items() if task not in held and not result.ready()}
        for task in missing & self.suspects:
            job, _ = self.flying.pop(task)
            self.progress.waiting(f"{len(job.keys)} records were lost with a worker; sending them again")
            self._send(job)
        self.suspects = missing - self.suspects  # lost only if two looks in a row miss it


def _failure(error: object) -> CrosshatchError:
    """A job's failure as it reaches the caller: ours by class, anything else as it says."""
    if isinstance(error, CrosshatchError):
        return error
    if type(error).__name__ == "EngineUnavailable":
        return EngineUnavailable(str(error))
    return DataError(f"a worker gave up on a batch: {type(error).__name__}: {error}; see the worker's log")
