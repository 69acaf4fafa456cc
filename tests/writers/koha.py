"""Koha as it writes: one concrete index, whole documents in bulk with the MARC inside, rebuilds from nothing.

The settings and the mapping are in Koha's form; ICU analysis is replaced by what every engine has.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any, Literal, Self

import pymarc

from tests.writers.library import bib, parsed, retitled
from tests.writers.writer import Action, Writer

Form = Literal["base64ISO2709", "MARCXML", "ARRAY"]
SETTINGS: dict[str, Any] = {
    "index": {"mapping.total_fields.limit": 10000, "number_of_replicas": 0},
    "analysis": {
        "analyzer": {
            "analyzer_standard": {"tokenizer": "standard", "filter": ["lowercase", "asciifolding"]},
            "analyzer_phrase": {"tokenizer": "keyword", "filter": ["lowercase", "asciifolding"]},
            "analyzer_stdno": {"tokenizer": "whitespace", "filter": ["lowercase"]},
        },
        "normalizer": {"folding_normalizer": {"type": "custom", "filter": ["lowercase", "asciifolding"]}},
    },
}
_INSIDE = {"type": "text", "analyzer": "keyword", "index": False, "store": True}
_PHRASE = {"type": "text", "analyzer": "analyzer_phrase"}
_WORDS = {
    "type": "text",
    "analyzer": "analyzer_standard",
    "fields": {
        "phrase": _PHRASE,
        "raw": {"type": "keyword"},
        "ci_raw": {"type": "keyword", "normalizer": "folding_normalizer"},
    },
}
_NUMBER = {"type": "text", "analyzer": "analyzer_stdno", "fields": {"phrase": _PHRASE, "raw": {"type": "keyword"}}}
_KEYWORD = {"type": "keyword"}
MAPPING: dict[str, Any] = {
    "date_detection": False,
    "numeric_detection": False,
    "properties": {
        "marc_data": _INSIDE,
        "marc_format": _INSIDE,
        "marc_data_array": {"type": "object", "dynamic": True},
        **dict.fromkeys(("title", "author", "subject", "itype", "homebranch"), _WORDS),
        **dict.fromkeys(("isbn", "local-number"), _NUMBER),
        **dict.fromkeys(("author__facet", "subject__facet", "itype__facet", "homebranch__facet"), _KEYWORD),
        **dict.fromkeys(("title__sort", "author__sort"), _KEYWORD),
        "title__suggestion": {"type": "completion", "analyzer": "simple", "max_input_length": 100},
        "available": {"type": "boolean", "null_value": False},
        "onloan": {"type": "boolean", "null_value": False},
    },
}


class KohaWriter(Writer):
    """Circulation mostly, which touches no word of a record, some cataloguing, some deletes and records that return."""

    def __init__(self, url: str, index: str, records: Sequence[bytes], *, seed: int = 0) -> None:
        super().__init__(url, seed=seed)
        self.index = index
        self._records = {str(number): raw for number, raw in enumerate(records, 1)}
        self._gone: set[str] = set()
        self._edits = 0

    def build(self) -> Self:
        """Create the index, put its mapping, write every record."""
        self.ask("PUT", f"/{self.index}", {"settings": SETTINGS})
        self.ask("PUT", f"/{self.index}/_mapping", MAPPING)
        self.send([self._written(number) for number in self._records if number not in self._gone])
        return self

    def rebuild(self) -> Self:
        """Delete the index and build it anew, between two batches. Were it there when it is created: an error."""
        with self._turns:
            self.ask("DELETE", f"/{self.index}")
            self.truth.held.clear()
            return self.build()

    def turn(self, number: int) -> Sequence[Action]:
        """Koha sends deletes in a request of their own."""
        if self._rng.random() < 0.1:
            return self._deletes(max(1, number // 5))
        chosen = self._rng.sample(sorted(self._records), min(number, len(self._records)))
        for record in chosen:
            self._gone.discard(record)
            if self._rng.random() < 0.3:
                self._edits += 1
                self._records[record] = retitled(self._records[record], f"edition {self._edits}")
        return [self._written(record) for record in chosen]

    def _deletes(self, number: int) -> list[Action]:
        there = sorted(self._records.keys() - self._gone)
        chosen = self._rng.sample(there, min(number, len(there)))
        self._gone.update(chosen)
        return [Action(self.index, record, None) for record in chosen]

    def _written(self, record: str) -> Action:
        form: Form = "base64ISO2709" if int(record) % 40 else "MARCXML"  # Koha does so where a record is too long
        content = document(self._records[record], record, loans=self._rng.randrange(3), form=form)
        return Action(self.index, record, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def document(raw: bytes, number: str, *, loans: int = 0, form: Form = "base64ISO2709") -> dict[str, Any]:
    """A document as Koha makes it."""
    record = bib(raw)
    names = [agent.name for agent in (*record.creators, *record.contributors)]
    fields: dict[str, Any] = {
        "local-number": [number],
        "title": [record.title] if record.title else [],
        "title__sort": (record.title or "")[:255],
        "title__suggestion": [{"input": record.title}] if record.title else [],
        "author": names,
        "author__facet": names,
        "author__sort": " ".join(names)[:255],
        "subject": list(record.subjects),
        "subject__facet": list(record.subjects),
        "isbn": list(record.isbn),
        "itype": ["BK"],
        "itype__facet": ["BK"],
        "homebranch__facet": ["CPL"],
        "onloan": [loans > 0],
        "available": loans == 0,
    }
    return {name: value for name, value in fields.items() if value not in ([], "")} | marc_inside(raw, form)


def marc_inside(raw: bytes, form: Form = "base64ISO2709") -> dict[str, Any]:
    """The members that hold the record itself; base64 in lines, as MIME has it."""
    if form == "ARRAY":
        return {"marc_data_array": parsed(raw).as_dict(), "marc_format": form}
    if form == "MARCXML":
        return {"marc_data": pymarc.record_to_xml(parsed(raw), namespace=True).decode(), "marc_format": form}
    return {"marc_data": base64.encodebytes(raw).decode(), "marc_format": form}
