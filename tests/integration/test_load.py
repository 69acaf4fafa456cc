"""Loading, against an engine of a few lines that keeps what it is given."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integration import load as loading
from integration.cli import load as command
from integration.engine.client import Cluster
from integration.load import FIELDS, load_files
from mappings.errors import EngineRefused, RequestError, UnknownIndexError, WriteRefused
from mappings.profile import load as profile


class TinyEngine(Cluster):
    """Indices as dictionaries; `busy` and `blocked` are the answers a real one gives under load and when full."""

    def __init__(self) -> None:
        self.mappings: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self.bulks: list[int] = []
        self.busy = 0
        self.blocked = False

    def request(self, method: str, path: str, *, params: Any = None, body: Any = None) -> Any:
        index, _, rest = path.strip("/").partition("/")
        if method == "PUT" and not rest:
            if index != index.lower():
                raise EngineRefused(400, "invalid_index_name_exception", "must be lowercase", path)
            self.mappings[index] = body["mappings"]
        elif index not in self.mappings and not index.startswith("."):
            raise UnknownIndexError(f"no such index [{index}]")
        elif rest == "_settings":
            return {index: {"settings": {"index": {"uuid": "u1"}}}}
        elif rest == "_mapping":
            return {index: {"mappings": self.mappings[index]}}
        elif method == "PUT":
            self.documents.setdefault(index, {})[rest.removeprefix("_doc/")] = body
        return {}

    def exists(self, path: str) -> bool:
        return True

    def close(self) -> None:
        """Nothing is open."""

    def bulk(self, path: str, lines: bytes, *, params: Any = None) -> Any:
        rows = [json.loads(line) for line in lines.splitlines()]
        self.bulks.append(len(rows) // 2)
        return {
            "items": [{"index": self._one(path.strip("/"), *pair)} for pair in zip(rows[::2], rows[1::2], strict=True)]
        }

    def _one(self, index: str, action: Mapping[str, Any], document: dict[str, Any]) -> dict[str, Any]:
        if self.blocked:
            return {"status": 403, "error": {"type": "cluster_block_exception", "reason": "read-only"}}
        if self.busy:
            self.busy -= 1
            return {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "queue full"}}
        if document.get("title") == "refuse me":
            reason = {"type": "mapper_parsing_exception", "reason": "failed to parse", "caused_by": {"reason": "why"}}
            return {"status": 400, "error": reason}
        held = self.documents.setdefault(index, {})
        result = "updated" if action["index"]["_id"] in held else "created"
        held[action["index"]["_id"]] = document
        return {"status": 200, "result": result}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> TinyEngine:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return TinyEngine()


def lines(folder: Path, *records: dict[str, Any] | str) -> Path:
    """A file of JSON lines."""
    file = folder / "records.jsonl"
    file.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records))
    return file


def test_records_come_into_a_new_index_and_its_profile_is_noted(tmp_path: Path, engine: TinyEngine) -> None:
    file = lines(tmp_path, {"id": "a", "title": "Heidi"}, "{broken", {"id": "b", "title": "refuse me"}, {"id": "a"})
    counts = load_files(engine, [file], "books")
    assert (counts.read, counts.loaded, counts.replaced) == (4, 2, 1)
    assert counts.failed[0]["id"] == "record 2 of records.jsonl"
    assert counts.failed[0]["why"].startswith("records.jsonl, record 2, byte 30: not a record as JSON")
    assert counts.failed[1] == {"id": "b", "why": "mapper_parsing_exception: failed to parse (why)"}
    assert engine.documents["books"] == {"a": {}}
    [noted] = engine.documents[".crosshatch-state"].values()
    assert noted["body"] == {"profile": "catalogue"}


def test_the_shipped_profile_names_fields_that_load_writes() -> None:
    shipped = profile("catalogue")
    named = [
        *shipped.text,
        *shipped.search,
        *(picture.field for picture in shipped.pictures),
        shipped.language,
        shipped.title,
    ]
    assert {str(name).split("^")[0].split(".")[0] for name in named} <= set(FIELDS)


def test_requests_are_bounded(tmp_path: Path, engine: TinyEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "CHUNK_RECORDS", 3)
    monkeypatch.setattr(loading, "CHUNK_BYTES", 500)
    file = lines(tmp_path, *({"id": str(n), "title": "x" * (400 if n > 6 else 1)} for n in range(10)))
    assert load_files(engine, [file], "books").loaded == 10
    assert engine.bulks == [3, 3, 2, 1, 1]


def test_what_a_busy_engine_turns_away_is_sent_again(tmp_path: Path, engine: TinyEngine) -> None:
    engine.busy = 3
    counts = load_files(engine, [lines(tmp_path, *({"id": str(n)} for n in range(5)))], "books")
    assert (counts.loaded, counts.failed) == (5, [])
    assert engine.bulks == [5, 3]


def test_an_engine_that_stays_busy_ends_the_record(tmp_path: Path, engine: TinyEngine) -> None:
    engine.busy = 10**6
    counts = load_files(engine, [lines(tmp_path, {"id": "a"})], "books")
    assert (counts.loaded, counts.failed) == (0, [{"id": "a", "why": "rejected_execution_exception: queue full"}])


def test_a_blocked_index_stops_the_load(tmp_path: Path, engine: TinyEngine) -> None:
    engine.blocked = True
    with pytest.raises(WriteRefused, match="OpenSearch blocks the index: read-only; lift the block and run load again"):
        load_files(engine, [lines(tmp_path, {"id": "a"})], "books")


def test_an_index_of_somebody_else_is_left_alone(tmp_path: Path, engine: TinyEngine) -> None:
    engine.mappings["biblios"] = {"properties": {**FIELDS, "title": {"type": "text"}, "local": {"type": "keyword"}}}
    with pytest.raises(
        RequestError, match="index biblios exists, and load did not make it: title not mapped as load maps"
    ):
        load_files(engine, [lines(tmp_path, {"id": "a"})], "biblios")
    assert engine.bulks == []


def test_an_index_with_our_fields_and_more_takes_records(tmp_path: Path, engine: TinyEngine) -> None:
    engine.mappings["books"] = {"properties": {**FIELDS, "crosshatch": {"type": "object"}}}
    assert load_files(engine, [lines(tmp_path, {"id": "a"})], "books").loaded == 1


def test_nothing_is_made_where_one_file_cannot_be_read(tmp_path: Path, engine: TinyEngine) -> None:
    with pytest.raises(RequestError, match="cannot be opened"):
        load_files(engine, [lines(tmp_path, {"id": "a"}), tmp_path / "gone"], "books")
    assert engine.mappings == {}


def test_a_name_that_no_index_can_have(tmp_path: Path, engine: TinyEngine) -> None:
    with pytest.raises(RequestError, match="'Books' cannot be the name of an index: must be lowercase"):
        load_files(engine, [lines(tmp_path, {"id": "a"})], "Books")


@pytest.mark.parametrize(("record", "code"), [({"id": "a"}, 0), ("{", 1)])
def test_the_command_prints_one_object_and_fails_where_nothing_was_loaded(
    tmp_path: Path, engine: TinyEngine, monkeypatch: pytest.MonkeyPatch, record: dict[str, Any] | str, code: int
) -> None:
    monkeypatch.setattr(command, "Cluster", lambda url: engine)
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", "http://127.0.0.1:1")
    result = CliRunner().invoke(command.load, [str(lines(tmp_path, record)), "--index", "books", "--json"])
    assert result.exit_code == code
    assert json.loads(result.stdout)["read"] == 1
    assert set(json.loads(result.stdout)) == {"read", "loaded", "replaced", "failed", "seconds"}
