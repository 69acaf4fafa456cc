"""The catalogue's own searches give the same before attach, after it, and when every record has its codes.

Koha's, FOLIO's and InvenioRDM's mappings and documents as their writers make them; docs/invariants.md tells what a
client does see of us, and `test_what_a_client_sees_of_us` holds it to that.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from integration import attach as attaching
from integration import mapping, scan, state
from integration.counts import Counts
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster, part
from integration.jobs import Job
from integration.settings import Settings
from mappings.bands import OBJECT as BANDS
from mappings.bands import Banding
from mappings.bands import field_name as bands_field
from mappings.bands import space_mapping as bands_mapping
from mappings.errors import EngineRefused
from mappings.fields import OBJECT, PARTS
from tests.live.fakes import BITS, CARD, FakeEncoder, NoWatch, code_of
from tests.writers import library
from tests.writers.folio import FolioWriter
from tests.writers.invenio import InvenioWriter
from tests.writers.koha import KohaWriter
from tests.writers.writer import Writer

RECORDS = 12
WORDS = ("history", "whale OR art*", 'the~ "the history"', "title:history -whale")


@dataclass(frozen=True, slots=True)
class System:
    """A library system and the fields that its searches name."""

    profile: str
    build: Callable[[str, str], tuple[Writer, str]]  # URL and name -> writer and concrete index
    text: Sequence[str]
    facets: Sequence[str]
    sort: str
    suggest: str


def _koha(url: str, name: str) -> tuple[Writer, str]:
    return KohaWriter(url, name, library.records(RECORDS)), name


def _folio(url: str, name: str) -> tuple[Writer, str]:
    writer = FolioWriter(url, ["diku"], library.records(RECORDS), prefix=name)
    return writer, writer.indexes[0]


def _invenio(url: str, name: str) -> tuple[Writer, str]:
    writer = InvenioWriter(url, name, library.records(RECORDS))
    return writer, writer.concrete


SYSTEMS = {
    "koha": System(
        "koha",
        _koha,
        ("title^2", "author", "subject"),
        ("author__facet", "itype__facet", "subject__facet"),
        "title__sort",
        "title__suggestion",
    ),
    "folio": System(
        "folio",
        _folio,
        ("title.*^2", "contributors.name", "subjects.value.*"),
        ("languages", "items.status.name"),
        "plain_title",
        "plain_title",
    ),
    "invenio": System(
        "invenio",
        _invenio,
        ("metadata.title^2", "metadata.description", "metadata.creators.person_or_org.name"),
        ("access.record", "metadata.resource_type.id"),
        "created",
        "metadata.title",
    ),
}


def queries(system: System) -> Iterator[dict[str, Any]]:
    """Queries with named fields, with the index's default fields, and with `*`."""
    some = [field.partition("^")[0] for field in system.text]
    for words in WORDS:
        for more in ({}, {"lenient": True}, {"fields": ["*"], "lenient": True}, {"fields": system.text}):
            yield {"query_string": {"query": words, "default_operator": "AND", **more}}
            yield {"simple_query_string": {"query": words, **more}}
    for kind in ("best_fields", "most_fields", "cross_fields", "phrase", "phrase_prefix"):
        for fields in (["*"], system.text, ["*title*"], ["*.text", "c*"]):
            yield {"multi_match": {"query": "the history", "type": kind, "fields": fields, "lenient": True}}
    yield from ({"match": {field: "history of art"}} for field in some if "*" not in field)
    yield from ({"exists": {"field": field}} for field in (*some, system.sort, *system.facets) if "*" not in field)
    yield {"query_string": {"query": "*"}}
    yield {"query_string": {"query": "*:*"}}
    yield {"query_string": {"query": "\\*:history", "lenient": True}}
    yield {"more_like_this": {"like": "a history of the art of the whale", "min_term_freq": 1, "min_doc_freq": 1}}


def searches(system: System) -> Iterator[dict[str, Any]]:
    """Whole search bodies: facets, sorting, highlighting, suggestions, parts of `_source`."""
    facets = {name: {"terms": {"field": name, "size": 50}} for name in system.facets}
    sort = [{system.sort: {"order": "desc", "missing": "_last"}}, "_id"]
    words = {"query_string": {"query": "history OR the", "lenient": True}}
    bool_ = {"must": words, "filter": {"exists": {"field": system.sort}}, "must_not": {"match_none": {}}}
    yield {"query": {"bool": bool_}, "aggs": facets, "sort": sort, "highlight": {"fields": {"*": {}}}}
    yield {"query": words, "aggs": facets, "highlight": {"require_field_match": False, "fields": {"*": {}}}}
    yield {"query": {"match_all": {}}, "sort": sort, "_source": ["title", "metadata.title", "plain_title"]}
    yield {"query": {"match_all": {}}, "sort": sort, "_source": False, "stored_fields": ["*"]}
    yield {"query": {"match_all": {}}, "sort": sort, "docvalue_fields": [system.sort], "_source": {"excludes": ["*"]}}
    if system.profile == "koha":
        yield {"suggest": {"s": {"prefix": "a", "completion": {"field": system.suggest, "size": 20}}}, "size": 0}
    yield {"suggest": {"s": {"text": "histori", "term": {"field": system.suggest}}}, "size": 0}
    yield {"query": {"match_all": {}}, "sort": sort, "from": 3, "size": 4, "track_total_hits": True}


def answers(cluster: Cluster, index: str, system: System) -> list[Any]:
    """What the index says to all of it; merged first, as scores count what was written over until a merge."""
    cluster.request("POST", f"/{index}/_refresh")
    cluster.request("POST", f"/{index}/_forcemerge", params={"max_num_segments": "1"})
    cluster.request("POST", f"/{index}/_refresh")
    said: list[Any] = []
    for query in queries(system):
        asked = {"params": dict.fromkeys(("explain", "rewrite", "all_shards"), "true"), "body": {"query": query}}
        explained = cluster.request("POST", f"/{index}/_validate/query", **asked)["explanations"]
        said.append(sorted(_words(one["explanation"]) if one["valid"] else ["invalid"] for one in explained))
        said.append(_answer(cluster, index, {"query": query, "size": RECORDS}, tied=True))
    said += [_answer(cluster, index, body, tied=False) for body in searches(system)]
    return said


def _words(explanation: str) -> list[str]:
    """Clauses stand in the order of a hash table of the fields, which any new field changes; so do sums of scores."""
    return sorted(re.split(r"[\s|()]+", explanation))


def _answer(cluster: Cluster, index: str, body: Mapping[str, Any], *, tied: bool) -> Any:
    try:
        answer = cluster.request("POST", f"/{index}/_search", body=body)
    except EngineRefused as error:
        return error.status, error.kind
    answer["hits"]["max_score"] = _rounded(answer["hits"]["max_score"])
    for hit in answer["hits"]["hits"]:
        hit["_score"] = _rounded(hit["_score"])
    offered = [option for told in answer.get("suggest", {}).get("s", ()) for option in told["options"]]
    for document in (*answer["hits"]["hits"], *(option for option in offered if "_index" in option)):
        for ours in (OBJECT, BANDS):
            document.get("_source", {}).pop(ours, None)
        del document["_index"]
    if tied:  # which of two equal scores comes first depends on who was written last
        answer["hits"]["hits"].sort(key=lambda hit: (-hit["_score"], hit["_id"]))
    return {name: answer[name] for name in ("hits", "aggregations", "suggest") if name in answer}


def _rounded(score: float | None) -> float | None:
    return score and float(f"{score:.5g}")


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    """A name of its own; every index that begins with it is deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    cluster.request("DELETE", f"/{name}*", params={"expand_wildcards": "all"})


def rewritten(cluster: Cluster, index: str) -> str:
    """The index when its owner has written every document once more, as it is."""
    for page in scan.pages(cluster, index):
        for hit in page:
            cluster.request("PUT", f"/{index}/_doc/{part(hit.id)}", body=hit.source)
    return index


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_a_catalogues_own_searches_stay_the_same(
    cluster: Cluster, settings: Settings, name: str, system: System
) -> None:
    """Explained queries, hits, totals, scores, facets, highlights and suggestions.

    Attaching changes nothing, nor do the fields of bands. Encoding writes each document once, codes and bands together,
    and scores count what was written over until the engine drops it: so they are those of a twin whose owner wrote each
    document once more.
    """
    built = [system.build(cluster.url, f"{name}{twin}") for twin in ("", "twin")]
    assert [writer.build().stop().errors for writer, _ in built] == [[], []]
    index, twin = (index for _, index in built)
    before = answers(cluster, index, system)
    assert sum(bool(said["hits"]["hits"]) for said in before if isinstance(said, dict)) > len(before) // 6
    known = attaching.attach(cluster, attaching.plan(cluster, index, system.profile, CARD))
    assert answers(cluster, index, system) == before
    known = with_bands(cluster, known)
    assert answers(cluster, index, system) == before
    assert written(cluster, known, settings).encoded == RECORDS
    cluster.request("POST", f"/{index}/_refresh")
    [page] = scan.pages(cluster, index)
    assert all(known.space in json.loads(hit.source)[BANDS] for hit in page)
    ours, theirs = answers(cluster, index, system), answers(cluster, rewritten(cluster, twin), system)
    deadline = time.monotonic() + 90
    while ours != theirs and time.monotonic() < deadline:  # when the engine drops it is its own affair, index by index
        time.sleep(5)
        ours, theirs = (answers(cluster, one, system) for one in (index, twin))
    assert ours == theirs


def with_bands(cluster: Cluster, known: state.Attached) -> state.Attached:
    """The index with the fields of bands, and a state that asks for them."""
    mapping.put(cluster, known.index, bands_mapping(known.space))
    bundle = replace(known.bundle, bands=Banding(BITS, 8))
    state.save(cluster, replace(known, spaces={known.space: bundle}))
    return state.attached(cluster, known.index)


def written(cluster: Cluster, known: state.Attached, settings: Settings) -> Counts:
    """One update of every record."""
    keys = tuple(one.key for one in scan.judged(cluster, known))
    job = Job("job", known.index, known.uuid, known.space, keys)
    return BatchEncoding(job, known, cluster, FakeEncoder, settings).run(NoWatch())


@pytest.mark.parametrize("bands", [False, True], ids=["codes", "codes and bands"])
def test_what_a_client_sees_of_us(
    cluster: Cluster, settings: Settings, index: Callable[..., str], tmp_path: Path, bands: bool
) -> None:
    """What docs/invariants.md says: whole documents, `fields: *`, `_field_caps`, patterns that are meant for fields."""
    profile_file = tmp_path / "seen.yaml"
    profile_file.write_text("{name: seen, text: [title]}")
    title = {"type": "text", "fields": {"text": {"type": "text"}}}
    made = index({"mappings": {"properties": {"title": title, "call": {"type": "keyword"}}}})
    cluster.request("PUT", f"/{made}/_doc/1", params={"refresh": "true"}, body={"title": "whale", "call": "1"})
    known = attaching.attach(cluster, attaching.plan(cluster, made, str(profile_file), CARD))
    known = with_bands(cluster, known) if bands else known
    assert written(cluster, known, settings).encoded == 1
    cluster.request("POST", f"/{made}/_refresh")
    text, band = f"{OBJECT}.{known.space}.text", bands_field(known.space, "text")

    def search(body: dict[str, Any]) -> Any:
        return cluster.request("POST", f"/{made}/_search", body=body)["hits"]["hits"]

    [whole] = search({})
    assert set(whole["_source"]) == {"title", "call", OBJECT, *([BANDS] if bands else [])}
    [without] = search({"_source": {"excludes": [OBJECT, BANDS]}})
    assert without["_source"] == {"title": "whale", "call": "1"}
    [fields] = search({"fields": ["*"], "_source": False})
    assert set(fields["fields"]) == {"title", "title.text", "call", text, *([band] if bands else [])}
    [values] = search({"docvalue_fields": ["c*"], "_source": False})
    assert set(values["fields"]) == {"call", text}
    [stored] = search({"stored_fields": ["*"]})
    assert "fields" not in stored
    seen = cluster.request("GET", f"/{made}/_field_caps", params={"fields": "*"})["fields"]
    ours = {name: kinds for name, kinds in seen.items() if name.startswith((OBJECT, BANDS))}
    assert {text, *([band] if bands else [])} <= set(ours)
    searchable = {name for name, kinds in ours.items() if any(kind["searchable"] for kind in kinds.values())}
    assert searchable == ({bands_field(known.space, part) for part in PARTS} if bands else set())
    pattern: dict[str, Any] = {"query_string": {"query": "\\*.text:whale", "lenient": False}}
    with pytest.raises(EngineRefused, match="Binary fields do not support searching"):
        search({"query": pattern})
    pattern["query_string"]["lenient"] = True
    assert len(search({"query": pattern})) == 1
    assert len(search({"query": {"exists": {"field": "cross*"}}})) == 1


def test_no_word_of_a_reader_meets_a_band(
    cluster: Cluster, settings: Settings, index: Callable[..., str], tmp_path: Path
) -> None:
    """Even where somebody types the very terms, and highlights whatever field there is."""
    profile_file = tmp_path / "seen.yaml"
    profile_file.write_text("{name: seen, text: [title]}")
    title = {"type": "text", "fields": {"text": {"type": "text"}}}
    made = index({"mappings": {"properties": {"title": title}}})
    known = with_bands(cluster, attaching.attach(cluster, attaching.plan(cluster, made, str(profile_file), CARD)))
    assert known.bundle.bands
    terms = known.bundle.bands.line(code_of(b"whale"))
    for record, words in (("1", "whale"), ("2", f"ship {terms}")):
        cluster.request("PUT", f"/{made}/_doc/{record}", params={"refresh": "true"}, body={"title": words})
    assert written(cluster, known, settings).encoded == 2
    cluster.request("POST", f"/{made}/_refresh")
    assert json.loads(cluster.raw("GET", f"/{made}/_source/1"))[BANDS][known.space]["t"] == terms
    highlight = {"require_field_match": False, "fields": {"*": {}}}
    for fields in ({"fields": ["*"]}, {"fields": ["*.text"]}, {"fields": ["*title*", "c*"]}, {}):
        body = {"query": {"multi_match": {"query": terms, "lenient": True, **fields}}, "highlight": highlight}
        [hit] = cluster.request("POST", f"/{made}/_search", body=body)["hits"]["hits"]
        assert (hit["_id"], set(hit["highlight"])) == ("2", {"title", "title.text"}), fields
