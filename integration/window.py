"""What others wrote to an index between two moments, by the sequence numbers that every operation takes.

A shard numbers its operations without gaps. So as many numbers as writes of our own prove that nobody else wrote. Where
somebody did, a refresh shows which numbers belong to living documents; one that belongs to none was written over (or
was a delete, or a document written twice): what we wrote after it may lie on top of it. The shard's counts of writes
and deletes tell where all such numbers were deletes, which hide nothing.
"""

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from integration.engine.client import Cluster
from integration.primaries import asked
from mappings.errors import EngineUnavailable

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """One shard at one moment: every number up to `done` is finished with, none above `taken` was given out.

    `indexed` and `deleted` count its operations since it was started here.
    """

    done: int
    taken: int
    indexed: int
    deleted: int


Marks = Mapping[str, Mark]  # by shard


def marks(cluster: Cluster, path: str) -> Marks:
    """The primaries' marks of the one index behind `path`. Raises UnknownIndexError and EngineUnavailable."""
    found = cluster.request("GET", f"{path}/_stats/indexing", params={"level": "shards"})["indices"]
    shards: Mapping[str, list[Any]] = next(iter(found.values()))["shards"] if found else {}
    primaries = {number: copy for number, copies in shards.items() for copy in copies if copy["routing"]["primary"]}
    for number, copy in primaries.items():
        if "seq_no" not in copy:
            raise EngineUnavailable(f"shard {number} is being recovered; try again later")
    return {number: _mark(copy["seq_no"], copy["indexing"]) for number, copy in primaries.items()}


def is_quiet(before: Marks | None, after: Marks, own: int = 0) -> bool:
    """Whether nothing was written between two moments but `own` operations."""
    if before is None or before.keys() != after.keys():
        return False
    return sum(after[shard].taken - before[shard].done for shard in after) == own


def on_top(cluster: Cluster, path: str, before: Marks, after: Marks, own: Set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of our writes (`own`: ids and numbers) that still stand and may lie on top of a write of somebody else.

    All of them where a shard's marks are missing: it moved, or did not answer.
    """
    if before.keys() != after.keys():
        return set(own)
    cluster.request("POST", f"{path}/_refresh")
    doubtful: set[tuple[str, int]] = set()
    for shard, mark in after.items():
        start = before[shard].done
        alive = dict(_alive(cluster, path, shard, start, mark.taken))
        here = set(alive.values())
        # a number of ours whose record the catalogue has written since belongs to nobody any more, and hides nothing
        known = alive.keys() | {number for record, number in own if record in here}
        unknown = [number for number in range(start + 1, mark.taken + 1) if number not in known]
        if unknown and not _only_deleted(before[shard], mark, len(unknown)):
            doubtful |= {(record, n) for n, record in alive.items() if n > unknown[0] and (record, n) in own}
    return doubtful


def _only_deleted(before: Mark, after: Mark, unknown: int) -> bool:
    """Whether so many operations that no document shows were all deletes.

    Both counts must fit. The engine counts an operation a little after it numbers it, so one of them alone may tell of
    a delete that came before.
    """
    written = after.taken - before.done - unknown
    return (after.deleted - before.deleted, after.indexed - before.indexed) == (unknown, written)


def _mark(numbers: Mapping[str, int], counts: Mapping[str, int]) -> Mark:
    return Mark(numbers["local_checkpoint"], numbers["max_seq_no"], counts["index_total"], counts["delete_total"])


def _alive(cluster: Cluster, path: str, shard: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Number and id of each document of a shard that was written since `start`; none where that is `end`."""
    while start < end:
        body = {
            "size": PAGE,
            "query": {"range": {"_seq_no": {"gt": start}}},
            "sort": ["_seq_no"],
            "seq_no_primary_term": True,
            "_source": False,
            "track_total_hits": False,
        }
        hits = json.loads(asked(cluster, f"{path}/_search", shard, body))["hits"]["hits"]
        yield from ((hit["_seq_no"], hit["_id"]) for hit in hits)
        start = hits[-1]["_seq_no"] if len(hits) == PAGE else end
