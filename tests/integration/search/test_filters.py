"""Which clause a filter becomes, told by the mapping."""

from typing import Any

import pytest

from integration.search.filters import clauses
from mappings.errors import RequestError

MAPPING: dict[str, Any] = {
    "language": {"type": "keyword"},
    "title": {"type": "text", "fields": {"raw": {"type": "keyword"}, "fuzzy": {"type": "text"}}},
    "summary": {"type": "text"},
    "year": {"type": "integer"},
    "creators": {"properties": {"name": {"type": "text", "fields": {"keyword": {"type": "keyword"}}}}},
    "items": {"type": "nested", "properties": {"shelf": {"type": "keyword"}}},
    "scan": {"type": "binary"},
    "crosshatch": {"properties": {"s": {"properties": {"source": {"type": "keyword"}}}}},
}

CLAUSES = {
    "language": {"term": {"language": {"value": "v"}}},
    "title": {"term": {"title.raw": {"value": "v"}}},
    "title.fuzzy": {"match_phrase": {"title.fuzzy": {"query": "v"}}},
    "summary": {"match_phrase": {"summary": {"query": "v"}}},
    "year": {"term": {"year": {"value": "v"}}},
    "creators.name": {"term": {"creators.name.keyword": {"value": "v"}}},
    "items.shelf": {"nested": {"path": "items", "query": {"term": {"items.shelf": {"value": "v"}}}}},
}

REFUSED = {
    "langage": "cannot filter by 'langage': no such field in the index; near it are: language",
    "creators": "cannot filter by 'creators': no such field in the index; near it are: creators.name, "
    "creators.name.keyword",
    "scan": "cannot filter by 'scan': a field of type binary in the index; its fields are: creators.name, "
    "creators.name.keyword, items.shelf, language, summary, title, title.fuzzy, title.raw, year",
    "crosshatch.s.source": "cannot filter by 'crosshatch.s.source': no such field in the index; its fields are: "
    "creators.name, creators.name.keyword, items.shelf, language, summary, title, title.fuzzy, title.raw, year",
}


@pytest.mark.parametrize("field", CLAUSES)
def test_clause(field: str) -> None:
    assert clauses([(field, "v")], MAPPING) == [CLAUSES[field]]


@pytest.mark.parametrize("field", REFUSED)
def test_refused(field: str) -> None:
    with pytest.raises(RequestError) as refused:
        clauses([(field, "v")], MAPPING)
    assert str(refused.value) == REFUSED[field]


def test_every_filter_must_hold() -> None:
    assert len(clauses([("language", "eng"), ("language", "fre")], MAPPING)) == 2
