"""What the engine tells of an index's history: how far each shard has come, and what changed between two points of it.

Everything is read from primaries: only there the checkpoint and the documents belong together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from integration import scan, state
from integration.engine.answers import decoded
from integration.engine.client import Cluster, part
from integration.lines import Shard
from integration.primaries import asked
from mappings.errors import EngineUnavailable, UnknownIndexError

PAGE_BYTES = 8_000_000
FIRST, LEAST = 50, 5  # documents of a page before any came, and at least
_WANTED = ",".join(
    ["indices.*.uuid"]
    + [
        f"indices.*.shards.*.{name}"
        for name in ("routing.primary", "seq_no.global_checkpoint", "commit.user_data.history_uuid")
    ]
)


@dataclass(frozen=True, slots=True)
class Point:
    """How far one shard has come: its history, and the number up to which every copy holds every operation."""

    history: str
    checkpoint: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A concrete index as it is now, with the point that each of its shards has reached."""

    index: str
    uuid: str
    points: Mapping[int, Point]


class Change(scan.Hit, kw_only=True):
    """A document of a page, and the number of the operation that wrote it."""

    seq_no: int = msgspec.field(name="_seq_no")


class _Hits(msgspec.Struct):
    hits: list[Change]


class _Page(msgspec.Struct):
    hits: _Hits


_reader = msgspec.json.Decoder(_Page)


def look(cluster: Cluster, name: str) -> Seen:
    """Where the index or alias `name` stands; `complete` tells whether all of it was seen. Raises UnknownIndexError."""
    answer = cluster.request("GET", f"/{part(name)}/_stats/docs", params={"level": "shards", "filter_path": _WANTED})
    indices = (answer or {}).get("indices", {})
    if len(indices) != 1:
        raise UnknownIndexError(f"{name!r} came; it stands for {len(indices)} indices, and one was expected")
    [(index, found)] = indices.items()
    points = {
        int(number): Point(copy["commit"]["user_data"]["history_uuid"], copy["seq_no"]["global_checkpoint"])
        for number, copies in found.get("shards", {}).items()
        for copy in copies
        if copy["routing"]["primary"] and "seq_no" in copy
    }
    return Seen(index, found["uuid"], points)


def shards(cluster: Cluster, index: str) -> int:
    """The number of shards of the one index behind `index`, a name or an alias, whether they are there or not."""
    answer = cluster.request(
        "GET", f"/{part(index)}/_settings", params={"filter_path": "*.settings.index.number_of_shards"}
    )
    return int(next(iter(answer.values()))["settings"]["index"]["number_of_shards"])


def complete(seen: Seen, expected: int) -> Seen:
    """Pass where every primary was seen. Raises EngineUnavailable."""
    missing = sorted(set(range(expected)) - set(seen.points))
    if missing:
        raise EngineUnavailable(f"index {seen.index} lacks the primary of shard {', '.join(map(str, missing))}")
    return seen


def refresh(cluster: Cluster, index: str) -> None:
    """Make everything that was written visible to `changes`. Raises EngineUnavailable where a shard did not do it."""
    shards = cluster.request("POST", f"/{part(index)}/_refresh")["_shards"]
    if shards["failed"]:
        raise EngineUnavailable(f"{shards['failed']} of {shards['total']} shards of {index} were not refreshed")


def changes(
    cluster: Cluster, index: str, shard: int, after: int, end: int, *, size: int = scan.PAGE
) -> tuple[list[Change], int]:
    """The documents of a shard that were last written in (after, end], in order, and up to where they go.

    One page of at most `size`; what was written again since then comes with its later number. After a shrink several
    documents may share a number, so a full page ends before its last one.
    """
    while True:
        hits = _page(cluster, index, shard, after, end, size)
        if len(hits) < size:
            return hits, end
        whole = [hit for hit in hits if hit.seq_no < hits[-1].seq_no]
        if whole:
            return whole, hits[-1].seq_no - 1
        size *= 2  # all of them share one number


def _page(cluster: Cluster, index: str, shard: int, after: int, end: int, size: int) -> list[Change]:
    body: dict[str, Any] = {
        "size": size,
        "query": {"range": {"_seq_no": {"gt": after, "lte": end}}},
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "track_total_hits": False,
        "_source": True,
    }
    answer = asked(cluster, f"/{part(index)}/_search", shard, body, allow_partial_search_results="false")
    return decoded(_reader, answer).hits.hits


class Pages:
    """Reads pages of changes whose answers are of some megabytes, whatever a catalogue holds."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._size = cluster, FIRST

    def read(self, index: str, shard: int, after: int, end: int) -> tuple[list[Change], int]:
        """As `changes`. Raises EngineUnavailable; the next try asks for less then, as it may have been too much."""
        try:
            hits, reached = changes(self._cluster, index, shard, after, end, size=self._size)
        except EngineUnavailable:
            self._size = max(self._size // 2, LEAST)
            raise
        if hits:
            average = sum(len(bytes(hit.held)) for hit in hits) / len(hits)
            self._size = min(max(int(PAGE_BYTES / max(average, 1)), LEAST), scan.PAGE)
        return hits, reached


def judging(known: state.Attached) -> dict[str, str]:
    """What the digests, bands and vectors of an index depend on: a change of it makes every record stale."""
    bands = {f"bands {n}": b.cut.name for n, b in known.spaces.items() if b.cut}
    vectors = {f"vectors {n}": b.vectors for n, b in known.spaces.items() if b.vectors}
    return (
        {"profile": known.profile.sha256} | {f"space {n}": b.digest for n, b in known.spaces.items()} | bands | vectors
    )


def judged_since(cluster: Cluster, known: state.Attached, shards: Mapping[int, Shard]) -> Iterator[scan.Judged]:
    """Judge what changed since the watermarks of `shards`, and what a scan that is needed has not come to yet."""
    refresh(cluster, known.index)
    for number, shard in shards.items():
        for line in (shard.tail, shard.scan if shard.needed else None):
            read = line.done if line else 0
            while line and read < line.end:
                hits, read = changes(cluster, known.index, number, read, line.end)
                yield from scan.judged_page(cluster, known, hits)
