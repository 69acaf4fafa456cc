"""The index that `reindex --beside` builds: named, measured, made with the settings and mappings of the old one."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused, EngineUnavailable, RequestError, UnknownIndexError, WriteRefused

_SUFFIX = re.compile(r"-beside-(\d+)$")
_NOT_TO_SET = re.compile(
    r"index\.(uuid|creation_date|provided_name|version\.|resize\.|history\.|blocks\.|verified_before_close"
    r"|routing\.allocation\.initial_recovery\.)"
)
# while it is built nothing of it is searched, copied or run through a pipeline again, and no delete is remembered:
# what the old index deleted and made anew comes with a lower version
BUILDING = {
    "index.refresh_interval": "-1",
    "index.number_of_replicas": "0",
    "index.auto_expand_replicas": "false",
    "index.final_pipeline": "_none",
    "index.gc_deletes": "0s",
}
REMEMBER = "1h"  # how long deletes are remembered across the change-over
GROWTH = 1.5  # merging needs room, too
SPARE = 0.9  # of the free disk that may be used
HEALTH_ROUNDS = 60  # of a minute each, until the replicas are there


@dataclass(frozen=True, slots=True)
class Size:
    """An index's documents and bytes, its replicas counted, and the free bytes of the cluster's data nodes."""

    documents: int
    bytes: int
    free_bytes: int

    @property
    def needed_bytes(self) -> int:
        """What a second one takes."""
        return int(self.bytes * GROWTH)


def measure(cluster: Cluster, index: str) -> Size:
    """Look at `index` and the disks."""
    stats = cluster.request("GET", f"/{part(index)}/_stats/docs,store")["_all"]
    nodes = cluster.request("GET", "/_nodes/stats/fs")["nodes"].values()
    free = sum(n["fs"]["total"]["available_in_bytes"] for n in nodes if any("data" in role for role in n["roles"]))
    return Size(stats["primaries"]["docs"]["count"], stats["total"]["store"]["size_in_bytes"], free)


def check_room(size: Size, index: str) -> None:
    """Pass where a second index fits. Raises WriteRefused."""
    if size.needed_bytes > size.free_bytes * SPARE:
        raise WriteRefused(
            f"a second index beside {index} needs {size.needed_bytes:,} bytes, and {size.free_bytes:,} are free; make "
            "room on the data nodes, or use plain `reindex`, which works in place"
        )


def base_of(index: str) -> str:
    """The name that the catalogue gave: without what an earlier run appended."""
    return _SUFFIX.sub("", index)


def next_name(cluster: Cluster, index: str) -> str:
    """`<name>-beside-<n>`, one higher than every one that is there."""
    base = base_of(index)
    there = cluster.request("GET", f"/{part(base)}-beside-*/_settings", params={"filter_path": "*.settings.index.uuid"})
    numbers = [int(found[1]) for name in [index, *there] if (found := _SUFFIX.search(name))]
    return f"{base}-beside-{max(numbers, default=0) + 1}"


def check_templates(cluster: Cluster, name: str) -> None:
    """Pass where no template puts an alias on a new index `name`: half built, it would be searched.

    Raises RequestError.
    """
    composable = cluster.request("POST", f"/_index_template/_simulate_index/{part(name)}").get("template", {})
    found = {"a composable template": composable.get("aliases", {})}
    for template, body in cluster.request("GET", "/_template").items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in body["index_patterns"]):
            found[f"template {template}"] = body.get("aliases", {})
    for template, aliases in found.items():
        if aliases:
            raise RequestError(
                f"{template} gives every new index like {name} the alias {next(iter(aliases))}, so a half-built index "
                "would be searched and written to; take the alias out of the template, and run this again"
            )


def make(cluster: Cluster, old: str, name: str) -> str:
    """Make the index `name`, empty, with the mappings and settings of `old`; return its UUID."""
    answer = cluster.request("GET", f"/{part(old)}", params={"flat_settings": "true"})[old]
    kept = {key: value for key, value in answer["settings"].items() if not _NOT_TO_SET.match(key)}
    body = {"settings": kept | BUILDING, "mappings": answer["mappings"]}
    cluster.request("PUT", f"/{part(name)}", body=body)
    settings = cluster.request("GET", f"/{part(name)}/_settings")[name]["settings"]
    return str(settings["index"]["uuid"])


def open_up(cluster: Cluster, old: str, name: str, said: Any) -> None:
    """Give `name` the settings of `old` back, and wait for its replicas. Raises EngineUnavailable where none come."""
    put_settings(cluster, name, {key: _setting(cluster, old, key) for key in BUILDING if key != "index.gc_deletes"})
    wanted = cluster.request("GET", f"/_cluster/health/{part(old)}")["active_shards"]
    for _ in range(HEALTH_ROUNDS):
        if not _health(cluster, name, wanted)["timed_out"]:
            return
        said(f"waiting for the replicas of {name}")
    raise EngineUnavailable(
        f"{name} does not get as many shards as {old} has ({wanted}); see _cluster/allocation/explain"
    )


def remember_deletes(cluster: Cluster, name: str, *, instead_of: str | None = None) -> None:
    """Let `name` remember deletes long, or as `instead_of` does."""
    value = _setting(cluster, instead_of, "index.gc_deletes") if instead_of else REMEMBER
    put_settings(cluster, name, {"index.gc_deletes": value})


def put_settings(cluster: Cluster, index: str, settings: Mapping[str, str | None]) -> None:
    """Set, or with None unset, settings of an index."""
    cluster.request("PUT", f"/{part(index)}/_settings", body=settings)


def remove(cluster: Cluster, name: str, uuid: str) -> bool:
    """Delete a half-built index, if it is still the one that was made; whether it was."""
    try:
        found = cluster.request("GET", f"/{part(name)}/_settings")[name]["settings"]["index"]["uuid"]
    except UnknownIndexError:
        return False
    if found != uuid and (uuid or measure(cluster, name).documents):  # none known: stopped right after it was made
        return False
    cluster.request("DELETE", f"/{part(name)}")
    return True


def _setting(cluster: Cluster, index: str, key: str) -> str | None:
    settings = cluster.request("GET", f"/{part(index)}/_settings", params={"flat_settings": "true"})
    value = next(iter(settings.values()))["settings"].get(key)
    return None if value is None else str(value)


def _health(cluster: Cluster, name: str, shards: int) -> Any:
    asked = (
        f"wait_for_active_shards={shards}&timeout=50s"  # as a parameter, the client would take `timeout` for its own
    )
    try:
        return cluster.request("GET", f"/_cluster/health/{part(name)}?{asked}")
    except EngineRefused as error:
        if error.status != 408:
            raise
        return {"timed_out": True}
