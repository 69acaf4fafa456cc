"""What the engine stores of a record in each way to search, and the indices that hold it: filled once, then kept.

One shard without replicas, merged into one segment: all ways are measured alike, and store sizes can be compared.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import track

from integration.engine.client import Cluster
from integration.search.plan import Target
from mappings.code import codes_of
from mappings.errors import UnknownIndexError
from mappings.fields import StoredCodes, space_mapping
from tests.bench.search.collection import BITS, Collection, Packed
from tests.bench.search.truth import SATURATION
from tests.bench.search.ways import Built

SPACE, BATCH = "s", 2_000
TABLE = tuple(1 - d / BITS for d in range(BITS + 1))
SETTINGS = {
    "number_of_shards": 1,
    "number_of_replicas": 0,
    "refresh_interval": -1,
    "store.stats_refresh_interval": "0s",  # by default sizes are up to 10 s old: those of segments before the merge
}
CACHED = "index.queries.cache.enabled"
Members = Callable[[Packed], Sequence[Mapping[str, Any]]]  # what codes [n, 16] add to n documents
console = Console(stderr=True)


def document_id(number: int) -> str:
    """`_id` of a record; ids sort as numbers do, so ties by `_id` are ties by number."""
    return f"r{number:09d}"


def number_of(document: str) -> int:
    """The record of an `_id`."""
    return int(document[1:])


def target(index: str) -> Target:
    """A measured index as searches see it: one stored part, similarity 1 - d / bits, one field of words."""
    return Target(index, SPACE, {("text", "text"): TABLE}, ("title",), "title", saturation=SATURATION)


def no_members(codes: Packed) -> list[dict[str, Any]]:
    """Titles alone."""
    return [{} for _ in codes]


def code_members(codes: Packed) -> list[dict[str, Any]]:
    """The code as Crosshatch stores it: part `text` of space `s`."""
    return [{"crosshatch": {SPACE: StoredCodes(text=code).members()}} for code in codes_of(codes)]


@dataclass(frozen=True, slots=True)
class Layout:
    """An index's name, the fields that it has beside `title`, its settings, and what a code adds to a document."""

    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    members: Members = no_members
    settings: Mapping[str, Any] = field(default_factory=dict)

    def index(self, size: int) -> str:
        """The index that holds so many records in this layout."""
        return f"bench-{self.name}-{size}"


TITLES = Layout("titles")
CODE = Layout("code", space_mapping(SPACE)["properties"], code_members)


def filled(cluster: Cluster, layout: Layout, collection: Collection) -> Built:
    """The index of this layout, made unless it is there and complete: its note is the mapping's `_meta`."""
    index, recipe = layout.index(collection.size), _recipe(layout, collection)
    note = _note(cluster, index)
    if note.get("recipe") == recipe:
        built = Built(**note["built"])
    else:
        built = _fill(cluster, layout, collection)
        meta = {"bench": {"recipe": recipe, "built": asdict(built)}}
        cluster.request("PUT", f"/{index}/_mapping", body={"_meta": meta})
    _without_cache(cluster, index)
    if layout == TITLES:
        return built
    bare = filled(cluster, TITLES, collection)
    return Built(built.seconds, built.bytes, built.bytes - bare.bytes)


def _fill(cluster: Cluster, layout: Layout, collection: Collection) -> Built:
    index = layout.index(collection.size)
    cluster.request("DELETE", f"/{index}", params={"ignore_unavailable": "true"})
    properties = {"title": {"type": "text"}, **layout.properties}
    mappings = {"dynamic": False, "properties": properties}
    cluster.request("PUT", f"/{index}", body={"settings": {**SETTINGS, **layout.settings}, "mappings": mappings})
    began = time.perf_counter()
    batches = track(_batches(layout, collection), index, total=-(-collection.size // BATCH), console=console)
    for lines in batches:
        if cluster.bulk(f"/{index}", lines)["errors"]:
            raise SystemExit(f"{index}: the engine refused records; see its log, and what layout {layout.name} writes")
    cluster.request("POST", f"/{index}/_refresh")
    cluster.request("POST", f"/{index}/_forcemerge", params={"max_num_segments": 1})
    cluster.request("POST", f"/{index}/_refresh")
    seconds = time.perf_counter() - began
    cluster.request("POST", f"/{index}/_flush")
    stored = cluster.request("GET", f"/{index}/_stats/store,docs")["_all"]["total"]
    if stored["docs"]["count"] != collection.size:
        raise SystemExit(f"{index} holds {stored['docs']['count']} records; {collection.size} were written")
    size = stored["store"]["size_in_bytes"]
    return Built(round(seconds, 1), size, 0)


def _without_cache(cluster: Cluster, index: str) -> None:
    """Switch off the cache of filters: ways ask the same queries, and each would find what another had computed."""
    held = cluster.request("GET", f"/{index}/_settings/{CACHED}", params={"flat_settings": "true"})
    if held and held[index]["settings"].get(CACHED) == "false":
        return
    cluster.request("POST", f"/{index}/_close")
    cluster.request("PUT", f"/{index}/_settings", body={CACHED: False})
    cluster.request("POST", f"/{index}/_open")
    cluster.request("GET", f"/_cluster/health/{index}", params={"wait_for_status": "yellow"})


def _batches(layout: Layout, collection: Collection) -> Iterator[bytes]:
    titles = collection.titles()
    for first in range(0, collection.size, BATCH):
        added = layout.members(collection.codes[first : first + BATCH])
        lines = []
        for number, (title, members) in enumerate(zip(islice(titles, len(added)), added, strict=True), first):
            lines.append(msgspec.json.encode({"index": {"_id": document_id(number)}}))
            lines.append(msgspec.json.encode({"title": title, **members}))
        yield b"\n".join(lines) + b"\n"


def _note(cluster: Cluster, index: str) -> dict[str, Any]:
    try:
        [held] = cluster.request("GET", f"/{index}/_mapping").values()
    except UnknownIndexError:
        return {}
    note: dict[str, Any] = held["mappings"].get("_meta", {}).get("bench", {})
    return note


def _recipe(layout: Layout, collection: Collection) -> str:
    """Changes with the collection, and with anything that the layout stores."""
    example = layout.members(collection.codes[:50])
    made_by = (collection.folder / "note.json").read_text("utf-8")
    said = [made_by, collection.size, layout.properties, {**SETTINGS, **layout.settings}, example]
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()
