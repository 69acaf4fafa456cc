"""What the code store of an index holds, and what of it no scan has met for long: nobody needs that any more."""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from integration import rollcall, state
from integration.engine.client import Cluster, part
from integration.store import TOUCH_DAYS, today
from mappings.errors import DataError, UnknownIndexError

DAYS = 90
PAGE = 10_000  # entries that one request drops: none takes longer than the client waits


@dataclass(frozen=True, slots=True)
class Holding:
    """What the store holds of one space: `unseen` entries were met by no scan or job for so many days.

    `oldest` is the least date of an entry, `scanned` that of the last full scan that noted what it met.
    """

    entries: int
    oldest: str | None
    unseen: int
    scanned: str | None


@dataclass(frozen=True, slots=True)
class Stats:
    """What a code store holds, in all and by space. `bytes` are those of its primary shards."""

    index: str
    store: str
    entries: int
    bytes: int
    days: int
    spaces: Mapping[str, Holding]

    def listed(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def stats(cluster: Cluster, known: state.Attached, *, days: int = DAYS) -> Stats:
    """Count what the store of an index holds. Dates are up to `TOUCH_DAYS` older than the truth."""
    old = {"filter": {"range": {"seen": {"lt": _ago(days)}}}}
    by_space = {"terms": {"field": "space", "size": 1000}, "aggs": {"oldest": {"min": {"field": "seen"}}, "old": old}}
    try:
        cluster.request("POST", f"/{part(known.store)}/_refresh")
        body = {"size": 0, "track_total_hits": True, "aggs": {"spaces": by_space}}
        found = cluster.request("POST", f"/{part(known.store)}/_search", body=body)
        size = cluster.request("GET", f"/{part(known.store)}/_stats/store")["_all"]["primaries"]
    except UnknownIndexError:
        return Stats(known.index, known.store, 0, 0, days, {})
    spaces = {bucket["key"]: _holding(cluster, known, bucket) for bucket in found["aggregations"]["spaces"]["buckets"]}
    total = found["hits"]["total"]["value"]
    return Stats(known.index, known.store, total, size["store"]["size_in_bytes"], days, spaces)


def gc(cluster: Cluster, known: state.Attached, *, days: int = DAYS, dry_run: bool = False) -> dict[str, int]:
    """Drop, or with `dry_run` count, what no scan met for `days` days; return how many entries by space.

    What was in use at the last full scan stays, whatever `days` says, and so does what a job met since. Raises
    DataError where a space that is in use was never wholly scanned.
    """
    wanted = {
        space: _query(space, _cutoff(cluster, known, space, days)) for space in stats(cluster, known, days=days).spaces
    }
    return {space: (_count if dry_run else _drop)(cluster, known.store, query) for space, query in wanted.items()}


def _cutoff(cluster: Cluster, known: state.Attached, space: str, days: int) -> str:
    """The date before which an entry of a space must have been met last to be dropped."""
    limit = today() - datetime.timedelta(days=days)
    for other in state.every(cluster):
        if other.store != known.store or space not in other.spaces or not cluster.exists(f"/{part(other.index)}"):
            continue
        scanned = rollcall.last_taken(cluster, other, space)
        if scanned is None:
            raise DataError(
                f"no full scan of {other.index} has told what of space {space} is in use; run "
                f"`crosshatch reindex {other.index} --space {space}` first"
            )
        limit = min(limit, scanned)
    return (limit - datetime.timedelta(days=TOUCH_DAYS)).isoformat()


def _holding(cluster: Cluster, known: state.Attached, bucket: Mapping[str, Any]) -> Holding:
    oldest = bucket["oldest"].get("value_as_string")
    scanned = rollcall.last_taken(cluster, known, bucket["key"])
    return Holding(
        bucket["doc_count"],
        oldest[:10] if oldest else None,
        bucket["old"]["doc_count"],
        scanned.isoformat() if scanned else None,
    )


def _query(space: str, before: str) -> dict[str, Any]:
    return {"bool": {"filter": [{"term": {"space": space}}, {"range": {"seen": {"lt": before}}}]}}


def _count(cluster: Cluster, store: str, query: dict[str, Any]) -> int:
    return int(cluster.request("POST", f"/{part(store)}/_count", body={"query": query})["count"])


def _drop(cluster: Cluster, store: str, query: dict[str, Any]) -> int:
    """An entry that a job meets in this moment changes, and stays."""
    params = {"refresh": "true", "conflicts": "proceed"}
    dropped = 0
    while True:
        body = {"query": query, "max_docs": PAGE}
        deleted = cluster.request("POST", f"/{part(store)}/_delete_by_query", params=params, body=body)["deleted"]
        dropped += int(deleted)
        if not deleted:
            return dropped


def _ago(days: int) -> str:
    return (today() - datetime.timedelta(days=days)).isoformat()
