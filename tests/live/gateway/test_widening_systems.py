"""The kinds of searches that Koha, FOLIO's mod-search and InvenioRDM send, direct and widened, on their own indices."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from encoders.api import BundleCard, Item
from integration import attach as attaching
from integration import scan
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.gateway.attachments import Attachments
from integration.gateway.querycodes import QueryCodes
from integration.gateway.widening.requests import Widening
from integration.gateway.widening.rules import Mode, Rule
from integration.jobs import Job
from integration.settings import Settings
from tests.live.fakes import FakeEncoder, NoWatch, code_of
from tests.live.gateway.test_clause import Gateway as Sending
from tests.live.gateway.test_clause import card
from tests.live.gateway.test_widening import JSON, Through, ids, marked
from tests.live.test_transparency import RECORDS, SYSTEMS

__all__ = ["card"]


def koha(words: str, limit: str) -> dict[str, Any]:
    """`build_query` joins words and limits in one string."""
    string = {
        "query": f"({words}){limit}", "default_operator": "OR", "lenient": True, "analyze_wildcard": True,
        "fuzziness": "auto", "fields": ["title^10", "author", "subject", "isbn", "local-number"], "type": "best_fields",
    }  # fmt: skip
    facets = {name: {"terms": {"field": name, "size": 20}} for name in SYSTEMS["koha"].facets}
    return {"query": {"query_string": string}, "from": 0, "size": 20, "aggregations": facets, "track_total_hits": True}


def folio(words: str) -> dict[str, Any]:
    """CQL `keyword all "..." and staffSuppress==false`, as the Java client writes its queries."""
    several = {"query": words, "fields": ["title.*^1.0", "contributors.name^1.0", "subjects.value.*^1.0"]}
    java = {"type": "cross_fields", "operator": "OR", "slop": 0, "lenient": True, "boost": 1.0, "max_expansions": 50}
    suppressed = {"term": {"staffSuppress": {"value": True, "boost": 1.0}}}
    must = [{"multi_match": {**several, **java}}]
    query = {"bool": {"must": must, "must_not": [suppressed], "adjust_pure_negative": True, "boost": 1.0}}
    facets = {"languages": {"terms": {"field": "languages", "size": 100, "min_doc_count": 1}}}
    shown = {"includes": ["id", "title", "contributors"], "excludes": []}
    return {
        "from": 0,
        "size": 100,
        "query": query,
        "_source": shown,
        "track_total_hits": 2147483647,
        "aggregations": facets,
    }


def invenio(words: str) -> dict[str, Any]:
    """A user's string inside the permission filters of the service; best match first."""
    allowed = {"bool": {"should": [{"term": {"access.record": "public"}}, {"terms": {"id": ["x"]}}]}}
    string = {"query": words, "default_operator": "OR", "lenient": True}
    query = {"bool": {"filter": [allowed], "must": [{"query_string": string}]}}
    facets = {"access": {"terms": {"field": "access.record"}}}
    return {"query": query, "sort": ["_score"], "from": 0, "size": 25, "aggs": facets, "version": True}


COMMON = "the history programming stories"  # in the records made up, and in the real ones
CASES = [
    ("koha", koha("the* history* programming* stories*", ""), COMMON),
    ("koha", koha(COMMON, " AND (itype:BK OR itype:bk OR title:the OR title:p*) NOT author:nobody"), f"{COMMON} the p"),
    ("koha", koha(COMMON, " AND local-number:* AND -homebranch:[x TO z]"), COMMON),
    ("folio", folio(COMMON), COMMON),
    ("invenio", invenio(f'{COMMON} OR "history of" -access.record:restricted'), f"{COMMON} history of"),
]


@pytest.fixture(scope="module")
def catalogues(cluster: Cluster, card: BundleCard, services: Any) -> Iterator[dict[str, str]]:
    """The three systems' indices, attached by their shipped profiles and encoded."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    settings = Settings(opensearch_url=services.url, redis_url=services.broker_url, data=services.data)

    class Encoder(FakeEncoder):
        pass

    Encoder.card = card
    found = {}
    for kind, system in SYSTEMS.items():
        writer, index = system.build(cluster.url, f"{name}{kind}")
        assert writer.build().stop().errors == []
        known = attaching.attach(cluster, attaching.plan(cluster, index, system.profile, card))
        keys = tuple(one.key for one in scan.judged(cluster, known))
        job = Job("job", known.index, known.uuid, known.space, keys)
        assert BatchEncoding(job, known, cluster, Encoder, settings).run(NoWatch()).encoded == RECORDS
        cluster.request("POST", f"/{index}/_refresh")
        found[kind] = index
    yield found
    cluster.request("DELETE", f"/{name}*", params={"expand_wildcards": "all"})


def widened(cluster: Cluster, settings: Settings, mode: Mode, path: str, body: Any) -> tuple[Through, list[str | None]]:
    """What a search becomes by a rule of this mode, and what was encoded for it."""
    asked: list[str | None] = []

    def encoded(item: Item, *_: object) -> dict[str, Any]:
        asked.append(item.text)
        return {"codes": {"text": code_of((item.text or "").encode()).base64()}, "problem": None}

    sending = Sending(cluster, settings)
    rules = settings.model_copy(update={"widen": (Rule("test-*", mode),)})
    part = Widening(sending.ask, Attachments(cluster, settings.data), QueryCodes(encoded, timeout=5), rules)
    exchange = Through(sending.url, "POST", path.encode(), json.dumps(body).encode(), (JSON,), sending=sending)
    assert asyncio.run(part.handle(exchange))
    return exchange, asked


@pytest.mark.parametrize(("kind", "body", "words"), CASES, ids=[f"{case[0]}{at}" for at, case in enumerate(CASES)])
def test_its_own_matches_come_in_another_order(
    cluster: Cluster, settings: Settings, catalogues: dict[str, str], kind: str, body: Any, words: str
) -> None:
    path = f"/{catalogues[kind]}/_search?typed_keys=true&search_type=query_then_fetch&ignore_unavailable=false"
    exchange, asked = widened(cluster, settings, "rerank", path, body)
    assert marked(exchange) == b"rerank"
    assert asked == [words]
    told = json.loads(exchange.answer)
    own = cluster.request("POST", path.partition("?")[0], params={"typed_keys": "true"}, body=body)
    assert sorted(ids(told)) == sorted(ids(own))
    assert ids(own)
    assert told["hits"]["total"] == own["hits"]["total"]
    assert told["aggregations"] == own["aggregations"]
    assert [hit["_score"] for hit in told["hits"]["hits"]] != [hit["_score"] for hit in own["hits"]["hits"]]


LIMIT = "(itype:BK OR itype:bk OR title:the OR title:p*) NOT author:nobody"
PUBLIC = invenio("-access.record:restricted")["query"]["bool"]["filter"]
EXPANDED = [
    ("koha", koha("programming*", f" AND {LIMIT}"), koha(LIMIT, "")["query"]),
    (
        "koha",
        koha("programming*", " AND -homebranch:[* TO m]"),
        {"bool": {"must_not": [{"range": {"homebranch": {"lte": "m"}}}]}},
    ),
    ("folio", folio("zebras"), {"bool": {"must_not": [{"term": {"staffSuppress": True}}]}}),
    (
        "invenio",
        invenio("programming -access.record:restricted"),
        {"bool": {"filter": PUBLIC, "must_not": [{"term": {"access.record": "restricted"}}]}},
    ),
]


@pytest.mark.parametrize(
    ("kind", "body", "limit"), EXPANDED, ids=[f"{case[0]}{at}" for at, case in enumerate(EXPANDED)]
)
def test_all_that_its_limits_let_pass_and_nothing_else_can_be_added(
    cluster: Cluster, settings: Settings, catalogues: dict[str, str], kind: str, body: Any, limit: Any
) -> None:
    """There are fewer records than the k of an index, and every one has a code: so all within the limits are hits."""
    path = f"/{catalogues[kind]}/_search"
    own = cluster.request("POST", path, body={**body, "size": RECORDS})
    exchange, _ = widened(cluster, settings, "expand", path, {**body, "size": RECORDS})
    found = json.loads(exchange.answer)
    allowed = cluster.request("POST", path, body={"query": {"bool": {"filter": [limit]}}, "size": RECORDS})
    assert sorted(ids(found)) == sorted(ids(allowed))
    assert set(ids(own)) < set(ids(found))
    assert marked(exchange) == f"expand; added={len(ids(found)) - len(ids(own))}".encode()
