"""InvenioRDM as it writes: a strict mapping, a versioned index name under aliases, each write at the record's revision.

Labels of vocabularies are copied into the records, so when one is renamed its records are written anew at the revision
that they have. The mapping is InvenioRDM's own where the data folder lies beside the checkout; else a part stands here.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from tests.writers.library import SHARED, bib, retitled
from tests.writers.writer import Action, Writer

MODEL = SHARED / "targets/invenio-rdm/invenio_rdm_records/records/mappings/os-v2/rdmrecords/records/record-v7.0.0.json"
_KEYWORD = {"type": "keyword"}
_DATE = {"type": "date"}
_TEXT = {"type": "text", "analyzer": "accent_analyzer"}
_LABEL = {"properties": {"@v": _KEYWORD, "id": _KEYWORD, "title": {"type": "object", "dynamic": "true"}}}
_AGENT = {"properties": {"person_or_org": {"properties": {"name": _TEXT, "type": _KEYWORD}}}}
PART: dict[str, Any] = {
    "settings": {
        "analysis": {
            "analyzer": {"accent_analyzer": {"tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}}
        }
    },
    "mappings": {
        "dynamic": "strict",
        "date_detection": False,
        "numeric_detection": False,
        "properties": {
            **dict.fromkeys(("id", "deletion_status"), _KEYWORD),
            "uuid": {"type": "keyword", "index": False},
            "version_id": {"type": "long"},
            "is_published": {"type": "boolean"},
            **dict.fromkeys(("created", "updated"), _DATE),
            "access": {"properties": {"record": _KEYWORD, "files": _KEYWORD}},
            "files": {"properties": {"enabled": {"type": "boolean"}, "count": {"type": "integer"}}},
            "metadata": {
                "properties": {
                    **dict.fromkeys(("title", "description"), _TEXT),
                    "publisher": {"type": "text"},
                    **dict.fromkeys(("creators", "contributors"), _AGENT),
                    "subjects": {"properties": {**_LABEL["properties"], "subject": {"type": "text"}}},
                    **dict.fromkeys(("languages", "resource_type"), _LABEL),
                }
            },
        },
    },
}


@dataclass(slots=True)
class _Record:
    uuid: str
    raw: bytes
    revision: int = 1
    gone: bool = False


class InvenioWriter(Writer):
    """Edits raise the revision, renamed labels do not; records are deleted, and restored at a higher revision.

    `relabelled` is the share of changes that are rewrites at the revision that the record has.
    """

    relabelled = 0.3

    def __init__(self, url: str, prefix: str, records: Sequence[bytes], *, seed: int = 0) -> None:
        super().__init__(url, seed=seed)
        self.concrete = f"{prefix}rdmrecords-records-record-v7.0.0-{1700000000 + seed}"
        self.index = f"{prefix}rdmrecords-records-record-v7.0.0"
        self._aliases = (f"{prefix}rdmrecords", f"{prefix}rdmrecords-records", self.index)
        self._records = [_Record(str(uuid.UUID(int=n, version=4)), raw) for n, raw in enumerate(records, 1)]
        self._edits = 0

    def build(self) -> Self:
        """Create the index with its aliases and write every record."""
        body = json.loads(MODEL.read_text("utf-8")) if MODEL.is_file() else PART
        settings = {**body["settings"], "number_of_replicas": 0}
        self.ask("PUT", f"/{self.concrete}", {**body, "settings": settings, "aliases": {n: {} for n in self._aliases}})
        self.send([self._written(record) for record in self._records])
        return self

    def reindex(self) -> Self:
        """Write every record anew at its revision, as after a change of the vocabularies."""
        with self._turns:
            self.send([self._written(record) for record in self._records if not record.gone])
        return self

    def turn(self, number: int) -> Sequence[Action]:
        """What a queue of the indexer holds: writes and deletes, each with its revision."""
        return [self._changed(r) for r in self._rng.sample(self._records, min(number, len(self._records)))]

    def _changed(self, record: _Record) -> Action:
        if self._rng.random() < self.relabelled and not record.gone:
            return self._written(record)
        record.revision += 1
        if self._rng.random() < 0.05 and not record.gone:
            record.gone = True
            return Action(self.index, record.uuid, None, self._guard(record))
        record.gone = False
        if self._rng.random() < 0.5:
            self._edits += 1
            record.raw = retitled(record.raw, f"edition {self._edits}")
        return self._written(record)

    def _written(self, record: _Record) -> Action:
        label = f"Book, label {self._rng.randrange(10**6)}"
        content = document(record.raw, record.uuid, record.revision, label=label)
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return Action(self.index, record.uuid, body, self._guard(record))

    def _guard(self, record: _Record) -> dict[str, Any]:
        return {"version": record.revision, "version_type": "external_gte"}


def document(raw: bytes, identifier: str, revision: int = 1, *, label: str = "Book") -> dict[str, Any]:
    """A published record without files, as the indexer dumps it."""
    record = bib(raw)
    agents = {"creators": record.creators, "contributors": record.contributors}
    return {
        "id": f"{identifier[:5]}-{identifier[-5:]}",
        "uuid": identifier,
        "version_id": revision,
        "is_published": True,
        "created": "2024-01-02T03:04:05.678901+00:00",
        "updated": "2024-01-02T03:04:05.678901+00:00",
        "access": {"record": "public", "files": "public"},
        "files": {"enabled": False, "count": 0},
        "metadata": {
            "title": record.title or "untitled",
            **{
                kind: [{"person_or_org": {"name": agent.name, "type": "personal"}} for agent in found]
                for kind, found in agents.items()
            },
            "subjects": [{"subject": subject} for subject in record.subjects],
            "description": f"<p>{record.summary or record.title}</p>",
            "languages": [{"id": code, "title": {"en": code}} for code in record.language],
            "resource_type": {"id": "publication-book", "title": {"en": label}, "@v": f"{identifier}::1"},
        },
    }
