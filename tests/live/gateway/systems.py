"""Koha, FOLIO and InvenioRDM as they write and search, each with one URL: that of the gateway.

Searches have the form in which the systems send them, from the README of the data folder; the programs themselves were
not run. None of the mappings has a field of type `nested`: FOLIO's items are objects, and so are searched as objects.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar

from integration.gateway import smile_writer
from tests.writers import library
from tests.writers.folio import FolioWriter
from tests.writers.invenio import InvenioWriter
from tests.writers.koha import KohaWriter
from tests.writers.writer import Writer

RECORDS, TENANTS = 40, ("diku", "college")
W = TypeVar("W", bound=Writer)
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a search."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))
    method: str = "POST"

    @classmethod
    def of(cls, path: str, body: Any) -> "Asked":
        """In JSON."""
        return cls(path, json.dumps(body).encode())


@cache
def records() -> list[bytes]:
    """What every library holds."""
    return library.records(RECORDS)


class System(ABC, Generic[W]):
    """`indexes` are those that are attached, by the names that the system uses; readers search the first of them."""

    target: str
    writer: W
    indexes: Sequence[str]
    params = ""

    @property
    def search(self) -> str:
        """Where it searches."""
        return f"/{self.indexes[0]}/_search{self.params}"

    @abstractmethod
    def words(self, said: str) -> dict[str, Any]:
        """The query that it makes of a reader's words."""

    @abstractmethod
    def widened(self, said: str) -> dict[str, Any]:
        """A search by words, with its limits and facets, in the order of scores."""

    @abstractmethod
    def limit(self) -> dict[str, Any]:
        """A limit that some of the records keep."""

    @abstractmethod
    def facets(self) -> dict[str, Any]:
        """What it counts."""

    @abstractmethod
    def others(self, said: str) -> Sequence[Asked]:
        """Every other kind of search."""

    @abstractmethod
    def rebuild(self) -> None:
        """Make the indexes anew, as its administrators do."""

    def around(self, query: Any) -> dict[str, Any]:
        """A search with this query in the place of the words."""
        inner = {"should": [query], "minimum_should_match": 1, "filter": [self.limit()]}
        return {"query": {"bool": inner}, "aggs": self.facets(), "size": RECORDS, "track_total_hits": True}


class Koha(System[KohaWriter]):
    """Words and limits in one query string; `_source` whole."""

    target = "koha"

    def __init__(self, url: str, name: str) -> None:
        self.indexes = [f"{name}_biblios"]
        self.writer = KohaWriter(url, self.indexes[0], records())

    def words(self, said: str) -> dict[str, Any]:
        """As its query builder makes them."""
        fields = ["title^2", "author", "subject", "isbn", "local-number", "itype"]
        how = {"default_operator": "AND", "lenient": True, "analyze_wildcard": True, "fuzziness": "0"}
        return {"query_string": {"query": said, "fields": fields, **how}}

    def limit(self) -> dict[str, Any]:
        """What can be lent."""
        return self.words("available:true")

    def facets(self) -> dict[str, Any]:
        """Its shipped ones."""
        names = ("author", "subject", "itype", "homebranch")
        return {name: {"terms": {"field": f"{name}__facet", "size": 20}} for name in names}

    def widened(self, said: str) -> dict[str, Any]:
        """The limit stands in the same string."""
        query = self.words(f"({said}) AND (available:true)")
        return {"query": query, "aggregations": self.facets(), "size": RECORDS, "track_total_hits": True}

    def others(self, said: str) -> Sequence[Asked]:
        """By title, by a field, page two, several limits, fuzzy; the settings that it asks for beforehand."""
        sort = [{"title__sort": {"order": "asc"}}]
        fuzzy = self.words(f"({said}~) AND itype:BK")
        fuzzy["query_string"] |= {"fuzziness": "auto"}
        bodies = [
            {"query": self.words("*"), "sort": sort, "from": 10, "size": 10, "aggregations": self.facets()},
            {"query": self.words(f"title:({said}) AND itype:BK AND homebranch__facet:CPL"), "track_total_hits": True},
            {"query": fuzzy, "aggregations": self.facets()},
            {"query": self.words("subject.phrase:(whal* OR gard*) NOT onloan:true"), "size": 5},
            {"query": {"query_string": {"query": f"{said} AND ((", "fields": ["title"]}}},  # an error is an answer, too
        ]
        asked = [Asked.of(self.search, body) for body in bodies]
        asked.append(Asked.of(f"{self.search}?rest_total_hits_as_int=true", bodies[1]))
        return [*asked, Asked(f"/{self.indexes[0]}/_settings?include_defaults=true&flat_settings=true", b"", {}, "GET")]

    def rebuild(self) -> None:
        """Delete, create, put the mapping, write everything."""
        self.writer.rebuild()


class Folio(System[FolioWriter]):
    """Tenants with an index each, `preference`, searches in several fields at once; no `nested`."""

    target, params = "folio", "?preference=reader-7"

    def __init__(self, url: str, name: str) -> None:
        self.writer = FolioWriter(url, TENANTS, records(), prefix=name)
        self.indexes = self.writer.indexes

    def words(self, said: str) -> dict[str, Any]:
        """What `keyword all` becomes."""
        fields = ["title.*^2", "contributors.name", "subjects.value.*", "publicNotes.*"]
        return {"multi_match": {"query": said, "fields": fields, "type": "cross_fields", "operator": "and"}}

    def limit(self) -> dict[str, Any]:
        """What is there."""
        return {"terms": {"items.status.name": ["Available", "In transit"]}}

    def facets(self) -> dict[str, Any]:
        """Filtered ones."""
        terms = {"terms": {"field": "items.status.name", "size": 10}}
        english = {"filter": {"term": {"languages": "eng"}}, "aggs": {"values": terms}}
        return {"items.status.name": terms, "languages": {"terms": {"field": "languages"}}, "english": english}

    def widened(self, said: str) -> dict[str, Any]:
        """As its CQL becomes a query."""
        query = {"bool": {"must": [self.words(said)], "filter": [self.limit()]}}
        return {"query": query, "aggs": self.facets(), "size": RECORDS, "track_total_hits": True, "from": 0}

    def others(self, said: str) -> Sequence[Asked]:
        """Browsing in one request, scripts, ranges, exact titles, the analysis, both tenants, SMILE."""
        empty = {"script": {"script": {"source": "doc['languages'].size() == 0", "lang": "painless"}}}
        sort = [{"plain_title": {"order": "asc"}}, {"id": "asc"}]
        below = {"query": {"range": {"plain_title": {"lt": said}}}, "sort": sort, "size": 5}
        above = {"query": {"range": {"plain_title": {"gte": said}}}, "sort": sort, "size": 5}
        browse = b"".join(json.dumps(line).encode() + b"\n" for line in ({}, below, {}, above))
        smile = {"content-type": "application/smile", "accept": "application/smile"}
        one = {"query": {"match": {"contributors.name": {"query": said, "operator": "or"}}}, "size": 20}
        return [
            Asked(f"/{self.indexes[0]}/_msearch", browse, {"content-type": "application/x-ndjson"}),
            Asked.of(self.search, {"query": {"bool": {"must_not": [empty]}}, "sort": sort}),
            Asked.of(self.search, {"query": {"term": {"plain_title": said}}, "_source": ["id", "title", "items"]}),
            Asked.of(f"/{self.indexes[0]}/_analyze", {"field": "title.src", "text": [said]}),
            Asked.of(f"/{','.join(self.indexes)}/_search{self.params}", one),
            Asked(self.search, smile_writer.dumps(one), smile),
        ]

    def rebuild(self) -> None:
        """Reindex with `recreateIndex`: each tenant's index is dropped and made."""
        for index in self.indexes:
            self.writer.ask("DELETE", f"/{index}")
        self.writer.truth.held.clear()
        self.writer.build()


class Invenio(System[InvenioWriter]):
    """Searches through an alias; filters, facets and marks."""

    target, params = "invenio", "?version=true"

    def __init__(self, url: str, name: str) -> None:
        self.writer = InvenioWriter(url, f"{name}-", records())
        self.writer.relabelled = 0.0
        self.indexes = [f"{name}-rdmrecords"]

    def words(self, said: str) -> dict[str, Any]:
        """Over the default fields of its index."""
        return {"query_string": {"query": said, "default_operator": "OR"}}

    def limit(self) -> dict[str, Any]:
        """What everybody may read, of languages that people here do."""
        public = {"term": {"access.record": "public"}}
        return {"bool": {"filter": [public], "must": [{"exists": {"field": "metadata.description"}}]}}

    def facets(self) -> dict[str, Any]:
        """Type and access."""
        kinds = {"terms": {"field": "metadata.resource_type.id", "size": 30}}
        return {"resource_type": kinds, "access": {"terms": {"field": "access.record"}}}

    def widened(self, said: str) -> dict[str, Any]:
        """Permissions as filters, and a filter chosen by the reader."""
        chosen = {"terms": {"metadata.resource_type.id": ["publication-book"]}}
        return {
            "query": {"bool": {"must": [self.words(said)], "filter": [self.limit()]}},
            "post_filter": {"bool": {"filter": [chosen]}},
            "aggs": self.facets(),
            "highlight": {"fields": {"metadata.title": {}, "metadata.description": {}}},
            "size": RECORDS,
            "track_total_hits": True,
        }

    def others(self, said: str) -> Sequence[Asked]:
        """By date, by a person, as somebody types, one record by its id; how many."""
        typed = ["metadata.title^3", "metadata.creators.person_or_org.name"]
        names = {"query": said, "fields": typed, "type": "bool_prefix"}
        person = self.words(f'metadata.creators.person_or_org.name:"{said}" OR metadata.title:{said}')
        limited = {"bool": {"must": [person], "filter": [self.limit()]}}
        newest = [{"created": {"order": "desc"}}, {"id": "asc"}]
        marks = {"highlight": {"fields": {"metadata.title": {"number_of_fragments": 0}}}}
        return [
            Asked.of(self.search, {"query": limited, "aggs": self.facets(), **marks}),
            Asked.of(self.search, {"query": self.limit(), "sort": newest, "from": 5, "size": 10}),
            Asked.of(self.search, {"query": {"multi_match": names}, "_source": ["id", "metadata.title"]}),
            Asked.of(f"/{self.indexes[0]}/_count", {"query": self.words(said)}),
            Asked(f"/{self.indexes[0]}/_doc/00000000-0000-4000-8000-000000000001", b"", {}, "GET"),
        ]

    def rebuild(self) -> None:
        """Destroy the index, make one with another suffix behind the same aliases, write at the revisions there are."""
        self.writer.ask("DELETE", f"/{self.writer.concrete}")
        self.writer.concrete += "1"
        self.writer.truth.held.clear()
        self.writer.build()
