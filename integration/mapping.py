"""Our fields in the mapping of an index: put before anything is written there, and never taken away again."""

from collections.abc import Mapping
from typing import Any

from integration import state
from integration.engine.client import Cluster, part
from mappings import bands, fields

OBJECTS = (fields.OBJECT, bands.OBJECT)  # what we add to documents, and no catalogue may have
SIGN = bands.LEAVES["text"]  # a space that has this field there has bands; it may hold vectors alone


def extend(cluster: Cluster, known: state.Attached) -> None:
    """Add the fields of every space, and of its bands where it has some."""
    for space, bundle in known.spaces.items():
        put(cluster, known.index, fields.space_mapping(space))
        if bundle.cut:
            put(cluster, known.index, bands.space_mapping(space))


def put(cluster: Cluster, index: str, body: Mapping[str, Any]) -> None:
    """Add fields to a concrete index."""
    cluster.request("PUT", f"/{part(index)}/_mapping", body=body)


def spaces_in(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The spaces, dropped ones included, that our object `name` has in a mapping."""
    found: Mapping[str, Any] = mapping.get("properties", {}).get(name, {}).get("properties", {})
    return found


def holds(mapping: Mapping[str, Any], known: state.Attached) -> bool:
    """Whether every space and every space's bands are mapped."""
    banded = {space for space, bundle in known.spaces.items() if bundle.cut}
    coded, beside = (spaces_in(mapping, name) for name in OBJECTS)
    cut = {space for space, entry in beside.items() if SIGN in entry.get("properties", {})}
    return coded.keys() >= known.spaces.keys() and cut >= banded
