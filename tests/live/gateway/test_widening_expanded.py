"""Records added to an OPAC's own searches, on a real engine: the nearest ones, and none that a limit leaves out."""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from encoders.api import BundleCard
from integration import state
from integration.engine.client import Cluster
from integration.gateway.widening.relaxing import relaxed
from integration.gateway.widening.strings import Unsure
from integration.gateway.widening.words import Fields, find
from integration.settings import Settings
from mappings import bands
from mappings.code import HashCode
from mappings.fields import StoredCodes
from mappings.scripts import SCORE
from tests.live.gateway.test_clause import card
from tests.live.gateway.test_widening import (
    FACETS,
    NAME,
    OPAC,
    RECORDS,
    Opac,
    hidden,
    ids,
    limits,
    marked,
    stored,
    texts,
)

__all__ = ["card", "stored"]
FIELDS = Fields.of(("title", "subject"))
K, LEAST = 6, 0.25
WORDS = ("match", "multi_match", "combined_fields", "simple_query_string")
LIMITS: dict[str, Callable[[Any], bool]] = {
    "": lambda doc: True,
    " AND branch:CPL": lambda doc: doc["branch"] == "CPL",
    " AND (branch:CPL OR branch:MPL) AND suppressed:false": lambda doc: (
        doc["branch"] != "FPL" and not doc["suppressed"]
    ),
    " AND -suppressed:true": lambda doc: not doc["suppressed"],
    " NOT tenant:b": lambda doc: doc["tenant"] != "b",
    " NOT dog": lambda doc: "dog" not in f"{doc['title']} {doc['subject']}".split(),
    " AND price:[5 TO *]": lambda doc: doc["price"] >= 5,
}
strings = st.builds(
    lambda text, limit: {"query_string": {"query": f"({text}){limit}", "fields": ["title", "subject"]}},
    texts, st.sampled_from(sorted(LIMITS)),
)  # fmt: skip
clauses = st.one_of(
    texts.map(lambda text: {"match": {"title": text}}),
    texts.map(lambda text: {"multi_match": {"query": text, "fields": ["title^2", "subject"], "operator": "and"}}),
    texts.map(lambda text: {"combined_fields": {"query": text, "fields": ["title", "subject"]}}),
    texts.map(lambda text: {"simple_query_string": {"query": text, "fields": ["title"]}}),
    strings, strings,
)  # fmt: skip
queries = st.recursive(
    clauses,
    lambda inner: st.builds(
        lambda must, should, kept, left, least: {
            "bool": {name: held for name, held in (("must", must), ("should", should), ("filter", kept),
                     ("must_not", left), ("minimum_should_match", least if should else None)) if held}
        },
        st.lists(st.one_of(inner, limits), min_size=1, max_size=2), st.lists(st.one_of(inner, limits), max_size=2),
        st.lists(limits, max_size=1), st.lists(hidden, max_size=1), st.sampled_from([None, 1, 2]),
    ) | st.lists(inner, min_size=1, max_size=2).map(lambda each: {"dis_max": {"queries": each}}),
    max_leaves=4,
)  # fmt: skip


def allows(query: Any, doc: Any) -> bool:
    """Whether the limits of a query let a record pass, its words aside: read from the query, without our code."""
    [(name, body)] = query.items()
    if name in WORDS and "branch" not in body:
        return name != "match" or "title" in body
    if name == "query_string":
        return LIMITS[re.sub(r"^\([a-z ]*\)", "", body["query"])](doc)
    if name == "dis_max":
        return any(allows(one, doc) for one in body["queries"])
    if name == "term":
        [(field, wanted)] = body.items()
        return bool(doc[field] == wanted)
    if name == "terms":
        return doc["branch"] in body["branch"]
    if name == "range":
        return bool(doc["price"] >= body["price"]["gte"])
    should = sum(allows(one, doc) for one in body.get("should", []))
    kept = all(allows(one, doc) for one in (*body.get("must", []), *body.get("filter", [])))
    return (
        kept
        and should >= body.get("minimum_should_match", 0)
        and not any(left(one, doc) for one in body.get("must_not", []))
    )


def left(query: Any, doc: Any) -> bool:
    """Whether a query under `must_not` finds a record: there, words are limits, too."""
    return "sea" in doc["title"].split() if "match" in query else allows(query, doc)


@pytest.fixture(scope="module")
def few(cluster: Cluster, stored: None) -> Iterator[None]:
    """No more than K records are added, and none below LEAST."""
    known = state.attached(cluster, NAME)
    state.save(cluster, replace(known, settings=replace(known.settings, k=K, min_similarity=LEAST)))
    yield
    state.save(cluster, replace(state.attached(cluster, NAME), settings=known.settings))


@pytest.fixture
def opac(cluster: Cluster, settings: Settings, few: None) -> Opac:
    return Opac(cluster, settings, "test-widen*=expand")


def similarity(doc: Any, words: str, card: BundleCard) -> float:
    code = StoredCodes.read(doc["crosshatch"]["s"], 128).text
    query = HashCode(128, random.Random(words).randbytes(16))
    return -1.0 if code is None else card.table("text", "text")[query.distance(code)]


def expected(query: Any, documents: dict[str, Any], own: list[str], card: BundleCard) -> set[str]:
    """The most similar records that the limits let pass and the search does not find."""
    words = find(query, FIELDS)
    assert words is not None
    near = {record: similarity(doc, words.text, card) for record, doc in documents.items()}
    may = [
        record
        for record, doc in documents.items()
        if near[record] >= LEAST and record not in own and allows(query, doc)
    ]
    return set(sorted(may, key=lambda record: (-near[record], record))[:K])


def documents_of(opac: Opac, path: str) -> dict[str, Any]:
    hits = opac.direct({"query": {"match_all": {}}, "size": RECORDS}, f"/{path}/_search")["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


@hypothesis.settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(query=queries, after=st.none() | limits, path=st.sampled_from([NAME, OPAC]))
def test_the_nearest_that_the_limits_let_pass_are_added_and_no_other(
    cluster: Cluster, few: None, card: BundleCard, query: Any, after: Any, path: str
) -> None:
    opac = Opac(cluster, Settings(), "test-widen*=expand")
    body = {"query": query, "aggs": FACETS, "track_total_hits": True, "size": RECORDS}
    own = ids(opac.direct(body, f"/{path}/_search"))
    documents = documents_of(opac, path)
    exchange = opac.send(body, f"/{path}/_search")
    hypothesis.assume(marked(exchange) is not None)  # no words in it
    hypothesis.event(str(marked(exchange)))
    found = json.loads(exchange.answer)
    assert set(own) <= set(ids(found))
    more = set(ids(found)) - set(own)
    assert [record for record in more if not allows(query, documents[record])] == []
    try:
        relaxed(query, FIELDS)
        added = expected(query, documents, own, card)
    except Unsure:
        added = set()
        assert marked(exchange) == b"rerank"
    else:
        assert marked(exchange) == f"expand; added={len(added)}".encode()
    assert more == added
    assert found["hits"]["total"]["value"] == len(own) + len(added)
    branches = {one["key"]: one["doc_count"] for one in found["aggregations"]["branch"]["buckets"]}
    assert branches == {
        b: n for b in ("CPL", "MPL", "FPL") if (n := sum(documents[r]["branch"] == b for r in ids(found)))
    }
    pages = [
        ids(json.loads(opac.send({**body, "size": 25, "from": at}, f"/{path}/_search").answer))
        for at in (0, 25, 50, 75)
    ]
    assert [record for page in pages for record in page] == ids(found)
    if after is not None:
        narrowed = ids(json.loads(opac.send({**body, "post_filter": after}, f"/{path}/_search").answer))
        assert narrowed == [record for record in ids(found) if allows(after, documents[record])]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"default_operator": "AND", "analyze_wildcard": True},
        {"allow_leading_wildcard": False, "type": "phrase"},
        {"type": "cross_fields", "minimum_should_match": "75%", "default_operator": "AND"},
        {"analyzer": "whitespace", "fuzziness": 1, "quote_field_suffix": ".exact", "lenient": True},
        {"default_field": "title", "fields": None},
    ],
)
def test_the_engine_reads_a_string_without_its_words_as_its_limits(cluster: Cluster, stored: None, more: Any) -> None:
    for limit, holds in LIMITS.items():
        said = {"query": f'(cat "red sea"){limit}', "fields": ["title", "subject"], **more}
        query = {"query_string": {name: held for name, held in said.items() if held is not None}}
        if "default_field" in query["query_string"] and limit == " NOT dog":
            continue  # of one field, then
        body = {"query": {"bool": {"filter": [relaxed(query, FIELDS)]}}, "size": RECORDS}
        hits = cluster.request("POST", f"/{NAME}/_search", body=body)["hits"]["hits"]
        everything = cluster.request("POST", f"/{NAME}/_search", body={"size": RECORDS})["hits"]["hits"]
        assert {hit["_id"] for hit in hits} == {hit["_id"] for hit in everything if holds(hit["_source"])}, limit


LIMITED = {"query_string": {"query": "(cat sea) AND suppressed:false", "fields": ["title"]}}


def test_a_record_that_is_suppressed_between_the_two_requests_is_not_shown(opac: Opac, cluster: Cluster) -> None:
    body = {"query": LIMITED, "size": RECORDS}
    before = opac.send(body)
    assert marked(before) == f"expand; added={K}".encode()
    own = ids(opac.direct(body))
    [added, *others] = [record for record in ids(json.loads(before.answer)) if record not in own]
    ask, asked = opac.part._ask, []

    async def meddling(method: str, path: bytes, headers: Any, sent: bytes) -> Any:
        told = await ask(method, path, headers, sent)
        if json.loads(sent).get("size") == K:
            asked.append(added in told.body.decode())
            change = {"doc": {"suppressed": True}}
            cluster.request("POST", f"/{NAME}/_update/{added}", params={"refresh": "true"}, body=change)
        return told

    opac.part._ask = meddling
    try:
        after = json.loads(opac.send(body).answer)
    finally:
        change = {"doc": {"suppressed": False}}
        cluster.request("POST", f"/{NAME}/_update/{added}", params={"refresh": "true"}, body=change)
    assert asked == [True]
    assert set(ids(after)) == {*own, *others}


def test_names_marks_and_items_are_told_as_before(opac: Opac) -> None:
    items = {"nested": {"path": "items", "query": {"term": {"items.shelf": "x"}}, "inner_hits": {}, "_name": "items"}}
    words = {"match": {"title": {"query": "cat sea", "_name": "own"}}}
    body = {
        "query": {"bool": {"must": [words, items], "_name": "all"}}, "size": RECORDS,
        "highlight": {"fields": {"title": {}}},
    }  # fmt: skip
    exchange = opac.send(body)
    assert marked(exchange) == f"expand; added={K}".encode()

    def told(answer: Any) -> dict[str, Any]:
        return {
            hit["_id"]: (hit.get("highlight"), hit["matched_queries"], hit["inner_hits"]["items"]["hits"]["total"])
            for hit in answer["hits"]["hits"]
        }

    own, found = told(opac.direct(body)), told(json.loads(exchange.answer))
    assert {record: found[record] for record in own} == own
    added = [found[record] for record in found if record not in own]
    assert [(marks, names) for marks, names, _ in added] == [(None, ["items"])] * K  # the words are in `all`
    assert min(items["value"] for *_, items in added) >= 1


def test_the_searches_of_a_multi_search_are_expanded_each(opac: Opac) -> None:
    words = {"query": LIMITED, "size": RECORDS}
    other = b'{"query":  {"match_all": {}}, "size": 1E0, "sort": ["branch"]}'
    raw = b"\n".join([b"{}", other, json.dumps({"index": OPAC}).encode(), json.dumps(words).encode(), b""])
    exchange = opac.send(raw, f"/{NAME}/_msearch")
    alone = opac.send(words, f"/{OPAC}/_search")
    assert marked(exchange) == marked(alone) == f"expand; added={K}".encode()
    assert sum(body.startswith(b"{}\n" + other + b"\n") for *_, body in opac.sending.sent) == 1
    first, second = json.loads(exchange.answer)["responses"]
    assert len(first["hits"]["hits"]) == 1
    assert ids(second) == ids(json.loads(alone.answer))
    assert opac.part.counts == {"test-widen* expand": 2, "test-widen* added": 2 * K, "test-widen* passed sort": 1}


def test_scripts_that_the_cluster_lost_are_stored_again(opac: Opac, cluster: Cluster) -> None:
    cluster.request("DELETE", f"/_scripts/{SCORE}")
    assert marked(opac.send({"query": LIMITED})) == f"expand; added={K}".encode()


def test_what_rerank_leaves_untouched_stays_untouched(opac: Opac) -> None:
    for body in ({"query": LIMITED, "sort": ["branch"]}, {"query": LIMITED, "size": 0}, {"query": {"match_all": {}}}):
        exchange = opac.send(body)
        assert (exchange.passed, marked(exchange)) == (1, None)


def test_words_that_may_be_limits_are_only_ranked(opac: Opac) -> None:
    body = {"query": {"simple_query_string": {"query": "cat -dog", "fields": ["title"]}}, "size": RECORDS}
    exchange = opac.send(body)
    assert marked(exchange) == b"rerank"
    assert sorted(ids(json.loads(exchange.answer))) == sorted(ids(opac.direct(body)))
    assert opac.part.counts == {"test-widen* rerank": 1, "test-widen* expand_unsure": 1}


def test_where_the_first_request_fails_the_search_is_only_ranked(opac: Opac) -> None:
    ask = opac.part._ask

    async def failing(method: str, path: bytes, headers: Any, sent: bytes) -> Any:
        told = await ask(method, path, headers, sent)
        return replace(told, status=503, body=b"{}") if json.loads(sent).get("size") == K else told

    opac.part._ask = failing
    exchange = opac.send({"query": LIMITED, "size": RECORDS})
    assert marked(exchange) == b"rerank"
    assert sorted(ids(json.loads(exchange.answer))) == sorted(ids(opac.direct({"query": LIMITED, "size": RECORDS})))
    assert opac.part.counts == {"test-widen* rerank": 1, "test-widen* expand_failed": 1}


def test_no_more_is_looked_for_than_a_clause_may(opac: Opac, cluster: Cluster) -> None:
    known = state.attached(cluster, NAME)
    state.save(cluster, replace(known, settings=replace(known.settings, k=10_000)))
    try:
        exchange = opac.send(b"".join(b"{}\n" + json.dumps({"query": LIMITED}).encode() + b"\n" for _ in range(5)),
                             f"/{NAME}/_msearch")  # fmt: skip
    finally:
        state.save(cluster, replace(state.attached(cluster, NAME), settings=known.settings))
    assert b"together is 50000; the most is 40000" in (marked(exchange, b"x-crosshatch-degraded") or b"")
    assert exchange.status == 200


def test_records_come_from_the_bands_where_there_are_some(opac: Opac, cluster: Cluster, card: BundleCard) -> None:
    """Bands of the records are laid beside their codes: then only those are added whose bands come near."""
    cut = bands.Banding(128, 16)
    known = state.attached(cluster, NAME)
    cluster.request("PUT", f"/{NAME}/_mapping", body=bands.space_mapping("s"))
    documents = documents_of(opac, NAME)
    query = HashCode(128, random.Random("cat sea").randbytes(16))
    terms = {term for band in cut.terms(query, bands.REACH.radius) for term in band}
    sharing = set()
    lines = []
    for record, doc in documents.items():
        codes = StoredCodes.read(doc["crosshatch"]["s"], 128)
        lines += [json.dumps({"update": {"_id": record}}).encode()]
        lines += [json.dumps({"doc": {bands.OBJECT: {"s": cut.members(codes)}}}).encode()]
        if codes.text and len(terms & set(cut.line(codes.text).split(" "))) >= bands.REACH.agree:
            sharing.add(record)
    assert not cluster.bulk(f"/{NAME}", b"\n".join(lines) + b"\n", params={"refresh": "true"})["errors"]
    bundle = replace(known.bundle, bands=cut)
    state.save(cluster, replace(known, spaces={"s": bundle}))
    try:
        exchange = opac.send({"query": LIMITED, "size": RECORDS})
    finally:
        state.save(cluster, replace(state.attached(cluster, NAME), spaces=known.spaces))
    own = ids(opac.direct({"query": LIMITED, "size": RECORDS}))
    added = set(ids(json.loads(exchange.answer))) - set(own)
    may = {record: doc for record, doc in documents.items() if record in sharing}
    assert added == expected(LIMITED, may, own, card)
    assert sum(b"_crosshatch.s.t" in body for *_, body in opac.sending.sent) == 1
