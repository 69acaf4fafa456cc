"""What a follower keeps of an index in the state (kind `follow`), and that only one follows it at a time.

The document is written every few seconds and guarded by `if_seq_no`: one that changes has a follower that lives. No
clock is compared with another's, so clocks may differ and step.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration import state
from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused, FollowedAlready

BEAT = 5.0  # seconds between two writes of a follower
DEAD = 30.0  # seconds without one after which a follower is taken for dead


class Lease:
    """The right to follow an index; `take` it first, then `keep` it with every write."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self._cluster, self._index = cluster, index
        self._owner = {"id": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}
        self._version: tuple[int, int] | None = None

    def take(self, wait: Callable[[float], bool]) -> dict[str, Any] | None:
        """Become the follower; return what the last one knew.

        `wait` sleeps, and tells whether to go on. Raises FollowedAlready where another one lives: its document changes
        while we wait. One that was killed on this host is known by its process, and needs no waiting.
        """
        state.ensure(self._cluster)
        before = self._read()
        owner = before and before.get("owner")
        if owner and not self._is_dead(owner):
            version, until = self._version, time.monotonic() + DEAD
            while time.monotonic() < until:
                if not wait(1.0):
                    raise self._taken(owner)
                before = self._read()
                if self._version != version and before and before.get("owner"):
                    raise self._taken(owner)
                if self._version != version:
                    break
        self.keep(before or {})
        return before

    def keep(self, body: dict[str, Any], *, last: bool = False) -> None:
        """Write what is known; with `last`, let go. Raises FollowedAlready where another follower took over."""
        document = {"kind": "follow", "index": self._index, "uuid": body.get("uuid")}
        document["body"] = body | {"owner": None if last else self._owner, "at": time.time()}
        try:
            self._put(document)
        except EngineRefused as error:
            if error.status != state.CONFLICT:
                raise
            there = self._read()
            owner = (there or {}).get("owner") or {}
            if there and owner.get("id") != self._owner["id"]:
                raise self._taken(owner) from error
            self._put(document)  # a write of ours arrived although its answer did not

    def _put(self, document: dict[str, Any]) -> None:
        guard: dict[str, Any] = {"op_type": "create"}
        if self._version:
            guard = {"if_seq_no": self._version[0], "if_primary_term": self._version[1]}
        answer = self._cluster.request("PUT", _path(self._index), params=guard, body=document)
        self._version = (answer["_seq_no"], answer["_primary_term"])

    def _read(self) -> dict[str, Any] | None:
        answer = state.get(self._cluster, _key(self._index))
        self._version = (answer["_seq_no"], answer["_primary_term"]) if answer else None
        return answer["_source"]["body"] if answer else None

    def _taken(self, owner: dict[str, Any]) -> FollowedAlready:
        who = f"process {owner.get('pid')} on {owner.get('host')}"
        return FollowedAlready(f"index {self._index} is followed by {who} already; one follower an index is enough")

    def _is_dead(self, owner: dict[str, Any]) -> bool:
        """Whether the owner is known to be gone, because it ran on this host."""
        if owner["host"] != self._owner["host"]:
            return False
        return owner["pid"] == os.getpid() or not Path(f"/proc/{owner['pid']}").exists()


def stored(cluster: Cluster, index: str) -> dict[str, Any] | None:
    """What the follower of a concrete index wrote last."""
    answer = state.get(cluster, _key(index))
    return answer["_source"]["body"] if answer else None


def forget(cluster: Cluster, index: str) -> None:
    """Drop what was kept of an index."""
    try:
        cluster.request("DELETE", _path(index))
    except EngineRefused as error:
        if error.status != 404:
            raise


def _key(index: str) -> str:
    return f"follow:{index}"


def _path(index: str) -> str:
    return f"/{state.STATE}/_doc/{part(_key(index))}"
