"""A cluster in memory, at the seam where `integration.engine.client.Cluster` stands: what it says is what OpenSearch
says, for the few requests that attached indices, their state and their code store need. tests/live proves the rest.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

from integration.engine.client import Cluster
from mappings.errors import EngineRefused, UnknownIndexError


@dataclass
class Document:
    """A document: its bytes, and what guards a write."""

    source: bytes
    seq_no: int
    version: int = 1
    routing: str | None = None


@dataclass(eq=False)
class FakeCluster:
    """Documents by index; `before_write` runs before every write of a bulk request, as a faster catalogue would."""

    indices: dict[str, dict[str, Document]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    before_write: Callable[[str], None] = lambda _: None
    asked: list[str] = field(default_factory=list)
    _clock: int = 0

    def as_cluster(self) -> Cluster:
        """Itself, for what takes a Cluster."""
        return cast(Cluster, self)

    def put(self, index: str, record: str, source: bytes, routing: str | None = None) -> None:
        """Write a document, as the catalogue does."""
        self._clock += 1
        held = self.indices.setdefault(index, {})
        version = held[record].version + 1 if record in held else 1
        held[record] = Document(source, self._clock, version, routing)

    def source(self, index: str, record: str) -> bytes:
        """The bytes of a document."""
        return self.indices[index][record].source

    def exists(self, path: str) -> bool:
        """HEAD."""
        return path.strip("/") in self.indices

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """As `Cluster.request`."""
        return json.loads(self.raw(method, path, params=params, body=body))

    def bulk(self, path: str, lines: bytes, *, params: Mapping[str, Any] | None = None) -> Any:
        """As `Cluster.bulk`."""
        return self.request("POST", f"{path}/_bulk", params=params, body=lines)

    def raw(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> bytes:
        """As `Cluster.raw`."""
        self.asked.append(f"{method} {path}")
        name, _, rest = path.strip("/").partition("/")
        if name == "_search":  # a scroll that went to its end, and its closing
            return b'{"_scroll_id":"s","hits":{"hits":[]}}'
        if name in ("_nodes", "_cluster"):  # nodes that nobody presses, and settings that nobody made
            return b"{}"
        if method == "PUT" and not rest:
            return self._create(name)
        index = self.aliases.get(unquote(name), unquote(name))
        if index not in self.indices:
            raise UnknownIndexError(f"no such index [{index}]")
        what, _, key = rest.partition("/")
        answers: dict[str, Callable[[], bytes]] = {
            "_update": lambda: self._missing(key),
            "_refresh": lambda: b"{}",
            "_stats": lambda: _json({"_all": {"primaries": self._size(index)}}),
            "_settings": lambda: _json({index: {"settings": {"index": {"uuid": f"uuid-{index}"}}}}),
            "_doc": lambda: self._document(method, index, unquote(key), params or {}, body),
            "_mget": lambda: b'{"docs":[%s]}' % b",".join(self._found(index, one) for one in _ids(body)),
            "_bulk": lambda: _json({"errors": False, "items": list(self._bulk(index, body))}),
            "_search": lambda: self._search(index, body),
        }
        return answers[what]()

    def _size(self, index: str) -> Mapping[str, object]:
        documents = self.indices[index]
        stored = sum(len(one.source) for one in documents.values())
        return {"docs": {"count": len(documents)}, "store": {"size_in_bytes": stored}}

    def _missing(self, key: str) -> bytes:
        raise EngineRefused(404, "document_missing_exception", f"[{key}]: document missing", "POST")

    def _create(self, name: str) -> bytes:
        if name in self.indices:
            raise EngineRefused(400, "resource_already_exists_exception", "index exists", f"PUT {name}")
        self.indices[name] = {}
        return b"{}"

    def _document(self, method: str, index: str, key: str, params: Mapping[str, Any], body: Any) -> bytes:
        if method == "GET":
            if key not in self.indices[index]:
                raise EngineRefused(404, "not found", "", f"GET {key}")
            return self._found(index, key)
        if self._refuses(index, key, params):
            raise EngineRefused(409, "version_conflict_engine_exception", "conflict", f"{method} {key}")
        if method == "DELETE":
            del self.indices[index][key]
            return b"{}"
        self.put(index, key, body if isinstance(body, bytes) else _json(body), params.get("routing"))
        return _json({"_id": key, "result": "updated", "status": 200})

    def _refuses(self, index: str, key: str, guard: Mapping[str, Any]) -> bool:
        there = self.indices[index].get(key)
        if guard.get("op_type") == "create":
            return there is not None
        if "if_seq_no" in guard:
            return there is None or (there.seq_no, 1) != (guard["if_seq_no"], guard["if_primary_term"])
        return "version" in guard and there is not None and guard["version"] < there.version

    def _found(self, index: str, key: str) -> bytes:
        there = self.indices[index].get(key)
        if there is None:
            return _json({"_id": key, "found": False})
        about = {"_id": key, "found": True, "_seq_no": there.seq_no, "_primary_term": 1, "_version": there.version}
        return _json(about)[:-1] + b',"_source":' + there.source + b"}"

    def _bulk(self, index: str, lines: bytes) -> Iterator[dict[str, Any]]:
        waiting = iter(lines.rstrip(b"\n").split(b"\n"))
        for line in waiting:
            [(action, about)] = json.loads(line).items()
            key = about["_id"]
            if action == "delete":
                self.indices[index].pop(key, None)
                yield {"delete": {"_id": key, "status": 200}}
                continue
            source = next(waiting)
            self.before_write(key)
            if self._refuses(index, key, about):
                yield {"index": {"_id": key, "status": 409, "error": {"type": "version_conflict_engine_exception"}}}
                continue
            self.put(index, key, source, about.get("routing"))
            yield {"index": {"_id": key, "status": 200, "result": "updated"}}

    def _search(self, index: str, body: Mapping[str, Any]) -> bytes:
        """Every document; or, for the one aggregation we use, numbers of problems by reason."""
        if "aggs" in body:
            return self._problems(index)
        hits = []
        for key, there in self.indices[index].items():
            routing = {} if there.routing is None else {"_routing": there.routing}
            guard = {"_seq_no": there.seq_no, "_primary_term": 1} if body.get("seq_no_primary_term") else {}
            hits.append(_json({"_id": key, **routing, **guard})[:-1] + b',"_source":' + there.source + b"}")
        return b'{"_scroll_id":"s","hits":{"hits":[%s]}}' % b",".join(hits)

    def _problems(self, index: str) -> bytes:
        counts: dict[bool, dict[str, int]] = {}
        for there in self.indices[index].values():
            kept = json.loads(there.source)
            if kept.get("kind") == "problem":
                reasons = counts.setdefault(kept["failed"], {})
                reasons[kept["reason"]] = reasons.get(kept["reason"], 0) + 1
        buckets = [
            {"key": int(failed), "reasons": {"buckets": [{"key": k, "doc_count": n} for k, n in reasons.items()]}}
            for failed, reasons in counts.items()
        ]
        return _json({"aggregations": {"failed": {"buckets": buckets}}})


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _ids(body: Mapping[str, Any]) -> list[str]:
    return body["ids"] if "ids" in body else [document["_id"] for document in body["docs"]]
