"""A full scan tells the code store which contents it met, so that `crosshatch codes gc` knows what nobody needs."""

import datetime
from collections.abc import Iterable

from integration import state
from integration.engine.client import Cluster, part
from integration.store import TOUCH_DAYS, CodeStore, today


class RollCall:
    """The contents that one full scan of an index meets, in some of its spaces.

    It is taken at most once in `TOUCH_DAYS` days: any other time nothing is written. A scan that does not come to its
    end is not noted, and says nothing.
    """

    def __init__(self, cluster: Cluster, known: state.Attached, spaces: Iterable[str]) -> None:
        self._cluster, self._known = cluster, known
        self._begun = today()
        there = cluster.exists(f"/{part(known.store)}")  # else touching would make one, with any mapping
        last = {space: last_taken(cluster, known, space) for space in spaces if there}
        due = [space for space, day in last.items() if day is None or (self._begun - day).days >= TOUCH_DAYS]
        self._stores = {space: _store(cluster, known, space) for space in due}

    def meet(self, space: str, digests: Iterable[str]) -> None:
        """Note that these contents of a space are in use. Raises EngineUnavailable or EngineRefused."""
        if space in self._stores:
            self._stores[space].touch(digests)

    def close(self) -> None:
        """The scan met everything."""
        for space in self._stores:
            body = {"kind": "scan", "index": self._known.index, "space": space, "at": self._begun.isoformat()}
            state.put(self._cluster, _key(self._known, space), body)


def last_taken(cluster: Cluster, known: state.Attached, space: str) -> datetime.date | None:
    """The day on which the last full scan began that told the store what it met; None where there was none."""
    answer = state.get(cluster, _key(known, space))
    return datetime.date.fromisoformat(answer["_source"]["at"]) if answer else None


def _key(known: state.Attached, space: str) -> str:
    return f"scan:{known.index}:{space}"


def _store(cluster: Cluster, known: state.Attached, space: str) -> CodeStore:
    return CodeStore(cluster, known.store, known.secret, space=space, bits=known.spaces[space].bits)
