"""How an attached index stands: what is encoded, what is stale, what failed and why."""

from dataclasses import asdict
from typing import Any

from integration import problems, scan, state, switch
from integration.engine.client import Cluster, part
from mappings.fields import PARTS, field_name


def of_index(cluster: Cluster, known: state.Attached) -> dict[str, Any]:
    """The object that `crosshatch status --json` prints; reads every document once to find the stale ones.

    `lag_s` is the age in seconds of the oldest stale record, where that can be known; a catalogue's documents carry no
    time of writing, so it is null until something follows the index.
    """
    stale = sum(1 for record in scan.judged(cluster, known) if record.verdict == "stale")
    counted = problems.counts(cluster, known)
    off = switch.is_off(cluster, known.index)
    return {
        "index": known.index,
        "uuid": known.uuid,
        "documents": _count(cluster, known.index, {"match_all": {}}),
        "encoded": {name: _with_part(cluster, known, name) for name in PARTS},
        "stale": stale,
        "failed": counted["failed"],
        "partial": counted["partial"],
        "space": known.space,
        "bundle": {name: value for name, value in asdict(known.bundle).items() if name != "was_active"},
        "lag_s": 0.0 if not stale else None,
        "off": asdict(off) if off else None,
    }


def _with_part(cluster: Cluster, known: state.Attached, name: str) -> int:
    return _count(cluster, known.index, {"exists": {"field": field_name(known.space, name)}})


def _count(cluster: Cluster, index: str, query: dict[str, Any]) -> int:
    return int(cluster.request("POST", f"/{part(index)}/_count", body={"query": query})["count"])
