"""Bring an index's codes up to date: scan it, send the stale ids as jobs, wait for the workers, add up."""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Protocol

from integration import jobs, problems, scan, state, switch
from integration import recheck as rechecking
from integration.counts import Counts
from integration.dispatch import PATIENCE, Dispatch
from integration.engine.client import Cluster
from integration.manners import Manners
from integration.parcels import Mode, Stale, batches, has_codes, looked_up
from integration.rollcall import RollCall
from integration.settings import Settings
from integration.store import CodeStore
from integration.writer import Key
from mappings.errors import EngineUnavailable, WorkerUnavailable

AGAIN = 5.0  # seconds until an engine that was away is asked again


class Progress(Protocol):
    """Shown to whoever waits."""

    def scanned(self, documents: int) -> None:
        """So many documents were read so far."""

    def started(self, total: int, settled: int = 0) -> None:
        """The scan is over; so many records are to be encoded, and so many need nothing."""

    def advanced(self, counts: Counts) -> None:
        """The counts so far."""

    def waiting(self, message: str) -> None:
        """Something that should answer does not, for now."""


def run(
    cluster: Cluster, known: state.Attached, broker_url: str, settings: Settings, mode: Mode, progress: Progress
) -> Counts:
    """Encode or restore every stale record of an index; interrupted at any point, a second run does the rest.

    Raises SwitchedOff, BrokerUnavailable, WorkerUnavailable and EngineUnavailable (what was written stays), and
    DataError where the engine or a worker refuses the whole work.
    """
    dispatch = _dispatch(cluster, known, broker_url, settings, progress)
    counts = Counts()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        scanning = _Scanning(cluster, known, settings.batch, mode, dispatch, spool, progress)
        progress.started(*_patiently(scanning, counts, progress))
        progress.advanced(counts)  # what was done while the scan went on
        spool.seek(0)
        stale = (_read(line) for line in spool)
        _add_up(dispatch, batches(stale, known, settings.batch, mode), counts, progress)
    problems.forget_gone(cluster, known)
    return counts


def retry(
    cluster: Cluster,
    known: state.Attached,
    broker_url: str,
    settings: Settings,
    keys: Sequence[Key],
    progress: Progress,
) -> Counts:
    """Try these records again, whatever was known of them. Errors as `run`."""
    dispatch = _dispatch(cluster, known, broker_url, settings, progress)
    counts = Counts()
    progress.started(len(keys))
    stale = (Stale(key, 0, kept=False) for key in keys)
    _add_up(dispatch, batches(stale, known, settings.batch, Mode(retry=True)), counts, progress)
    return counts


def recheck(cluster: Cluster, known: state.Attached, broker_url: str, settings: Settings, progress: Progress) -> Counts:
    """Encode anew the records whose pictures changed since they were encoded. Errors as `run`."""
    dispatch = _dispatch(cluster, known, broker_url, settings, progress)
    counts = Counts()
    stale = rechecking.changed(cluster, known, settings)
    _add_up(dispatch, batches(stale, known, settings.batch, Mode(force=True)), counts, progress)
    return counts


def _dispatch(
    cluster: Cluster, known: state.Attached, broker_url: str, settings: Settings, progress: Progress
) -> Dispatch:
    switch.check(cluster, known.index)
    broker = jobs.check_broker(broker_url)
    app = jobs.queue_app(broker_url)
    workers = len(jobs.live_workers(app))
    if not workers:
        raise WorkerUnavailable("no worker answers; start one with `crosshatch worker`, then run this again")
    return Dispatch(
        app,
        broker,
        progress.waiting,
        workers=workers,
        held=Manners(cluster, settings).held,
        give_up=lambda job, error: problems.give_up(cluster, known, job.keys, str(error)),
    )


def _add_up(dispatch: Dispatch, wanted: Iterator[jobs.Job], counts: Counts, progress: Progress) -> None:
    for _, answer in dispatch.run(wanted):
        counts.add(answer)
        progress.advanced(counts)


def dry_run(cluster: Cluster, known: state.Attached, mode: Mode, progress: Progress) -> Counts:
    """What `run` would do, without doing it: `encoded` and `restored` count what is still to come."""
    counts = Counts()
    bundle = known.bundle
    store = CodeStore(cluster, known.store, known.secret, space=known.space, bits=bundle.bits)
    stale: list[str] = []
    for number, record in enumerate(scan.judged(cluster, known), 1):
        if has_codes(record, mode):
            counts.restored += 1
        elif is_work(record, mode):
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


def is_work(record: scan.Judged, mode: Mode) -> bool:
    """Whether a worker must look at a record."""
    return record.verdict == "stale" or mode.force or (mode.retry and record.problem is not None)


def _count_settled(record: scan.Judged, counts: Counts) -> None:
    if record.verdict == "failed" and record.problem:
        counts.failed[record.problem.reason] += 1
        return
    counts.unchanged += 1
    if record.problem:
        counts.partial[record.problem.reason] += 1


@dataclass(frozen=True, slots=True)
class _Scanning:
    """One reading of an index. Jobs leave while it goes on, as far as there is room; the rest waits in `spool`.

    The scan itself waits for nobody: a scroll would not outlive the hours that encoding takes.
    """

    cluster: Cluster
    known: state.Attached
    size: int
    mode: Mode
    dispatch: Dispatch
    spool: IO[str]
    progress: Progress

    def read(self, counts: Counts) -> tuple[int, int]:
        """Read the index once; return how many records are to be done, or done by now, and how many need nothing."""
        total = number = 0
        roll = RollCall(self.cluster, self.known, [self.known.space])
        found = scan.judged(self.cluster, self.known)
        while page := list(islice(found, scan.PAGE)):
            roll.meet(self.known.space, [record.digest for record in page])
            work = [record for record in page if is_work(record, self.mode)]
            self._pass_on(looked_up(self.cluster, self.known, work, self.mode))
            for record in page:
                if not is_work(record, self.mode):
                    _count_settled(record, counts)
            for _, answer in self.dispatch.answers():
                counts.add(answer)
            total, number = total + len(work), number + len(page)
            self.progress.scanned(number)
        roll.close()
        return total, number - total

    def _pass_on(self, stale: Sequence[Stale]) -> None:
        ready = list(batches(stale, self.known, self.size, self.mode))
        if len(ready) <= self.dispatch.room:
            for job in ready:
                self.dispatch.send(job)
            return
        for one in stale:
            self.spool.write(json.dumps([one.key.id, one.key.routing, one.bytes, one.kept]) + "\n")

    def forget(self) -> None:
        """Wait for what was sent, and begin with an empty spool: the next reading finds what is left."""
        for _ in self.dispatch.run(iter(())):
            pass
        self.spool.seek(0)
        self.spool.truncate()


def _patiently(scanning: _Scanning, counts: Counts, progress: Progress) -> tuple[int, int]:
    """Read, from the start again where the engine was away for a while."""
    begun = time.monotonic()
    while True:
        scanned = Counts()
        try:
            found = scanning.read(scanned)
        except EngineUnavailable as error:
            if time.monotonic() - begun > PATIENCE:
                raise
            progress.waiting(f"{error}; reading the index again")
            time.sleep(AGAIN)
            scanning.forget()
        else:
            counts.add(scanned)
            return found


def _read(line: str) -> Stale:
    record, routing, size, kept = json.loads(line)
    return Stale(Key(record, routing), size, kept)
