"""Our fields in the mapping of an index: put before anything is written there, and never taken away again."""

from collections.abc import Mapping
from typing import Any

from integration import state
from integration.engine.client import Cluster, part
from mappings import bands, fields, vectors

OBJECTS = (fields.OBJECT, bands.OBJECT)  # what we add to documents, and no catalogue may have
SIGN, GRAPHED = bands.LEAVES["text"], vectors.NAMES[0]  # a space that has these fields there has bands, vectors


def extend(cluster: Cluster, known: state.Attached) -> None:
    """Add the fields of every space, and of its bands and vectors where it has some."""
    for space, bundle in known.spaces.items():
        for body in (fields.space_mapping(space), *beside(space, bundle)):
            put(cluster, known.index, body)


def beside(space: str, bundle: state.Bundle) -> list[dict[str, Any]]:
    """What `put` adds beside the codes: bands and vectors, where the space has some."""
    graphs = [vectors.space_mapping(space, bundle.bits, bundle.vectors)] if bundle.vectors else []
    return ([bands.space_mapping(space)] if bundle.cut else []) + graphs


def put(cluster: Cluster, index: str, body: Mapping[str, Any]) -> None:
    """Add fields to a concrete index."""
    cluster.request("PUT", f"/{part(index)}/_mapping", body=body)


def spaces_in(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The spaces, dropped ones included, that our object `name` has in a mapping."""
    found: Mapping[str, Any] = mapping.get("properties", {}).get(name, {}).get("properties", {})
    return found


def holds(mapping: Mapping[str, Any], known: state.Attached) -> bool:
    """Whether every space is mapped, and its bands and vectors."""
    coded, there = (spaces_in(mapping, name) for name in OBJECTS)
    fields_of = {space: there.get(space, {}).get("properties", {}) for space in known.spaces}
    return coded.keys() >= known.spaces.keys() and all(
        (not bundle.cut or SIGN in fields_of[space]) and (not bundle.vectors or GRAPHED in fields_of[space])
        for space, bundle in known.spaces.items()
    )
