"""FOLIO mod-search as it writes: SMILE with gzip, several tenants, each with an index of its own of four shards.

Where the data folder lies beside the checkout, index and mapping are built from mod-search's own model, as it does it;
else a part of it stands here. ICU and the analysers of languages other than English are replaced by what every engine
has.
"""

import gzip
import json
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Self

from tests.writers import smile
from tests.writers.library import SHARED, bib, retitled
from tests.writers.writer import Action, Writer

MODEL = SHARED / "targets" / "folio-mod-search" / "src" / "main" / "resources"
FULL_TEXT = {"multilang": "keyword_lowercase", "standard": "keyword_lowercase", "whitespace": "keyword_trimmed"}
LANGUAGES = ("src", "eng")
ENGINES_OWN = {"icu_tokenizer": "standard", "icu_folding": "asciifolding"}
_LOWER = {"type": "keyword", "normalizer": "keyword_lowercase"}
_SOURCE = {"type": "text", "analyzer": "source_analyzer"}
_MULTI = {"properties": {"eng": {"type": "text", "analyzer": "english"}, "src": _SOURCE}}
PART: dict[str, Any] = {
    "settings": {
        "index": {"number_of_shards": 4, "number_of_replicas": 0, "codec": "best_compression"},
        "analysis": {
            "normalizer": {"keyword_lowercase": {"type": "custom", "filter": ["lowercase", "trim"]}},
            "analyzer": {"source_analyzer": {"tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}},
        },
    },
    "mappings": {
        "date_detection": False,
        "numeric_detection": False,
        "properties": {
            **dict.fromkeys(("id", "hrid", "languages", "plain_title", "plain_publicNotes"), _LOWER),
            **dict.fromkeys(("title", "publicNotes"), _MULTI),
            "tenantId": {"type": "keyword"},
            "contributors": {"properties": {"name": _SOURCE, "plain_name": _LOWER, "primary": {"type": "boolean"}}},
            "subjects": {"properties": {"value": _MULTI, "plain_value": _LOWER}},
            "items": {
                "properties": {
                    **dict.fromkeys(("id", "barcode"), _LOWER),
                    "status": {"properties": {"name": {"type": "keyword"}}},
                }
            },
        },
    },
}


class FolioWriter(Writer):
    """Items that change their status, instances that are edited, deleted and come again, of all tenants in one bulk."""

    def __init__(
        self, url: str, tenants: Sequence[str], records: Sequence[bytes], *, prefix: str = "folio", seed: int = 0
    ) -> None:
        super().__init__(url, seed=seed)
        self.indexes = [f"{prefix}_instance_{tenant}" for tenant in tenants]
        names = random.Random(seed)
        self._records = {
            (self.indexes[number % len(tenants)], str(uuid.UUID(int=names.getrandbits(128), version=4))): raw
            for number, raw in enumerate(records)
        }
        self._gone: set[tuple[str, str]] = set()
        self._edits = 0

    def build(self) -> Self:
        """Create the index of each tenant and write every instance."""
        for index in self.indexes:
            self.ask("PUT", f"/{index}", index_body())
        self.send([self._written(place) for place in self._records])
        return self

    def turn(self, number: int) -> Sequence[Action]:
        """Indexes and deletes in one request."""
        actions = []
        for place in self._rng.sample(sorted(self._records), min(number, len(self._records))):
            drawn = self._rng.random()
            if drawn < 0.05 and place not in self._gone:
                self._gone.add(place)
                actions.append(Action(*place, None))
                continue
            self._gone.discard(place)
            if drawn < 0.35:
                self._edits += 1
                self._records[place] = retitled(self._records[place], f"edition {self._edits}")
            actions.append(self._written(place))
        return actions

    def wire(self, actions: Sequence[Action]) -> tuple[str, bytes, dict[str, str]]:
        """SMILE, packed by gzip, to the cluster's bulk."""
        contents = [content for action in actions for content in (action.line, action.body) if content is not None]
        headers = {"content-type": "application/smile", "content-encoding": "gzip", "accept": "application/json"}
        return "/_bulk", gzip.compress(smile.bulk(*contents), 1), headers

    def _written(self, place: tuple[str, str]) -> Action:
        index, record = place
        status = self._rng.choice(("Available", "Checked out", "In transit"))
        return Action(index, record, document(self._records[place], record, index.rpartition("_")[2], status))


def document(raw: bytes, identifier: str, tenant: str, status: str = "Available") -> dict[str, Any]:
    """An instance as mod-search writes it: full text by language, and once more as `plain_<field>`."""
    record = bib(raw)
    notes = [record.summary] if record.summary else []
    return {
        "id": identifier,
        "tenantId": tenant,
        "hrid": f"in{identifier[:8]}",
        **_full("title", record.title or ""),
        "contributors": [
            {"name": agent.name, "plain_name": agent.name, "primary": not place}
            for place, agent in enumerate((*record.creators, *record.contributors))
        ],
        "subjects": [_full("value", subject) for subject in record.subjects],
        "languages": list(record.language),
        **(_full("publicNotes", notes) if notes else {}),
        "items": [{"id": identifier[::-1], "barcode": identifier[-8:], "status": {"name": status}}],
    }


def _full(name: str, value: Any) -> dict[str, Any]:
    return {name: {"src": value, "eng": value}, f"plain_{name}": value}


def index_body() -> dict[str, Any]:
    """Settings and mapping: from the model where it is there."""
    if not MODEL.is_dir():
        return PART
    types = {name: kind["mapping"] for name, kind in _resource("elasticsearch/index-field-types.json").items()}
    model = _resource("model/instance.json")
    settings = _resource("elasticsearch/index/instance.json")
    settings["index"]["number_of_replicas"] = 0
    mapped = {**_mapped(model["fields"], types), **_mapped(model["searchFields"], types)}
    return {
        "settings": _with_engines_own(settings),
        "mappings": {"date_detection": False, "numeric_detection": False, "properties": mapped},
    }


def _mapped(fields: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping of these fields; a full-text field stands in it twice."""
    mapped: dict[str, Any] = {}
    for name, field in fields.items():
        if field.get("type") == "object":
            mapped[name] = {"properties": _mapped(field["properties"], types)}
            continue
        kind = field.get("index", field.get("$type"))
        if kind is None or kind == "none":
            continue
        mapping = json.loads(json.dumps(types.get(kind, {"type": "boolean"})))
        if kind == "multilang":
            mapping["properties"] = {name: mapping["properties"][name] for name in LANGUAGES}
        mapped[name] = mapping
        if kind in FULL_TEXT:
            mapped[f"plain_{name}"] = types[FULL_TEXT[kind]]
    return mapped


def _with_engines_own(value: Any) -> Any:
    """ICU's tokenizer and filter replaced wherever they are named."""
    if isinstance(value, dict):
        return {name: _with_engines_own(held) for name, held in value.items() if name != "tokenizers"}
    if isinstance(value, list):
        return [_with_engines_own(held) for held in value]
    return ENGINES_OWN.get(value, value) if isinstance(value, str) else value


def _resource(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((MODEL / name).read_text("utf-8"))
    return read
