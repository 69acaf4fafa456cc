"""How an attached index stands: what is encoded, what is stale, what failed and why."""

import datetime
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from integration import lease, lines, plans, problems, scan, state, switch, watermarks
from integration.documents import count, holding
from integration.engine.client import Cluster
from integration.lines import Shard
from mappings.fields import PARTS


def of_index(cluster: Cluster, known: state.Attached) -> dict[str, Any]:
    """The object that `crosshatch status --json` prints.

    Where something follows the index, only what changed since its watermarks is read; else every document is, to find
    the stale ones. `lag_s` is the age in seconds that the oldest stale record has at most, where that can be known: a
    catalogue's documents carry no time of writing, so it is null where nothing ever followed the index.
    """
    kept = lease.stored(cluster, known.index)
    shards = _watermarks(cluster, known, kept)
    judged = watermarks.judged_since(cluster, known, shards) if shards else scan.judged(cluster, known)
    stale = sum(1 for record in judged if record.verdict == "stale")
    counted = problems.counts(cluster, known)
    off = switch.is_off(cluster, known.index)
    return {
        "index": known.index,
        "uuid": known.uuid,
        "documents": count(cluster, known.index, {"match_all": {}}),
        "encoded": {name: _with_part(cluster, known, name, known.index) for name in PARTS},
        "stale": stale,
        "failed": counted["failed"],
        "partial": counted["partial"],
        "space": known.space,
        "bundle": {name: getattr(known.bundle, name) for name in ("reference", "name", "bits", "digest")},
        "plans": [stand.listed() for stand in plans.stands(cluster, known)],
        "lag_s": _lag(kept if shards else None, stale),
        "off": asdict(off) if off else None,
        "follow": _follow(kept) if kept and kept.get("uuid") == known.uuid else None,
    }


def brief(cluster: Cluster, known: state.Attached, caller: Cluster, name: str) -> dict[str, Any]:
    """The same without `stale` and `lag_s`, so that no document is read.

    Counts are what `caller` sees under `name`, which may be an alias that does not show every record.
    """
    documents = count(caller, name, {"match_all": {}})  # first: it refuses whoever may not read the index
    kept = lease.stored(cluster, known.index)
    off = switch.is_off(cluster, known.index)
    return {
        "index": known.index,
        "uuid": known.uuid,
        "documents": documents,
        "encoded": {each: _with_part(caller, known, each, name) for each in PARTS},
        **problems.counts(cluster, known),
        "space": known.space,
        "bundle": {"name": known.bundle.name, "bits": known.bundle.bits, "digest": known.bundle.digest},
        "off": {"index": off.index, "since": off.since} if off else None,
        "follow": _unnamed(_follow(kept)) if kept and kept.get("uuid") == known.uuid else None,
    }


def _unnamed(told: dict[str, Any]) -> dict[str, Any]:
    """Without the machine and process: they are no reader's business, nor is who switched something off."""
    return {name: value for name, value in told.items() if name not in ("host", "pid")}


def _watermarks(cluster: Cluster, known: state.Attached, kept: Mapping[str, Any] | None) -> dict[int, Shard]:
    """What was followed of every shard, and where the shard is now; none where that says nothing of this index."""
    shards = lines.restored(kept, known.uuid, watermarks.judging(known))
    seen = watermarks.look(cluster, known.index) if shards else None
    if not seen or set(seen.points) != set(shards):
        return {}
    met = [shards[number].meet(point.history, point.checkpoint) for number, point in seen.points.items()]
    return shards if all(met) else {}


def _lag(kept: Mapping[str, Any] | None, stale: int) -> float | None:
    if not stale:
        return 0.0
    return round(max(time.time() - kept["at"], 0.0) + kept["lag_s"], 3) if kept else None


def _follow(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What its follower wrote last of an index."""
    owner, seen = kept["owner"], max(time.time() - kept["at"], 0.0)
    told = {name: kept.get(name) for name in ("stale", "unread", "scanning", "rates")}
    return {
        "running": owner is not None and seen < lease.DEAD,
        "host": owner and owner["host"],
        "pid": owner and owner["pid"],
        "last_seen": _moment(kept["at"]),
        "last_scan": _moment(kept.get("last_scan")),
        **told,
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat("T", "seconds")


def _with_part(cluster: Cluster, known: state.Attached, name: str, index: str) -> int:
    return count(cluster, index, holding(known.space, (name,)))
