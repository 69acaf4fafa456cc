"""Stale records that were found and are not answered yet: jobs by the sweep that found them, sent as there is room."""

import math
from collections import deque
from collections.abc import Callable, Iterable

from celery import Celery
from redis import Redis

from integration import problems, state
from integration.counts import Counts
from integration.dispatch import Dispatch
from integration.engine.client import Cluster
from integration.jobs import Job
from integration.lines import Sweep
from mappings.errors import CrosshatchError


def endless(
    app: Celery,
    broker: Redis,
    tell: Callable[[str], None],
    held: Callable[[], str | None],
    cluster: Cluster,
    known: Callable[[], state.Attached],
) -> Dispatch:
    """A dispatch that waits for ever for what is away, and lists the records of a job that breaks every worker."""
    return Dispatch(
        app,
        broker,
        tell,
        patience=math.inf,
        retried=(CrosshatchError,),
        held=held,
        give_up=lambda job, error: problems.give_up(cluster, known(), job.keys, str(error)),
    )


class Outstanding:
    """The jobs of all sweeps, in the order they came."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._unsent: deque[Job] = deque()
        self._sweeps: dict[str, Sweep] = {}  # of the jobs that are not answered, by id
        self.records = 0

    @property
    def unsent(self) -> bool:
        """Whether jobs wait here, because as many as the workers need are on their way."""
        return bool(self._unsent)

    @property
    def idle(self) -> bool:
        """Whether every job was answered."""
        return not self._unsent and self._dispatch.idle

    def add(self, sweep: Sweep, jobs: Iterable[Job]) -> None:
        """Take the jobs of a sweep."""
        for job in jobs:
            sweep.left += 1
            sweep.stale += len(job.keys)
            self.records += len(job.keys)
            self._sweeps[job.id] = sweep
            self._unsent.append(job)

    def pump(self) -> Counts:
        """Send what there is room for, and take the answers that have come; return their sum."""
        while self._unsent and self._dispatch.room:
            self._dispatch.send(self._unsent.popleft())
        total = Counts()
        for job, counts in self._dispatch.answers():
            sweep = self._sweeps.pop(job.id, None)
            if sweep:  # else it is of an index that was dropped since
                sweep.left -= 1
                sweep.counts.add(counts)
                self.records -= len(job.keys)
                total.add(counts)
        return total

    def forget(self) -> None:
        """The index is no more: nothing of it is waited for."""
        self._unsent.clear()
        self._sweeps.clear()
        self.records = 0
