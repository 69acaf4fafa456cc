"""Many writes of raw documents and deletes to one index, each with a guard of its own, and what became of each."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from integration.engine.client import Cluster, part
from integration.writer import BULK_BYTES, Key
from mappings.errors import EngineRefused, EngineUnavailable, WriteRefused

WAITS = (0.1, 0.5, 2.0, 5.0, 15.0, 30.0)  # seconds before each further try where the engine is too busy
_PARAMS = {"require_alias": "true", "pipeline": "_none"}


@dataclass(frozen=True, slots=True)
class Write:
    """One write: a document's bytes, or None to delete it; `guard` is what the engine compares before it acts."""

    key: Key
    source: bytes | None
    guard: dict[str, Any] = field(default_factory=dict)

    @property
    def about(self) -> dict[str, Any]:
        """Guard and routing, as a bulk line or the parameters of a URL have them."""
        return self.guard | ({} if self.key.routing is None else {"routing": self.key.routing})


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write: `done`, or else a conflict (or for a delete: nothing was there)."""

    write: Write
    done: bool
    seq_no: int = -1
    primary_term: int = -1
    version: int = -1


def ship(cluster: Cluster, alias: str, writes: Sequence[Write]) -> list[Written]:
    """Send `writes` through `alias`, in order; a busy engine is waited for.

    Each guard makes a second sending harmless. Raises EngineUnavailable where the engine stays busy, WriteRefused
    where it takes a document for no reason of versions.
    """
    written = []
    for batch in _batches(writes):
        written += _patiently(cluster, alias, batch)
    return written


def _patiently(cluster: Cluster, alias: str, batch: list[Write]) -> list[Written]:
    found: dict[int, Written] = {}
    waiting = list(enumerate(batch))
    for wait in (*WAITS, None):
        try:
            items = _send(cluster, alias, [write for _, write in waiting])
            found |= {n: _judged(w, i) for (n, w), i in zip(waiting, items, strict=True) if not _is_busy(i)}
            waiting = [one for one, item in zip(waiting, items, strict=True) if _is_busy(item)]
        except EngineUnavailable:
            if wait is None:
                raise
        if not waiting:
            break
        if wait is None:
            raise EngineUnavailable(f"the engine is too busy to take {len(waiting)} documents; run this again later")
        time.sleep(wait)
    return [found[number] for number in range(len(batch))]


def _send(cluster: Cluster, alias: str, batch: Sequence[Write]) -> list[dict[str, Any]]:
    first = batch[0]
    if first.source is not None and b"\n" in first.source:
        return [_send_alone(cluster, alias, first, first.source)]
    lines = []
    for write in batch:
        action = "delete" if write.source is None else "index"
        lines.append(msgspec.json.encode({action: {"_id": write.key.id, **write.about}}))
        lines += [] if write.source is None else [write.source]
    answer = cluster.bulk(f"/{part(alias)}", b"\n".join(lines) + b"\n", params=_PARAMS)
    return [next(iter(item.values())) for item in answer["items"]]


def _send_alone(cluster: Cluster, alias: str, write: Write, source: bytes) -> dict[str, Any]:
    """A document with line breaks between its members cannot stand in a bulk body; its bytes are kept."""
    try:
        path = f"/{part(alias)}/_doc/{part(write.key.id)}"
        return {"status": 200, **cluster.request("PUT", path, params={**_PARAMS, **write.about}, body=source)}
    except EngineRefused as error:
        return {"status": error.status, "error": {"type": error.kind, "reason": error.reason}}


def _is_busy(item: dict[str, Any]) -> bool:
    return item["status"] in (429, 502, 503, 504)


def _judged(write: Write, item: dict[str, Any]) -> Written:
    if item["status"] in (200, 201):
        return Written(write, True, item["_seq_no"], item["_primary_term"], item["_version"])
    if item["status"] == 409 or (write.source is None and item["status"] == 404 and "error" not in item):
        return Written(write, False)
    error = item.get("error", {})
    raise WriteRefused(f"the engine refuses document {write.key.id!r}: {error.get('type')}: {error.get('reason')}")


def _batches(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Requests of bounded size; a document with line breaks goes alone."""
    batch: list[Write] = []
    size = 0
    for write in writes:
        length = len(write.source or b"")
        alone = b"\n" in (write.source or b"")
        if batch and (alone or size + length > BULK_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(write)
        size += length
        if alone:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
