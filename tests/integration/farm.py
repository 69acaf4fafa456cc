"""Celery, Redis and workers in one, on a clock that only moves where somebody sleeps."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from integration import dispatch, jobs, reindex
from integration.counts import Counts
from integration.jobs import Job


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Farm:
    """`work` gives the answer to a job, or None: it is lost, or still in hand. `waiting` jobs stand in the queue."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.work: Callable[[Job], Any] = lambda job: Counts(encoded=len(job.keys)).message()
        self.workers = ["w1"]
        self.held: set[str] = set()
        self.waiting: set[str] = set()
        self.sent: list[Job] = []
        self.answered: dict[str, Any] = {}
        self.taken: set[str] = set()
        self.most = 0

    def send(self, _: object, job: Job) -> str:
        """As `jobs.send`."""
        task = f"task-{len(self.sent)}"
        self.sent.append(job)
        self.most = max(self.most, len(self.sent) - len(self.taken))
        self.answer(task, self.work(job))
        return task

    def answer(self, task: str, answer: Any) -> None:
        """Let a worker answer."""
        if answer is not None:
            self.answered[task] = answer

    def answers(self, _: object, tasks: Sequence[str]) -> dict[str, Any]:
        """As `jobs.answers`."""
        found = {task: self.answered.pop(task) for task in tasks if task in self.answered}
        self.taken |= set(found)
        return found

    @property
    def times(self) -> Counter[str]:
        """How often each job was sent."""
        return Counter(job.id for job in self.sent)


def farm_of(monkeypatch: pytest.MonkeyPatch) -> Farm:
    """A farm that stands where broker and workers stand, with its clock everywhere."""
    clock = Clock()
    farm = Farm(clock)
    monkeypatch.setattr(dispatch, "time", clock)
    monkeypatch.setattr(reindex, "time", clock)
    monkeypatch.setattr(jobs, "check_broker", lambda _: farm)
    monkeypatch.setattr(jobs, "queue_app", lambda _: farm)
    monkeypatch.setattr(jobs, "live_workers", lambda *_, **__: farm.workers)
    monkeypatch.setattr(jobs, "running", lambda *_, **__: farm.held)
    monkeypatch.setattr(jobs, "queued", lambda _: farm.waiting)
    monkeypatch.setattr(jobs, "send", farm.send)
    monkeypatch.setattr(jobs, "answers", farm.answers)
    return farm
