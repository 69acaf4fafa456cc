"""The vectors of a space for the k-NN plugin: whether an index can hold them, and how they stand in it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from integration import mapping, state
from integration.documents import count, holding
from integration.engine.client import Cluster, part
from integration.search import abilities
from mappings import vectors
from mappings.bands import OBJECT
from mappings.errors import AttachRefused

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Graphs:
    """How the vectors of a space stand: so many `documents` have some, and so many `lack` those of their codes.

    Vectors that are not `ready` are being filled: no search uses them.
    """

    space: str
    engine: str
    ready: bool
    documents: int
    lack: int

    @property
    def advice(self) -> str | None:
        """What is to be done about them; None where they are as they should be."""
        return None if self.ready else "not every document has its vectors yet; run `crosshatch plans add` again"

    def listed(self) -> dict[str, Any]:
        """As JSON."""
        told = {name: getattr(self, name) for name in ("space", "engine", "ready", "documents", "lack", "advice")}
        return {"plan": "knn", **told}


def stands(cluster: Cluster, known: state.Attached) -> list[Graphs]:
    """The vectors of every space that has some, the active one first."""
    spaces = sorted(known.spaces, key=lambda space: space != known.space)
    return [_stand(cluster, known, space, engine) for space in spaces if (engine := known.spaces[space].vectors)]


def _stand(cluster: Cluster, known: state.Attached, space: str, engine: str) -> Graphs:
    coded, graphed = holding(space), holding(space, field=vectors.first_field)
    documents = count(cluster, known.index, graphed)
    lack = count(cluster, known.index, {"bool": {"filter": [coded], "must_not": [graphed]}})
    return Graphs(space, engine, known.spaces[space].vectors_ready, documents, lack)


def engine_for(cluster: Cluster, seen: state.Attached, asked: str | None) -> str:
    """The engine of the graphs: the one that is asked for, that the mapping has already, or the cluster's best.

    Nothing is written to find it out. Raises AttachRefused telling everything that stands in the way.
    """
    there = cluster.request("GET", f"/{part(seen.index)}", params={"flat_settings": "true"})[seen.index]
    entry = mapping.spaces_in(there["mappings"], OBJECT).get(seen.space, {}).get("properties", {})
    mapped = entry.get(mapping.GRAPHED, {}).get("method", {}).get("engine")
    able = abilities.read(cluster)
    engine = asked or mapped or next(iter(able.knn_engines), vectors.ENGINES[0])
    refused = [vectors.refusal(there["settings"]), *_refusals(able, engine, mapped)]
    if told := [why for why in refused if why]:
        raise AttachRefused(f"index {seen.index} can get no vectors: " + " | ".join(told))
    return engine


def _refusals(able: abilities.Abilities, engine: str, mapped: str | None) -> Iterator[str]:
    if able.knn is None:
        yield f"the cluster has no k-NN plugin to use: {able.knn_why}"
    elif engine not in able.knn_engines:
        can = " or ".join(able.knn_engines) or "no engine"
        yield (
            f"engine {engine} cannot be used: {can} can hold binary vectors here, and faiss only where every node with "
            "data has used its native library since its start; `crosshatch doctor` tells what was found"
        )
    if mapped and mapped != engine:
        yield f"its vectors are mapped for engine {mapped}, and no request can change that; leave the engine out"


def possible(cluster: Cluster, known: state.Attached) -> state.Attached:
    """`known`, whose index was made anew, without vectors where it was made without the settings that they need."""
    if not any(bundle.vectors for bundle in known.spaces.values()):
        return known
    answer = cluster.request("GET", f"/{part(known.index)}/_settings", params={"flat_settings": "true"})
    why = vectors.refusal(answer[known.index]["settings"])
    if why is None:
        return known
    log.warning("index %s was made anew and has no vectors any more: %s", known.index, why)
    spaces = {space: replace(one, vectors=None, vectors_ready=False) for space, one in known.spaces.items()}
    return replace(known, spaces=spaces)
