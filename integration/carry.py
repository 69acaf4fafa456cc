"""Carry the documents of one index into another while the catalogue goes on writing to the first.

Passes by sequence number: each shard of the source numbers its operations, so a pass asks for what came after the last
one. Deletes leave nothing to ask for: where more was done than there are documents, the ids of both are compared.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from integration import scan
from integration.engine.client import Cluster, part
from integration.primaries import asked
from integration.scan import Hit
from integration.shipping import Write, ship
from integration.watermarks import refresh
from integration.watermarks import shards as shards_of
from integration.writer import Key
from mappings.errors import EngineUnavailable, WriteRefused

Checkpoints = dict[int, int]  # by shard: a sequence number up to which all is known; -1 for nothing
Pace = Callable[[int], None]  # told before so many documents are written, it may wait or raise
EXPIRY = 0.4  # seconds: longer than the clock that the engine looks up for the age of a delete takes to tick


def checkpoints(cluster: Cluster, alias: str, kind: str = "global_checkpoint") -> Checkpoints:
    """By shard, up to where every copy has every operation (or `max_seq_no`, the last that was begun).

    Raises EngineUnavailable while a shard has no primary, and UnknownIndexError once the index is dropped.
    """
    answer = cluster.request("GET", f"/{part(alias)}/_stats/docs", params={"level": "shards"})
    shards: dict[str, Any] = next(iter(answer["indices"].values()), {"shards": {}})["shards"]
    found = {
        int(number): int(copy["seq_no"][kind])
        for number, copies in shards.items()
        for copy in copies
        if copy["routing"]["primary"] and "seq_no" in copy
    }
    wanted = shards_of(cluster, alias)
    if len(found) < wanted:
        raise EngineUnavailable(
            f"{wanted - len(found)} of {wanted} shards behind {alias} do not answer; try again later"
        )
    return found


class Source:
    """The index that documents are carried from: what changed in it since the last pass, and what is gone."""

    def __init__(self, cluster: Cluster, alias: str, done: Checkpoints) -> None:
        self._cluster, self.alias = cluster, alias
        self.done = done  # carried up to here
        self.compared = dict(done)  # every delete up to here is known
        self._size = scan.page_size(cluster, alias)

    def changes(self) -> Iterator[list[Hit]]:
        """Documents written since the last call, a page at a time; one is due again if it was written once more."""
        upto = checkpoints(self._cluster, self.alias)
        refresh(self._cluster, self.alias)
        more = {"version": True, "seq_no_primary_term": True, "size": self._size}
        for shard, last in upto.items():
            after = self.done.get(shard, -1)
            if last > after:
                yield from scan.pages(self._cluster, self.alias, query=between(after, last), shard=shard, **more)
        self.done = upto

    def behind(self) -> int:
        """Operations that are not yet carried."""
        return sum(last - self.done.get(s, -1) for s, last in checkpoints(self._cluster, self.alias).items())

    def lost_any(self) -> Checkpoints | None:
        """Checkpoints of now, where there may have been deletes since the last comparison; None where there was none.

        An operation that left no document behind was a delete, or was followed by another on the same document.
        """
        upto = checkpoints(self._cluster, self.alias)
        refresh(self._cluster, self.alias)
        for shard, last in upto.items():
            after = self.compared.get(shard, -1)
            if last - after != self._count(shard, after, last):
                return upto
        self.compared = upto
        return None

    def gone(self, keys: Sequence[Key]) -> list[Key]:
        """Those of `keys` that the source does not hold, read in real time."""
        return [key for key, one in standing(self._cluster, self.alias, keys).items() if one is None]

    def _count(self, shard: int, after: int, last: int) -> int:
        if last <= after:
            return 0
        path, body = f"/{part(self.alias)}/_count", {"query": between(after, last)}
        return int(json.loads(asked(self._cluster, path, shard, body))["count"])


def into(cluster: Cluster, source: Source, target: str, pace: Pace) -> int:
    """One pass into the index behind alias `target`, which nobody else writes to: the source's word always wins."""
    carried = 0
    for page in source.changes():
        pace(len(page))
        writes = [_as_it_is(hit) for hit in page]
        late = [one.write for one in ship(cluster, target, writes) if not one.done]
        for _ in range(3):
            if not late:
                break
            # deleted and made anew in the source, with a lower version: the copy makes room, and its version is
            # forgotten after a moment, since deletes are not remembered there
            ship(cluster, target, [Write(write.key, None) for write in late])
            time.sleep(EXPIRY)
            late = [one.write for one in ship(cluster, target, late) if not one.done]
        if late:
            raise WriteRefused(
                f"somebody else writes to the copy: document {late[0].key.id!r} has a newer version there"
            )
        carried += len(page)
    return carried


def deletes(cluster: Cluster, source: Source, target: str, pace: Pace) -> int:
    """Delete from the index behind `target`, which nobody else writes to, what the source no longer holds."""
    upto = source.lost_any()
    if upto is None:
        return 0
    refresh(cluster, target)
    deleted = 0
    for page in scan.pages(cluster, target, _source=False):
        gone = source.gone([hit.key for hit in page])
        pace(len(gone))
        deleted += sum(one.done for one in ship(cluster, target, [Write(key, None) for key in gone]))
    source.compared = upto
    return deleted


def standing(cluster: Cluster, alias: str, keys: Sequence[Key]) -> dict[Key, dict[str, Any] | None]:
    """Versions and sequence numbers of documents, read in real time; None for one that is not there."""
    if not keys:
        return {}
    wanted = [{"_id": key.id} | ({} if key.routing is None else {"routing": key.routing}) for key in keys]
    answer = cluster.request("POST", f"/{part(alias)}/_mget", params={"_source": "false"}, body={"docs": wanted})
    for one in answer["docs"]:
        if "error" in one:
            raise EngineUnavailable(f"document {one['_id']!r} cannot be read: {one['error'].get('reason')}")
    return {key: one if one["found"] else None for key, one in zip(keys, answer["docs"], strict=True)}


def between(after: int, last: int) -> dict[str, object]:
    """The query for documents whose last operation came after one and not after another."""
    return {"range": {"_seq_no": {"gt": after, "lte": last}}}


def _as_it_is(hit: Hit) -> Write:
    return Write(hit.key, hit.source, {"version": hit.version, "version_type": "external_gte"})
