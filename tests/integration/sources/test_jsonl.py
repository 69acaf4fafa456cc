"""JSON lines: what a line may say, and what is told of one that cannot be read."""

import json
from io import BytesIO

import pytest

from integration.sources.jsonl import read_jsonl
from integration.sources.record import Agent, BadRecord, BibRecord


def read(*lines: str | bytes) -> list[BibRecord | BadRecord]:
    return list(read_jsonl(BytesIO(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines))))


def test_a_document_reads_back_as_it_was_written() -> None:
    record = BibRecord("j1", "Heidi", (Agent("Spyri"),), (Agent("P.", "ill"),), ("Goats",), "s", "1881", "p", ("ger",))
    assert read(json.dumps({"id": "j1", **record.document()})) == [record]


def test_single_values_stand_for_lists() -> None:
    [result] = read(
        '{"id": 7, "creators": "Spyri", "subjects": "Goats", "published": 1881, "title": ["Heidi", "Heidi"]}'
    )
    assert result == BibRecord("7", "Heidi", (Agent("Spyri"),), subjects=("Goats",), published="1881")


def test_a_bad_line_leaves_its_neighbours_alone() -> None:
    results = read('{"id": "j1"}', "{", "", "[1]", b'{"title": "\xff"}', '{"titel": "x"}', '{"id": "j6"}')
    assert [(r.position, type(r).__name__) if isinstance(r, BadRecord) else r.id for r in results] == [
        "j1",
        (2, "BadRecord"),
        (3, "BadRecord"),
        (4, "BadRecord"),
        (5, "BadRecord"),
        "j6",
    ]
    assert isinstance(results[4], BadRecord)
    assert results[4].why.startswith(
        "not a record as JSON: Object contains unknown field `titel`; the fields are id, title,"
    )


@pytest.mark.parametrize("line", ["[" * 100_000, '{"id": ' + "[" * 100_000, '{"title": "\\ud800"}'])
def test_nothing_crashes_it(line: str) -> None:
    assert all(isinstance(result, BadRecord) for result in read(line))


def test_a_line_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration.sources.jsonl.MAX_RECORD", 100)
    results = read('{"title": "' + "x" * 1000 + '"}', '{"id": "j2"}')
    assert [type(result) for result in results] == [BadRecord, BibRecord]
    assert results[0] == BadRecord(1, "a line longer than 100 bytes", offset=0)
