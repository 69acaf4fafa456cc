"""Records of files into an index of our own making, for people who have no catalogue index yet."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration import state
from integration.engine.client import Cluster, part
from integration.sources import formats
from integration.sources.record import BadRecord, BibRecord
from mappings.errors import EngineRefused, RequestError, UnknownIndexError, WriteRefused

PROFILE = "catalogue"
CHUNK_RECORDS, CHUNK_BYTES = 500, 4_000_000
SHOWN = 20
TRIES = 6

_TEXT = {"type": "text", "analyzer": "folded"}
_WORDS = {**_TEXT, "fields": {"keyword": {"type": "keyword", "ignore_above": 512}}}
_KEYWORD = {"type": "keyword", "ignore_above": 8000}
_AGENT = {"properties": {"name": _WORDS, "role": {"type": "keyword", "ignore_above": 512}}}
FIELDS: dict[str, dict[str, Any]] = {
    "title": _WORDS,
    "creators": _AGENT,
    "contributors": _AGENT,
    "subjects": _WORDS,
    "summary": _TEXT,
    "published": _KEYWORD,
    "publisher": _WORDS,
    "language": _KEYWORD,
    "isbn": _KEYWORD,
    "identifiers": _KEYWORD,
    "picture_urls": _KEYWORD,
    "marc": {"type": "binary"},  # kept in the source only
}
INDEX = {
    # Catalogues hold many languages: no stemming, and a reader without an accent on the keyboard still finds.
    "settings": {
        "analysis": {
            "analyzer": {"folded": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}}
        }
    },
    "mappings": {"dynamic": "strict", "properties": FIELDS},
}


@dataclass(slots=True)
class Loaded:
    """What a load did. `read` = `loaded` + failed; `replaced` of the loaded had an id that was there before."""

    read: int = 0
    loaded: int = 0
    replaced: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)  # the first SHOWN
    seconds: float = 0.0

    def fail(self, record: str, why: str) -> None:
        """Count a record that was not loaded, and keep why for the first few."""
        if len(self.failed) < SHOWN:
            self.failed.append({"id": record, "why": why})


def load_files(
    cluster: Cluster,
    files: Sequence[Path],
    index: str,
    *,
    form: str | None = None,
    progress: Callable[[Loaded], None] = lambda counts: None,
) -> Loaded:
    """Load `files` into `index`, made where there is none, and note the profile `catalogue` for it.

    `form` is one of `formats.READERS`; None takes each file's own. Loading a file again replaces its records by id.
    An existing index is written into only if it holds every field of ours in the same type: `load` itself made it, or
    somebody prepared it for that. Raises RequestError, before anything is written, where a file cannot be read or the
    index is another one; WriteRefused and EngineUnavailable where the engine stops the load: it can be run again.
    """
    begun, counts = time.monotonic(), Loaded()
    for file in files:
        formats.check(file, form)
    name = _prepared(cluster, index)
    state.note_profile(cluster, name, PROFILE)
    for chunk in _chunks(_lines(files, form, counts)):
        _write(cluster, name, chunk, counts)
        progress(counts)
    cluster.request("POST", f"/{part(name)}/_refresh")
    counts.seconds = round(time.monotonic() - begun, 3)
    return counts


def _prepared(cluster: Cluster, index: str) -> str:
    """The concrete index to write to, made if there is none. Raises RequestError."""
    try:
        name, _ = state.concrete(cluster, index)
    except UnknownIndexError:
        try:
            cluster.request("PUT", f"/{part(index)}", body=INDEX)
        except EngineRefused as error:
            if error.kind == "invalid_index_name_exception":
                raise RequestError(f"{index!r} cannot be the name of an index: {error.reason}") from error
            raise
        return index
    found = cluster.request("GET", f"/{part(name)}/_mapping")[name]["mappings"].get("properties", {})
    wrong = sorted(field for field, wanted in FIELDS.items() if _types(found.get(field, {})) != _types(wanted))
    if wrong:
        raise RequestError(
            f"index {name} exists, and load did not make it: {', '.join(wrong)} not mapped as load maps them; "
            "give another --index, or delete this one if nobody needs it"
        )
    return name


def _types(mapping: dict[str, Any]) -> dict[str, Any]:
    """The field types in a mapping, inner fields included."""
    inner = {**mapping.get("properties", {}), **mapping.get("fields", {})}
    return {"type": mapping.get("type", "object"), **{name: _types(one) for name, one in inner.items()}}


def _lines(files: Iterable[Path], form: str | None, counts: Loaded) -> Iterator[tuple[str, bytes]]:
    """(id, its two lines of a bulk request) of each readable record."""
    for file in files:
        for record in formats.read(file, form):
            counts.read += 1
            if isinstance(record, BadRecord):
                counts.fail(record.id or f"record {record.position} of {file.name}", _where(record, file))
            else:
                yield record.id, _bulk_lines(record)


def _where(bad: BadRecord, file: Path) -> str:
    at = "" if bad.offset is None else f", byte {bad.offset}"
    return f"{file.name}, record {bad.position}{at}: {bad.why}"


def _bulk_lines(record: BibRecord) -> bytes:
    action = json.dumps({"index": {"_id": record.id}}, ensure_ascii=False)
    return f"{action}\n{json.dumps(record.document(), ensure_ascii=False)}\n".encode()


def _chunks(lines: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Requests of at most CHUNK_RECORDS records and, but for a single larger one, CHUNK_BYTES bytes."""
    chunk: list[tuple[str, bytes]] = []
    size = 0
    for one in lines:
        if chunk and (len(chunk) == CHUNK_RECORDS or size + len(one[1]) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += len(one[1])
    yield chunk  # the last one may be empty: its progress counts what failed


def _write(cluster: Cluster, index: str, chunk: list[tuple[str, bytes]], counts: Loaded) -> None:
    """Index a chunk; records that a busy engine turned away (429) are sent again: their file is their only source."""
    for again in range(TRIES):
        if not chunk:
            return
        answer = cluster.bulk(f"/{part(index)}", b"".join(lines for _, lines in chunk))
        outcomes = [outcome["index"] for outcome in answer["items"]]
        busy = [one for one, outcome in zip(chunk, outcomes, strict=True) if outcome["status"] == 429]
        for (record, _), outcome in zip(chunk, outcomes, strict=True):
            _count(record, outcome, counts, last=again == TRIES - 1)
        chunk = busy
        if chunk and again < TRIES - 1:
            time.sleep(0.2 * 2**again)


def _count(record: str, outcome: dict[str, Any], counts: Loaded, *, last: bool) -> None:
    """Add one record's outcome. Raises WriteRefused where the index is blocked: no other record would go through."""
    error = outcome.get("error")
    if error is None:
        counts.loaded += 1
        counts.replaced += outcome["result"] == "updated"
    elif error["type"] == "cluster_block_exception":
        raise WriteRefused(f"OpenSearch blocks the index: {error['reason']}; lift the block and run load again")
    elif outcome["status"] != 429 or last:
        cause = error.get("caused_by", {}).get("reason")
        counts.fail(record, f"{error['type']}: {error['reason']}" + (f" ({cause})" if cause else ""))
