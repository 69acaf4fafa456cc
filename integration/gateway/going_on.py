"""Writes that go on after their answer (`wait_for_completion=false`): it names a task of the cluster.

What they write is swept while they run, and once more when they have ended.
"""

import math
import time

from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused

EVERY = 5.0  # seconds between two looks at what runs
MOST = 100  # tasks that are looked at; what others write is left to a follower, or to `update`


class GoingOn:
    """`add` a task, then ask for what was `written` again and again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._where: dict[str, frozenset[str]] = {}
        self._looked = -math.inf

    def add(self, task: str, where: frozenset[str]) -> None:
        """A task, and the index expressions that it may write to."""
        if len(self._where) < MOST:
            self._where[task] = where

    def written(self) -> frozenset[str]:
        """The index expressions to look through now. Raises where the cluster cannot be asked: nothing is forgotten."""
        if not self._where or time.monotonic() - self._looked < EVERY:
            return frozenset()
        self._looked = time.monotonic()
        ended = [task for task in self._where if not self._runs(task)]
        found = frozenset[str]().union(*self._where.values())
        for task in ended:
            del self._where[task]
        return found

    def _runs(self, task: str) -> bool:
        try:
            told = self._cluster.request("GET", f"/_tasks/{part(task)}", params={"filter_path": "completed"})
        except EngineRefused:  # it has ended and nothing is kept of it, or our account may not ask
            return False
        return told.get("completed") is False
