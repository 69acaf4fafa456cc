"""Reads the mapping and a sample of an index's documents, bounded in number and bytes, and proposes a profile."""

import json
from collections.abc import Mapping
from typing import Any

from integration import state
from integration.engine.client import Cluster, part
from integration.mapping import OBJECTS
from integration.suggest.fields import fields
from integration.suggest.proposal import Proposal, propose
from mappings.errors import RequestError

SAMPLE = 200
AT_ONCE = 10
MAX_BYTES = 20_000_000  # of documents in all: some carry whole books


def suggest(cluster: Cluster, name: str, *, sample: int = SAMPLE) -> Proposal:
    """A profile for index or alias `name`; nothing is changed.

    Raises UnknownIndexError, RequestError for several indices or a hidden one, DataError where nothing is recognised.
    """
    index, _ = state.concrete(cluster, name)
    if index.startswith("."):
        raise RequestError(f"{index} is a hidden index; name the one that the catalogue searches")
    mapping: Mapping[str, Any] = cluster.request("GET", f"/{part(index)}/_mapping")[index]["mappings"]
    documents, hits = _documents(cluster, index, sample)
    notes = [] if documents else ["no document was read: names and types are all that this rests on"]
    if mapping.get("_source", {}).get("enabled") is False:
        notes.append("_source is switched off: attach refuses this index")
    ours = {path: field for path, field in fields(mapping, documents).items() if path.partition(".")[0] not in OBJECTS}
    return propose(index, ours, hits, notes)


def _documents(cluster: Cluster, index: str, number: int) -> tuple[list[dict[str, Any]], list[tuple[int, int]]]:
    """Documents drawn at random, always the same, and (`_version`, `_seq_no`) of each."""
    drawn = {"function_score": {"query": {"match_all": {}}, "random_score": {"seed": 1, "field": "_seq_no"}}}
    body = {"query": drawn, "size": number, "_source": False, "track_total_hits": False}
    ids = [hit["_id"] for hit in cluster.request("POST", f"/{part(index)}/_search", body=body)["hits"]["hits"]]
    documents: list[dict[str, Any]] = []
    hits: list[tuple[int, int]] = []
    room = MAX_BYTES
    for start in range(0, len(ids), AT_ONCE):
        if room <= 0:
            break
        wanted = {"query": {"ids": {"values": ids[start : start + AT_ONCE]}}, "size": AT_ONCE, "version": True}
        answer = cluster.raw("POST", f"/{part(index)}/_search", body={**wanted, "seq_no_primary_term": True})
        room -= len(answer)
        for hit in json.loads(answer)["hits"]["hits"]:
            if isinstance(hit.get("_source"), dict):
                documents.append(hit["_source"])
                hits.append((hit["_version"], hit["_seq_no"]))
    return documents, hits
