"""Guarded reads and writes of a catalogue's documents: no write of the catalogue is ever lost, broken or invented.

Everything goes through the hidden alias that is named after the index's UUID, with `require_alias`: it dies with the
index, so a late write can neither create an index nor reach a rebuilt one. Versions are guarded the way the catalogue
itself uses them (`TargetProfile.versioning`):

- internal: `if_seq_no` and `if_primary_term` of the read; every race ends in a conflict.
- external: the document's own `_version` with `external_gte`, so that the catalogue's next write meets no 409. A
  write or delete of the catalogue at the SAME version between read and write cannot be seen beforehand; a deleted
  record that our write brought back is deleted again here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import msgspec

from integration.engine.answers import decoded, document
from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused, EngineUnavailable, UnknownIndexError, WriteRefused

BULK_BYTES = 8_000_000  # far below http.max_content_length, small enough for a busy heap
_GUARDS = {"require_alias": "true", "pipeline": "_none"}


@dataclass(frozen=True, slots=True)
class Key:
    """Where a document lies: its id and, where the catalogue routes, its routing."""

    id: str
    routing: str | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """A document as it is now: its raw bytes and the versions that guard a write."""

    key: Key
    source: bytes
    version: int
    seq_no: int
    primary_term: int


class Outcome(Enum):
    """What became of one write."""

    WRITTEN = "written"
    CONFLICT = "conflict"  # the catalogue was faster: read again
    GONE = "gone"  # deleted meanwhile, or the index is gone
    BUSY = "busy"  # 429: read again, later


@dataclass(frozen=True, slots=True)
class Refusal:
    """The engine refuses this document for good: its own words."""

    reason: str


class _Found(msgspec.Struct):
    """One document of an `_mget` answer; `_source` stays the bytes that the engine holds."""

    id: str = msgspec.field(name="_id")
    found: bool = False
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw())
    version: int = msgspec.field(name="_version", default=-1)
    seq_no: int = msgspec.field(name="_seq_no", default=-1)
    primary_term: int = msgspec.field(name="_primary_term", default=-1)
    error: dict[str, Any] | None = None


class _Answer(msgspec.Struct):
    docs: list[_Found]


_reader = msgspec.json.Decoder(_Answer)


class GuardedIndex:
    """One attached index, through its write alias."""

    def __init__(self, cluster: Cluster, alias: str, versioning: Literal["internal", "external"]) -> None:
        self._cluster, self._alias, self._versioning = cluster, alias, versioning
        self._path = f"/{part(alias)}"

    def read(self, keys: Sequence[Key]) -> list[Current | None]:
        """Read documents in real time, in the order of `keys`; None for one that is not there (or no longer)."""
        if not keys:
            return []
        wanted = [{"_id": key.id} | ({"routing": key.routing} if key.routing is not None else {}) for key in keys]
        try:
            answer = self._cluster.raw("POST", f"{self._path}/_mget", body={"docs": wanted})
        except UnknownIndexError:
            return [None] * len(keys)
        found = decoded(_reader, answer).docs
        for one in found:
            if one.error and one.error.get("type") != "index_not_found_exception":
                raise EngineUnavailable(f"document {one.id} cannot be read: {one.error.get('reason')}")
        return [_current(key, one) for key, one in zip(keys, found, strict=True)]

    def write(self, puts: Sequence[tuple[Current, bytes]]) -> list[Outcome | Refusal]:
        """Put new bytes in the place of each document read; one outcome a document, in order."""
        outcomes: list[Outcome | Refusal] = []
        for batch in _batches(puts):
            if b"\n" in batch[0][1]:
                outcomes.append(self._write_alone(*batch[0]))
            else:
                outcomes.extend(self._write_together(batch))
        return outcomes

    def _write_together(self, batch: Sequence[tuple[Current, bytes]]) -> list[Outcome | Refusal]:
        lines = b"".join(
            msgspec.json.encode({"index": {"_id": current.key.id, **self._guard(current)}}) + b"\n" + source + b"\n"
            for current, source in batch
        )
        try:
            answer = self._cluster.bulk(self._path, lines, params=_GUARDS)
        except UnknownIndexError:
            return [Outcome.GONE] * len(batch)
        except EngineUnavailable:
            return [Outcome.BUSY] * len(batch)
        except WriteRefused as error:
            return [Refusal(str(error))] * len(batch)
        items = [item["index"] for item in answer["items"]]
        return [self._judged(current, item) for (current, _), item in zip(batch, items, strict=True)]

    def _write_alone(self, current: Current, source: bytes) -> Outcome | Refusal:
        """A document with line breaks between its members cannot stand in a bulk body; its bytes are kept."""
        path = f"{self._path}/_doc/{part(current.key.id)}"
        try:
            item = self._cluster.request("PUT", path, params={**_GUARDS, **self._guard(current)}, body=source)
        except UnknownIndexError:
            return Outcome.GONE
        except EngineUnavailable:
            return Outcome.BUSY
        except WriteRefused as error:
            return Refusal(str(error))
        except EngineRefused as error:
            item = {"status": error.status, "error": {"type": error.kind, "reason": error.reason}}
        return self._judged(current, {"status": 200, **item})

    def _guard(self, current: Current) -> dict[str, Any]:
        routing = {} if current.key.routing is None else {"routing": current.key.routing}
        if self._versioning == "internal":
            return {"if_seq_no": current.seq_no, "if_primary_term": current.primary_term, **routing}
        return {"version": current.version, "version_type": "external_gte", **routing}

    def _judged(self, current: Current, item: dict[str, Any]) -> Outcome | Refusal:
        status = item["status"]
        if status in (200, 201):
            if item.get("result") == "created":  # it was deleted since it was read: take back what we brought back
                self._take_back(current.key, item)
                return Outcome.GONE
            return Outcome.WRITTEN
        if status == 409:
            return Outcome.CONFLICT
        if status in (429, 502, 503, 504):
            return Outcome.BUSY
        kind = item["error"].get("type")
        if status == 404 or kind == "index_not_found_exception":
            return Outcome.GONE
        cause = item["error"].get("caused_by", {}).get("reason")
        return Refusal(f"{kind}: {item['error'].get('reason')}" + (f" ({cause})" if cause else ""))

    def _take_back(self, key: Key, item: dict[str, Any]) -> None:
        """Delete what our write created, unless somebody wrote it since."""
        routing = {} if key.routing is None else {"routing": key.routing}
        guard = {"if_seq_no": item["_seq_no"], "if_primary_term": item["_primary_term"], **routing}
        try:
            self._cluster.request("DELETE", f"{self._path}/_doc/{part(key.id)}", params=guard)
        except EngineRefused as error:
            if error.status not in (404, 409):
                raise


def _current(key: Key, found: _Found) -> Current | None:
    if not found.found:
        return None
    return Current(key, document(found.source), found.version, found.seq_no, found.primary_term)


def _batches(puts: Sequence[tuple[Current, bytes]]) -> list[list[tuple[Current, bytes]]]:
    """Cut `puts` into requests of bounded size; a document with line breaks goes alone."""
    batches: list[list[tuple[Current, bytes]]] = []
    size = 0
    for put in puts:
        alone = b"\n" in put[1]
        if not batches or alone or size + len(put[1]) > BULK_BYTES or b"\n" in batches[-1][0][1]:
            batches.append([])
            size = 0
        batches[-1].append(put)
        size += len(put[1])
    return batches
