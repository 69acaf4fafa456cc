"""`crosshatch off` and `on`: stops and starts everything of ours that writes to a catalogue's index.

One document a switch (kind `switch`) in `.crosshatch-state`; searches do not look at it. Whatever writes asks
`check` before each step, a worker at most once a second. Nothing is lost: a record that was not written stays stale,
and the next `update` finds it.
"""

import datetime
import getpass
import os
import socket
import time
from dataclasses import dataclass

from integration import state
from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused, RequestError, SwitchedOff, UnknownIndexError

EVERY = "*"  # stands for all indexes; no index can be called so
FRESH = 1.0  # seconds that an answer is believed


@dataclass(frozen=True, slots=True)
class Off:
    """What is off, whose command it was (user@host), and since when (ISO 8601, UTC). `index` may be `EVERY`."""

    index: str
    by: str
    since: str

    def __str__(self) -> str:
        every = self.index == EVERY
        what, command = ("every index", "crosshatch on") if every else (self.index, f"crosshatch on {self.index}")
        return f"{what} was switched off by {self.by} at {self.since}; `{command}` switches on"


def off(cluster: Cluster, name: str | None) -> Off:
    """Switch an index off, or every one; what is off already stays as it was. Raises UnknownIndexError."""
    index = _index(cluster, name)
    wanted = Off(index, _who(), datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    body = {"kind": "switch", "index": index, "at": wanted.since, "body": {"by": wanted.by}}
    params = {"op_type": "create", "refresh": "true"}
    state.ensure(cluster)
    try:
        cluster.request("PUT", f"/{state.STATE}/_doc/{part(_key(index))}", params=params, body=body)
    except EngineRefused as error:
        if error.status != state.CONFLICT:
            raise
        return next((there for there in every(cluster) if there.index == index), wanted)
    return wanted


def on(cluster: Cluster, name: str | None) -> list[Off]:
    """Switch an index on, or every one; return what was off. Raises RequestError where `off` named all."""
    there = every(cluster)
    if name is not None:
        index = _index(cluster, name)
        if any(one.index == EVERY for one in there):
            raise RequestError(f"every index is switched off; `crosshatch on` switches {index} on with the others")
        there = [one for one in there if one.index == index]
    for one in there:
        try:
            cluster.request("DELETE", f"/{state.STATE}/_doc/{part(_key(one.index))}", params={"refresh": "true"})
        except EngineRefused as error:
            if error.status != 404:  # somebody else switched it on meanwhile
                raise
    return there


def is_off(cluster: Cluster, index: str) -> Off | None:
    """The switch that keeps the concrete `index` off, if any; read in real time."""
    try:
        answer = cluster.request("POST", f"/{state.STATE}/_mget", body={"ids": [_key(EVERY), _key(index)]})
    except UnknownIndexError:
        return None
    return next((_off(entry["_source"]) for entry in answer["docs"] if entry.get("found")), None)


def check(cluster: Cluster, index: str) -> None:
    """Pass where the concrete `index` is on. Raises SwitchedOff."""
    found = is_off(cluster, index)
    if found:
        raise SwitchedOff(str(found))


def every(cluster: Cluster) -> list[Off]:
    """Every switch that is off."""
    body = {"size": 1000, "query": {"term": {"kind": "switch"}}, "sort": [{"index": "asc"}]}
    try:
        answer = cluster.request("POST", f"/{state.STATE}/_search", body=body)
    except UnknownIndexError:
        return []
    return [_off(hit["_source"]) for hit in answer["hits"]["hits"]]


class Switch:
    """The switch of one index as a worker looks at it: the engine is asked once in `FRESH` seconds."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self._cluster, self._index = cluster, index
        self._until = 0.0

    def check(self) -> None:
        """Pass where the index is on. Raises SwitchedOff."""
        now = time.monotonic()
        if now >= self._until:
            check(self._cluster, self._index)
            self._until = now + FRESH


def _index(cluster: Cluster, name: str | None) -> str:
    """The concrete index behind `name`; one that is attached but not there, as in a rebuild, has its own name."""
    if name is None:
        return EVERY
    try:
        return state.concrete(cluster, name)[0]
    except UnknownIndexError:
        if state.by_name(cluster, name) is None:
            raise
        return name


def _off(document: dict[str, object]) -> Off:
    body = document["body"]
    by = body["by"] if isinstance(body, dict) else "?"
    return Off(str(document["index"]), str(by), str(document["at"]))


def _key(index: str) -> str:
    return f"switch:{index}"


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
