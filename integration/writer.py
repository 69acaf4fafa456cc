"""Guarded reads and writes of a catalogue's documents: no write of the catalogue is ever lost, broken or invented.

Everything goes through the hidden alias that is named after the index's UUID, with `require_alias`: it dies with the
index, so a late write can neither create an index nor reach a rebuilt one. Versions are guarded the way the catalogue
itself uses them (`TargetProfile.versioning`):

- internal: `if_seq_no` and `if_primary_term` of the read; every race ends in a conflict.
- external: the document's own `_version` with `external_gte`, so that the catalogue's next write meets no 409. Of a
  write or delete of the catalogue at the SAME version the engine knows nothing (`if_seq_no` does not go with external
  versions). So sequence numbers are compared right before the write, and what fell between the two is looked for
  afterwards: a deleted record that our write brought back is deleted again, and one that our write may lie on top of
  is `UNPROVEN`.
"""

import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import msgspec

from integration import account, window
from integration.engine.answers import decoded, document
from integration.engine.client import BLOCKED, BUSY, Cluster, heals, part
from mappings.errors import EngineRefused, EngineUnavailable, UnknownIndexError, WriteRefused

BULK_BYTES = 8_000_000  # far below http.max_content_length, small enough for a busy heap
CONFLICT = 409
WAITS = (0.1, 0.5, 2.0, 5.0, 15.0)  # seconds before each further try to take back what must not stay
_GUARDS = {"require_alias": "true", "pipeline": "_none"}


@dataclass(frozen=True, slots=True)
class Key:
    """Where a document lies: its id and, where the catalogue routes, its routing."""

    id: str
    routing: str | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """A document as it is now: its raw bytes and the versions that guard a write.

    `marks` are those of the index right before the read, where they matter.
    """

    key: Key
    source: bytes
    version: int
    seq_no: int
    primary_term: int
    marks: window.Marks | None = None


Put = tuple[Current, bytes]  # a document as read, and the bytes that are to take its place


class Outcome(Enum):
    """What became of one write."""

    WRITTEN = "written"
    UNPROVEN = "unproven"  # written, and a write of the catalogue at the same version in that instant may lie beneath
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
        try:
            marks = window.marks(self._cluster, self._path) if self._versioning == "external" else None
            return [_current(key, one, marks) for key, one in zip(keys, self._found(keys), strict=True)]
        except UnknownIndexError:
            return [None] * len(keys)

    def write(self, puts: Sequence[Put]) -> list[Outcome | Refusal]:
        """Put new bytes in the place of each document read; one outcome a document, in order.

        Raises WriteRefused where the account does not see whole documents, and where the index is blocked: that is
        nothing of one document's.
        """
        if puts:
            account.demand_whole(self._cluster, self._alias)
        outcomes: list[Outcome | Refusal] = []
        for batch in _batches(puts):
            outcomes += (
                self._write_external(batch) if self._versioning == "external" else map(_judged, self._send(batch))
            )
        return outcomes

    def _found(self, keys: Sequence[Key], **params: str) -> list[_Found]:
        wanted = [{"_id": key.id} | ({"routing": key.routing} if key.routing is not None else {}) for key in keys]
        answer = self._cluster.raw("POST", f"{self._path}/_mget", params=params, body={"docs": wanted})
        found = decoded(_reader, answer).docs
        for one in found:
            if one.error and one.error.get("type") != "index_not_found_exception":
                raise EngineUnavailable(f"document {one.id} cannot be read: {one.error.get('reason')}")
        return found

    def _write_external(self, batch: Sequence[Put]) -> list[Outcome | Refusal]:
        """External versions let a write at the same version pass unseen: so look right before and right after."""
        try:
            before = window.marks(self._cluster, self._path)
            same = self._are_same(batch, before)
        except UnknownIndexError:
            return [Outcome.GONE] * len(batch)
        sent = iter(self._send([put for put, still in zip(batch, same, strict=True) if still]))
        items = [next(sent) if still else {"status": CONFLICT} for still in same]
        for (current, _), item in zip(batch, items, strict=True):
            if item.get("result") == "created":
                self._take_back(current, item)
        numbers = [(current.key.id, item.get("_seq_no", -1)) for (current, _), item in zip(batch, items, strict=True)]
        outcomes = [_judged(item) for item in items]
        written = {number for number, outcome in zip(numbers, outcomes, strict=True) if outcome is Outcome.WRITTEN}
        doubtful = self._doubtful(before, written)
        return [Outcome.UNPROVEN if n in doubtful else outcome for n, outcome in zip(numbers, outcomes, strict=True)]

    def _are_same(self, batch: Sequence[Put], now: window.Marks) -> list[bool]:
        """Whether each document is still the one that was read; asked only where the index was written to since."""
        if all(window.is_quiet(current.marks, now) for current, _ in batch):
            return [True] * len(batch)
        found = self._found([current.key for current, _ in batch], _source="false")
        return [
            (one.seq_no, one.primary_term) == (current.seq_no, current.primary_term)
            for one, (current, _) in zip(found, batch, strict=True)
        ]

    def _doubtful(self, before: window.Marks, written: Set[tuple[str, int]]) -> Set[tuple[str, int]]:
        """Those of our writes that may lie on top of one of the catalogue's."""
        if not written:
            return written
        try:
            after = window.marks(self._cluster, self._path)
            if window.is_quiet(before, after, own=len(written)):
                return set()
            return window.on_top(self._cluster, self._path, before, after, written)
        except UnknownIndexError:
            return set()
        except EngineUnavailable:
            return written

    def _send(self, batch: Sequence[Put]) -> list[dict[str, Any]]:
        """The engine's item for each document; what befell the whole request stands in every one."""
        if not batch:
            return []
        try:
            if b"\n" in batch[0][1]:
                return [self._send_alone(*batch[0])]
            lines = b"".join(
                msgspec.json.encode({"index": {"_id": current.key.id, **self._guard(current)}}) + b"\n" + source + b"\n"
                for current, source in batch
            )
            answer = self._cluster.bulk(self._path, lines, params=_GUARDS)
            return [item["index"] for item in answer["items"]]
        except UnknownIndexError:
            return [{"status": 404}] * len(batch)
        except EngineUnavailable:
            return [{"status": 503}] * len(batch)

    def _send_alone(self, current: Current, source: bytes) -> dict[str, Any]:
        """A document with line breaks between its members cannot stand in a bulk body; its bytes are kept."""
        path = f"{self._path}/_doc/{part(current.key.id)}"
        try:
            item = self._cluster.request("PUT", path, params={**_GUARDS, **self._guard(current)}, body=source)
        except EngineRefused as error:
            item = {"status": error.status, "error": {"type": error.kind, "reason": error.reason}}
        return {"status": 200, **item}

    def _guard(self, current: Current) -> dict[str, Any]:
        if self._versioning == "internal":
            return {"if_seq_no": current.seq_no, "if_primary_term": current.primary_term, **_routing(current.key)}
        return {"version": current.version, "version_type": "external_gte", **_routing(current.key)}

    def _take_back(self, current: Current, item: Mapping[str, Any]) -> None:
        """Delete the record that our write brought back, unless somebody wrote it since.

        At its own version, as the catalogue deleted it: a guard by `if_seq_no` would raise the tombstone's version by
        one, and for a minute (`index.gc_deletes`) the catalogue would get a 409 for a record that it makes again.
        So a record made again at the same version within the millisecond between look and delete is lost; one that is
        made again at any time later is not.
        """
        for wait in WAITS:  # a job that was run again instead would find the record there, and leave it
            try:
                return self._delete_again(current, item)
            except UnknownIndexError:
                return None
            except EngineUnavailable:
                time.sleep(wait)
        return self._delete_again(current, item)

    def _delete_again(self, current: Current, item: Mapping[str, Any]) -> None:
        [now] = self._found([current.key], _source="false")
        if (now.seq_no, now.primary_term) != (item["_seq_no"], item["_primary_term"]):
            return
        guard = {"version": current.version, "version_type": "external_gte", **_routing(current.key)}
        try:
            self._cluster.request("DELETE", f"{self._path}/_doc/{part(current.key.id)}", params=guard)
        except EngineRefused as error:
            if error.status not in (404, CONFLICT):
                raise


def _judged(item: Mapping[str, Any]) -> Outcome | Refusal:
    """What became of one write. Raises WriteRefused where a block keeps every document from being written."""
    status, error = item["status"], item.get("error", {})
    if status in (200, 201):  # created: it was deleted since it was read
        return Outcome.GONE if item.get("result") == "created" else Outcome.WRITTEN
    if status == CONFLICT:
        return Outcome.CONFLICT
    if status in BUSY or heals(error.get("type"), error.get("reason")):
        return Outcome.BUSY
    if status == 404 or error.get("type") == "index_not_found_exception":
        return Outcome.GONE
    if error.get("type") == BLOCKED:
        raise WriteRefused(
            f"OpenSearch blocks writing: {error.get('reason')}; lift the block (index.blocks.*) and run again"
        )
    cause = error.get("caused_by", {}).get("reason")
    return Refusal(f"{error.get('type')}: {error.get('reason')}" + (f" ({cause})" if cause else ""))


def _routing(key: Key) -> dict[str, str]:
    return {} if key.routing is None else {"routing": key.routing}


def _current(key: Key, found: _Found, marks: window.Marks | None) -> Current | None:
    if not found.found:
        return None
    return Current(key, document(found.source), found.version, found.seq_no, found.primary_term, marks)


def _batches(puts: Sequence[Put]) -> list[list[Put]]:
    """Cut `puts` into requests of bounded size; a document with line breaks goes alone."""
    batches: list[list[Put]] = []
    size = 0
    for put in puts:
        alone = b"\n" in put[1]
        if not batches or alone or size + len(put[1]) > BULK_BYTES or b"\n" in batches[-1][0][1]:
            batches.append([])
            size = 0
        batches[-1].append(put)
        size += len(put[1])
    return batches
