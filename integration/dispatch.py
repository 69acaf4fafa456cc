"""Jobs on their way: a bounded number is kept in the queue, answers are taken, and what got lost is sent again.

It outlives the broker: one that is killed, restarted or wiped is waited for, and then every job that is neither queued
nor held by a worker goes out again. A job sent twice writes the same bytes, so sending again is always safe.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from celery import Celery
from celery.exceptions import TaskRevokedError
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from integration import jobs
from integration.counts import Counts
from mappings.errors import (
    BrokerUnavailable,
    CrosshatchError,
    DataError,
    EngineUnavailable,
    WorkerGaveUp,
    WorkerUnavailable,
)

AHEAD = 4  # jobs queued for each worker: enough to keep it busy, few enough to stop soon
STALL = 10.0  # seconds a job may be silent before the workers are asked what became of it
SOON = 2.0  # seconds until the second look, which decides
PATIENCE = 600.0  # seconds without broker, engine or worker before we give up
TELL = 30.0  # seconds between two messages about the same trouble
TRIES = 10  # times that a job may break its worker; each but the first finds one record that does
LATER = 5.0  # seconds until a job that failed is sent again
_BROKEN = (OperationalError, RedisError)
_AWAY = {"EngineUnavailable", "ConnectionError", "TimeoutError"}  # by name: of the engine, and of Redis


@dataclass(slots=True)
class _Flight:
    """A job that was sent, and when it was last known to be in the queue or with a worker."""

    job: jobs.Job
    seen: float
    suspect: bool = False


class Dispatch:
    """Jobs in, answers out. `waiting` is told what is waited for, `patience` is how long (infinite: for ever).

    `retried` are the failures after which a job is sent again; any other is raised. `held` says why no job may be sent
    now. A job that broke its worker is sent again too, and then `give_up` counts its records; without it, that raises.
    """

    def __init__(
        self,
        app: Celery,
        broker: Redis,
        waiting: Callable[[str], None],
        *,
        workers: int = 1,
        patience: float = PATIENCE,
        retried: tuple[type[CrosshatchError], ...] = (EngineUnavailable, BrokerUnavailable),
        held: Callable[[], str | None] = lambda: None,
        give_up: Callable[[jobs.Job, CrosshatchError], Counts] | None = None,
    ) -> None:
        self._app, self._broker, self._waiting = app, broker, waiting
        self._patience, self._retried, self._held = patience, retried, held
        self._window = AHEAD * workers
        self._unsent: list[tuple[float, jobs.Job]] = []  # with the time before which it must not go
        self._flying: dict[str, _Flight] = {}
        self._give_up = give_up or _raise
        self._failures: Counter[str] = Counter()  # of a worker, by job
        self._look = 0.0
        self._told = (0.0, "")
        self._well = time.monotonic()  # when broker and workers last answered
        self._answered = self._well  # when a job last did

    @property
    def room(self) -> int:
        """How many more jobs may be given to `send`."""
        return max(self._window - len(self._flying) - len(self._unsent), 0)

    @property
    def idle(self) -> bool:
        """Whether every job was answered."""
        return not self._flying and not self._unsent

    def send(self, job: jobs.Job) -> None:
        """Take a job; it leaves with the next `answers`."""
        self._unsent.append((0.0, job))

    def run(self, batches: Iterator[jobs.Job]) -> Iterator[tuple[jobs.Job, Counts]]:
        """Send every job of `batches`; give each answer once."""
        more = True
        while more or not self.idle:
            while more and self.room:
                job = next(batches, None)
                more = job is not None
                if job:
                    self.send(job)
            answered = self.answers()
            yield from answered
            if not answered:
                time.sleep(0.05)

    def answers(self) -> list[tuple[jobs.Job, Counts]]:
        """Send what waits and take the answers that have come, without waiting for any.

        Raises BrokerUnavailable, WorkerUnavailable or EngineUnavailable after `patience`, and at once the failure of a
        job that is not among `retried`.
        """
        try:
            held = self._held() if self._unsent else None
            if held:
                self._tell(f"waiting to send more: {held}")
            else:
                self._send_due()
            found = self._collect()
            if not found and self._look <= time.monotonic():
                self._look_after()
        except _BROKEN as error:
            message = f"the broker went away ({error}); what was encoded is written: start it and run this again"
            self._trouble(BrokerUnavailable(message), f"the broker does not answer ({error}); waiting for it")
            self._look = time.monotonic() + SOON
            for flight in self._flying.values():
                flight.seen = -STALL  # it may have forgotten all of them: look as soon as it is back
            time.sleep(1.0)
            return []
        return found

    def _send_due(self) -> None:
        now = time.monotonic()
        for entry in [entry for entry in self._unsent if entry[0] <= now]:
            task = jobs.send(self._app, entry[1])
            self._unsent.remove(entry)
            self._flying[task] = _Flight(entry[1], now)

    def _collect(self) -> list[tuple[jobs.Job, Counts]]:
        found = []
        for task, answer in jobs.answers(self._app, list(self._flying)).items():
            job = self._flying.pop(task).job
            if isinstance(answer, Exception):
                found += self._failed(job, answer)
                continue
            found.append((job, Counts.read(answer)))
            self._well = self._answered = time.monotonic()
        return found

    def _failed(self, job: jobs.Job, came: Exception) -> list[tuple[jobs.Job, Counts]]:
        """Send a failed job again; the answer in its place where that is of no use."""
        error = _failure(came)
        if type(error) is WorkerGaveUp:
            self._failures[job.id] += 1
            if self._failures[job.id] >= TRIES:
                return [(job, self._give_up(job, error))]
            self._waiting(f"{error}; its {len(job.keys)} records are tried again, one by one")
        elif not isinstance(error, self._retried):
            raise error
        else:
            self._trouble(error, f"{error}; sending {len(job.keys)} records again", since=self._answered)
        self._unsent.append((time.monotonic() + LATER, job))
        return []

    def _trouble(self, error: CrosshatchError, message: str, *, since: float | None = None) -> None:
        """Tell what is waited for; raise `error` where it has lasted too long."""
        now = time.monotonic()
        if now - (self._well if since is None else since) > self._patience:
            raise error
        self._tell(message)

    def _tell(self, message: str) -> None:
        now = time.monotonic()
        if self._told[1] != message or now - self._told[0] > TELL:
            self._told = (now, message)
            self._waiting(message)

    def _look_after(self) -> None:
        """Jobs that were silent for a while: are they queued, in a worker's hands, or did they die with one?"""
        now = time.monotonic()
        self._look = now + SOON
        silent = {t: f for t, f in self._flying.items() if f.suspect or now - f.seen > STALL}
        queued = jobs.queued(self._broker) if silent else set()
        doubtful = {task: flight for task, flight in silent.items() if task not in queued}
        self._seen(task for task in silent if task in queued)
        if not silent:
            return
        workers = len(jobs.live_workers(self._app))
        if not workers:
            message = "no worker has answered for ten minutes; start one with `crosshatch worker`, then run this again"
            self._trouble(WorkerUnavailable(message), "no worker answers; start one with `crosshatch worker`")
            return
        self._well, self._window = now, AHEAD * workers
        if not doubtful:
            return
        held = jobs.running(self._app, workers)
        self._seen(task for task in doubtful if task in held)
        lost = [task for task, flight in doubtful.items() if flight.suspect and task not in held]
        for flight in doubtful.values():
            flight.suspect = True  # lost only if two looks in a row miss it: it may have ended since
        gone = [self._flying.pop(task).job for task in lost]
        if gone:
            self._waiting(f"{sum(len(job.keys) for job in gone)} records were lost on their way; sending them again")
        for job in gone:
            self.send(job)

    def _seen(self, tasks: Iterator[str]) -> None:
        for task in tasks:
            self._flying[task] = _Flight(self._flying[task].job, time.monotonic())


def _failure(error: object) -> CrosshatchError:
    """A job's failure as it reaches the caller: ours by class, anything else as it says."""
    if isinstance(error, CrosshatchError):
        return error
    if type(error).__name__ in _AWAY:
        return EngineUnavailable(str(error))
    if isinstance(error, TaskRevokedError):
        return DataError("a batch was revoked; its records are as they were: run this again")
    return WorkerGaveUp(f"a worker gave up on a batch: {type(error).__name__}; see the worker's log")


def _raise(_: jobs.Job, error: CrosshatchError) -> Counts:
    raise error
