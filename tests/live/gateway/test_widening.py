"""An OPAC's own searches on a real engine: another order, and nothing else is another."""

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from encoders.api import BundleCard
from integration import state
from integration.engine.client import Cluster
from integration.gateway import cbor
from integration.gateway.attachments import Attachments
from integration.gateway.exchange import Header
from integration.gateway.querycodes import QueryCodes
from integration.gateway.searching import Told
from integration.gateway.widening.requests import Widening
from integration.gateway.widening.rules import Rule
from integration.search.scripts import ensure_scripts
from integration.settings import Settings
from mappings.code import HashCode
from mappings.errors import EngineRefused
from mappings.fields import StoredCodes, space_mapping
from mappings.profile import TargetProfile
from mappings.scripts import SCORE
from tests.live.gateway.test_clause import JSON, WORDS, Straight, card, encoded
from tests.live.gateway.test_clause import Gateway as Sending

__all__ = ["card"]
NAME, OPAC, RECORDS = "test-widening", "test-widening-opac", 90
CAT = {"query": {"match": {"title": "cat"}}}
FACETS = {"branch": {"terms": {"field": "branch"}, "aggs": {"price": {"stats": {"field": "price"}}}}}


@dataclass
class Through(Straight):
    """An exchange whose requests can also pass."""

    afterwards: list[Callable[[], None]] = field(default_factory=list)
    sending: Any = None
    passed: int = 0

    async def pass_on(self, body: bytes | None = None, headers: Sequence[Header] | None = None) -> Any:
        self.passed += 1
        told = await self.sending.ask(self.method, self.raw_path, self.headers, self.sent)
        return Relayed(self, told)

    def after(self, callback: Any) -> None:
        self.afterwards.append(callback)


@dataclass
class Relayed:
    exchange: Through
    told: Told

    @property
    def status(self) -> int:
        return self.told.status

    @property
    def headers(self) -> Sequence[Header]:
        return self.told.headers

    async def relay(self, watch: Callable[[bytes], None] | None = None) -> None:
        if watch is not None:
            watch(self.told.body)
        await self.exchange.respond(self.told.status, self.told.headers, self.told.body)


class Opac:
    """Searches, direct and through the part under test."""

    def __init__(self, cluster: Cluster, settings: Settings, rule: str) -> None:
        self.sending = Sending(cluster, settings)
        told = settings.model_copy(update={"widen": (Rule.read(rule),)})
        codes = QueryCodes(encoded, timeout=5)
        self.part = Widening(self.sending.ask, Attachments(cluster, settings.data), codes, told)

    def send(self, body: Any, path: str = f"/{NAME}/_search", headers: Sequence[Header] = (JSON,)) -> Through:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        exchange = Through(self.sending.url, "POST", path.encode(), raw, headers, sending=self.sending)
        asyncio.run(self._handled(exchange))
        return exchange

    async def _handled(self, exchange: Through) -> None:
        if not await self.part.handle(exchange):
            await (await exchange.pass_on()).relay()
        for callback in exchange.afterwards:
            callback()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others)

    def direct(self, body: Any, path: str = f"/{NAME}/_search") -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = asyncio.run(self.sending.ask("POST", path.encode(), (JSON,), raw))
        assert told.status == 200, told.body
        return json.loads(told.body)


@pytest.fixture(scope="module")
def stored(cluster: Cluster, card: BundleCard) -> Iterator[None]:
    """Records of two tenants and three branches, some suppressed, some without a code, in two shards."""
    rng = random.Random(7)
    whole = {"type": "keyword"}
    mapping = {
        "title": {"type": "text"}, "subject": {"type": "text"}, "suppressed": {"type": "boolean"},
        "branch": whole, "tenant": whole, "price": {"type": "float"},
        "items": {"type": "nested", "properties": {"barcode": whole, "shelf": whole}},
    }  # fmt: skip
    alias = {OPAC: {"filter": {"term": {"tenant": "a"}}}}
    settings = {"number_of_shards": 2, "number_of_replicas": 0}
    body = {"settings": settings, "mappings": {"properties": mapping}, "aliases": alias}
    cluster.request("PUT", f"/{NAME}", body=body)
    cluster.request("PUT", f"/{NAME}/_mapping", body=space_mapping("s"))
    lines = []
    for number in range(RECORDS):
        codes = StoredCodes(HashCode(128, rng.randbytes(16)) if rng.random() < 0.8 else None, ())
        source = {
            "title": " ".join(rng.choices(WORDS, k=3)), "subject": " ".join(rng.choices(WORDS, k=2)),
            "suppressed": rng.random() < 0.3, "branch": rng.choice(("CPL", "MPL", "FPL")),
            "tenant": rng.choice("ab"), "price": rng.randrange(100) / 4,
            "items": [{"barcode": f"{number}-{at}", "shelf": rng.choice("xy")} for at in range(2)],
            "crosshatch": {"s": codes.members()},
        }  # fmt: skip
        lines += [msgspec.json.encode({"index": {"_id": f"w{number}"}}), msgspec.json.encode(source)]
    assert not cluster.bulk(f"/{NAME}", b"\n".join(lines) + b"\n", params={"refresh": "true"})["errors"]
    bundle = state.Bundle(card.reference, card.name, card.bits, card.digest)
    profile = TargetProfile(name="test", text=("title", "subject"), title="title")
    index, uuid = state.concrete(cluster, NAME)
    weights = state.Weights(weight=0.9)
    state.save(cluster, state.Attached(index, uuid, "s", {"s": bundle}, profile, "secret", settings=weights))
    ensure_scripts(cluster)
    yield
    state.forget(cluster, state.attached(cluster, NAME))
    cluster.request("DELETE", f"/{NAME}")


@pytest.fixture
def opac(cluster: Cluster, settings: Settings, stored: None) -> Opac:
    return Opac(cluster, settings, "test-widen*=rerank")


def ids(answer: Any) -> list[str]:
    return [hit["_id"] for hit in answer["hits"]["hits"]]


def marked(exchange: Through, name: bytes = b"x-crosshatch-widened") -> bytes | None:
    return dict(exchange.answered).get(name)


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True).map(" ".join)
strings = st.builds(
    lambda text, limit: f"({text}){limit}", texts,
    st.sampled_from(["", " AND branch:CPL", " AND (branch:CPL OR branch:MPL)", " AND -suppressed:true", " NOT dog"]),
)  # fmt: skip
clauses = st.one_of(
    texts.map(lambda text: {"match": {"title": text}}),
    texts.map(lambda text: {"multi_match": {"query": text, "fields": ["title^2", "subject"]}}),
    texts.map(lambda text: {"combined_fields": {"query": text, "fields": ["title", "subject"]}}),
    texts.map(lambda text: {"simple_query_string": {"query": f"{text} -dog", "fields": ["title"]}}),
    strings.map(lambda said: {"query_string": {"query": said, "fields": ["title", "subject"], "lenient": True}}),
)
limits = st.sampled_from(
    [{"term": {"suppressed": False}}, {"terms": {"branch": ["CPL", "FPL"]}}, {"range": {"price": {"gte": 5}}}]
)
hidden = st.sampled_from([{"term": {"suppressed": True}}, {"term": {"tenant": "b"}}, {"match": {"title": "sea"}}])
queries = st.recursive(
    clauses,
    lambda inner: st.builds(
        lambda must, should, kept, left: {
            "bool": {name: held for name, held in
                     (("must", must), ("should", should), ("filter", kept), ("must_not", left)) if held}
        },
        st.lists(inner, min_size=1, max_size=2), st.lists(st.one_of(inner, limits), max_size=2),
        st.lists(limits, max_size=1), st.lists(hidden, max_size=1),
    ) | st.lists(inner, min_size=1, max_size=2).map(lambda each: {"dis_max": {"queries": each}}),
    max_leaves=4,
)  # fmt: skip


@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(query=queries, after=st.none() | limits, path=st.sampled_from([NAME, OPAC]))
def test_no_answer_holds_another_record_than_the_opac_s_own_over_all_pages(
    cluster: Cluster, stored: None, query: Any, after: Any, path: str
) -> None:
    opac = Opac(cluster, Settings(), "test-widen*=rerank")
    body = {"query": query, "aggs": FACETS, **({"post_filter": after} if after else {})}
    own = opac.direct({**body, "size": RECORDS}, f"/{path}/_search")
    pages = [opac.send({**body, "size": 20, "from": at}, f"/{path}/_search") for at in range(0, RECORDS + 20, 20)]
    found = [json.loads(page.answer) for page in pages]
    assert {marked(page) for page in pages} == {b"rerank"}
    assert sorted(id for page in found for id in ids(page)) == sorted(ids(own))
    for page in found:
        assert page["hits"]["total"] == own["hits"]["total"]
        assert page["aggregations"] == own["aggregations"]
    whole = json.loads(opac.send({**body, "size": RECORDS}, f"/{path}/_search").answer)
    assert [id for page in found for id in ids(page)] == ids(whole)


def test_hits_come_in_the_order_of_words_and_codes(opac: Opac, cluster: Cluster, card: BundleCard) -> None:
    body = {"query": {"match": {"title": "cat sea"}}, "size": RECORDS}
    exchange = opac.send(body)
    own, other = opac.direct(body), json.loads(exchange.answer)
    assert (marked(exchange), marked(exchange, b"x-crosshatch-degraded")) == (b"rerank", None)
    bm25 = {hit["_id"]: hit["_score"] for hit in own["hits"]["hits"]}
    query, table = HashCode(128, random.Random("cat sea").randbytes(16)), card.table("text", "text")
    expected = {}
    for hit in own["hits"]["hits"]:
        code = StoredCodes.read(hit["_source"]["crosshatch"]["s"], 128).text
        similarity = 0.0 if code is None else table[query.distance(code)]
        expected[hit["_id"]] = 0.1 * bm25[hit["_id"]] / (bm25[hit["_id"]] + 8) + 0.9 * similarity
    scores = {hit["_id"]: hit["_score"] for hit in other["hits"]["hits"]}
    assert scores == pytest.approx(expected, rel=1e-5)
    assert ids(other) != ids(own)


@pytest.mark.parametrize("track", [None, True, False, 5])
def test_totals_are_counted_as_the_opac_asked(opac: Opac, track: Any) -> None:
    body = {"query": {"match": {"title": "cat"}}, "size": 3, **({} if track is None else {"track_total_hits": track})}
    exchange = opac.send(body)
    assert marked(exchange) == b"rerank"
    assert json.loads(exchange.answer)["hits"].get("total") == opac.direct(body)["hits"].get("total")


def test_marks_and_named_queries_stay(opac: Opac) -> None:
    query = {
        "bool": {
            "must": {"match": {"title": {"query": "cat sea", "_name": "own"}}},
            "filter": {"exists": {"field": "branch"}},
        }
    }
    body = {"query": query, "size": RECORDS, "highlight": {"fields": {"title": {}}}, "_source": ["title"]}
    exchange = opac.send(body)
    assert marked(exchange) == b"rerank"
    told = [
        {hit["_id"]: (hit["highlight"], hit["matched_queries"], hit["_source"]) for hit in answer["hits"]["hits"]}
        for answer in (json.loads(exchange.answer), opac.direct(body))
    ]
    assert told[0] == told[1]
    assert len(told[0]) > 10


def test_items_found_inside_records_are_told_as_before(opac: Opac) -> None:
    items = {"nested": {"path": "items", "query": {"term": {"items.shelf": "x"}}, "inner_hits": {}}}
    body = {"query": {"bool": {"must": [{"match": {"title": "cat sea"}}, items]}}, "size": RECORDS}
    exchange = opac.send(body)
    assert marked(exchange) == b"rerank"
    told = [
        {hit["_id"]: [inner["_source"] for inner in hit["inner_hits"]["items"]["hits"]["hits"]] for hit in hits}
        for hits in (answer["hits"]["hits"] for answer in (json.loads(exchange.answer), opac.direct(body)))
    ]
    assert told[0] == told[1]
    assert len(told[0]) > 10


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ({"query": {"match": {"title": "cat"}}, "sort": [{"price": "asc"}]}, {}),
        ({"query": {"match": {"title": "cat"}}}, {"scroll": "1m"}),
        ({"query": {"match": {"title": "cat"}}, "collapse": {"field": "branch"}}, {}),
        ({"query": {"match": {"title": "cat"}}, "size": 0, "aggs": FACETS}, {}),
        ({"query": {"query_string": {"query": "cat AND (sea OR", "lenient": True}}}, {}),
        ({"query": {"match": {"branch": "CPL"}}}, {}),
        ({"query": {"match_all": {}}}, {}),
    ],
)
def test_other_searches_pass_byte_for_byte(opac: Opac, body: Any, params: dict[str, str]) -> None:
    exchange = opac.send(body, f"/{NAME}/_search?{urlencode(params)}")
    assert exchange.passed == 1
    assert marked(exchange) is None
    assert sum(opac.part.counts.values()) == 1
    assert next(iter(opac.part.counts)).startswith("test-widen* passed ")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/{NAME}/_search?q=title:cat", b""),
        (f"/{NAME}/_search?q=title:cat", b'{"query": {"match": {"title": "cat"}}}'),
        (f"/{NAME}/_search?{urlencode({'source': json.dumps(CAT), 'source_content_type': 'application/json'})}", b""),
        (f"/{NAME}/_search/template", {"source": CAT}),
        (f"/{NAME}/_msearch/template", f'{{}}\n{{"source":{json.dumps(CAT)}}}\n'.encode()),
    ],
)
def test_searches_in_the_url_and_in_templates_pass_byte_for_byte(opac: Opac, path: str, body: Any) -> None:
    exchange = opac.send(body, path)
    assert (exchange.passed, exchange.status, marked(exchange)) == (1, 200, None)
    assert exchange.call.kind not in opac.part.kinds or "q" in exchange.call.params or not exchange.sent
    told = json.loads(exchange.answer)
    own = opac.direct(CAT)["hits"]["hits"]
    assert ids(told["responses"][0] if "responses" in told else told) == [hit["_id"] for hit in own]


def test_a_search_that_reaches_an_index_of_others_passes(opac: Opac, index: Callable[..., str]) -> None:
    other = index()
    exchange = opac.send({"query": {"match": {"title": "cat"}}}, f"/{NAME},{other}/_search")
    assert (exchange.passed, exchange.status) == (1, 200)
    assert not opac.part.counts


def test_without_a_code_in_time_the_search_passes_as_it_was(opac: Opac) -> None:
    body = {"query": {"match": {"title": "nobody answers"}}, "size": 5}
    for _ in range(2):
        exchange = opac.send(body)
        assert b"no worker" in (marked(exchange, b"x-crosshatch-degraded") or b"")
        assert json.loads(exchange.answer)["hits"] == opac.direct(body)["hits"]
    assert opac.part.counts == Counter({"test-widen* degraded": 2})


def test_scripts_that_the_cluster_lost_are_stored_again(opac: Opac, cluster: Cluster) -> None:
    cluster.request("DELETE", f"/_scripts/{SCORE}")
    assert marked(opac.send({"query": {"match": {"title": "cat sea"}}})) == b"rerank"


def test_where_lost_scripts_cannot_be_stored_the_opac_gets_its_own_answer(
    opac: Opac, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(_: Cluster) -> list[str]:
        raise EngineRefused(400, "illegal_argument_exception", "[stored] scripts are not enabled", "PUT /_scripts/x")

    body = {"query": {"match": {"title": "cat sea"}}}
    cluster.request("DELETE", f"/_scripts/{SCORE}")
    monkeypatch.setattr("integration.gateway.attachments.ensure_scripts", refusing)
    try:
        exchange = opac.send(body)
    finally:
        ensure_scripts(cluster)
    assert marked(exchange, b"x-crosshatch-degraded") == b"the cluster did not rank by codes"
    assert json.loads(exchange.answer)["hits"] == opac.direct(body)["hits"]


def test_where_the_cluster_takes_no_scripts_the_opac_gets_its_own_answer(opac: Opac, cluster: Cluster) -> None:
    body = {"query": {"match": {"title": "cat"}}, "size": 5}
    off = {"persistent": {"search.allow_expensive_queries": False}}
    cluster.request("PUT", "/_cluster/settings", body=off)
    try:
        exchange = opac.send(body)
    finally:
        cluster.request("PUT", "/_cluster/settings", body={"persistent": {"search.allow_expensive_queries": None}})
    assert (marked(exchange), exchange.status) == (None, 200)
    assert json.loads(exchange.answer)["hits"] == opac.direct(body)["hits"]
    later = opac.send(body)
    assert marked(later, b"x-crosshatch-degraded") == b"the cluster did not rank by codes just now"


def test_a_wrong_search_gets_the_cluster_s_own_error_and_harms_no_other(opac: Opac) -> None:
    wrong = {"query": {"match": {"title": {"query": "cat", "operator": "nor"}}}}
    exchange = opac.send(wrong)
    assert exchange.status == 400
    with pytest.raises(EngineRefused) as raised:
        opac_error(opac, wrong)
    assert json.loads(exchange.answer)["error"]["type"] == raised.value.kind
    assert marked(opac.send({"query": {"match": {"title": "cat"}}})) == b"rerank"


def opac_error(opac: Opac, body: Any) -> None:
    Cluster(opac.sending.url).request("POST", f"/{NAME}/_search", body=body)


def test_cbor_is_answered_in_cbor(opac: Opac) -> None:
    headers = ((b"content-type", b"application/cbor"), (b"accept", b"application/cbor"))
    body = {"query": {"match": {"title": "cat"}}, "size": RECORDS}
    exchange = opac.send(cbor.dumps(body), headers=headers)
    assert marked(exchange) == b"rerank"
    assert sorted(ids(cbor.loads(exchange.answer))) == sorted(ids(opac.direct(body)))


def test_the_searches_of_a_multi_search_are_widened_each_and_the_others_stay_their_bytes(opac: Opac) -> None:
    words = {"query": {"match": {"title": "cat sea"}}, "size": RECORDS, "aggs": FACETS}
    other = b'{"query":  {"match_all": {}}, "size": 1E0, "sort": ["branch"]}'
    raw = b"\n".join(
        [b"{}", other, json.dumps({"index": OPAC, "preference": "a"}).encode(), json.dumps(words).encode(), b""]
    )
    exchange = opac.send(raw, f"/{NAME}/_msearch")
    assert marked(exchange) == b"rerank"
    assert opac.sending.sent[-1][2].startswith(b"{}\n" + other + b"\n")
    first, second = json.loads(exchange.answer)["responses"]
    assert len(first["hits"]["hits"]) == 1
    own = opac.direct(words, f"/{OPAC}/_search")
    reranked = json.loads(opac.send(words, f"/{OPAC}/_search").answer)
    assert ids(second) == ids(reranked)
    assert sorted(ids(second)) == sorted(ids(own))
    assert (second["hits"]["total"], second["aggregations"]) == (own["hits"]["total"], own["aggregations"])


@pytest.mark.parametrize("header", [{}, {"index": [NAME]}, {"index": NAME, "cancel_after_time_interval": "1s"}])
def test_a_multi_search_without_codes_or_with_an_error_passes_as_it_was(opac: Opac, header: Any) -> None:
    for query, status in (({"title": "nobody answers"}, 200), ({"title": {"query": "cat", "operator": "nor"}}, 400)):
        lines = [header, {"query": {"match": query}}, {}, {"query": {"match_all": {}}, "size": 1}]
        raw = "".join(json.dumps(line) + "\n" for line in lines).encode()
        exchange = opac.send(raw, f"/{NAME}/_msearch")
        assert (exchange.status, marked(exchange)) == (status, None)
        told = asyncio.run(opac.sending.ask("POST", f"/{NAME}/_msearch".encode(), (JSON,), raw))
        both = [re.sub(rb'"took":[0-9]+', b"", answer) for answer in (exchange.answer, told.body)]
        assert both[0] == both[1]


def test_shadow_answers_the_old_and_counts_what_would_differ(
    cluster: Cluster, settings: Settings, stored: None
) -> None:
    opac = Opac(cluster, settings, f"{OPAC}=shadow")
    body = {"query": {"match": {"title": "cat sea"}}, "size": 10, "aggs": FACETS}
    exchange = opac.send(body, f"/{OPAC}/_search?preference=a")
    own = opac.direct(body, f"/{OPAC}/_search")
    assert exchange.passed == 1
    assert json.loads(exchange.answer)["hits"] == own["hits"]
    path, _, asked = opac.sending.sent[1]
    assert path == f"/{OPAC}/_search?preference=a"
    assert "aggs" not in json.loads(asked)
    reranked = json.loads(Opac(cluster, settings, "*=rerank").send(body, f"/{OPAC}/_search").answer)
    kept = len(set(ids(own)) & set(ids(reranked)))
    place = sum(one == other for one, other in zip(ids(own), ids(reranked), strict=True))
    first = int(ids(own)[0] == ids(reranked)[0])
    told = {
        "compared": 1,
        "hits": 10,
        "hits_kept": kept,
        "hits_in_place": place,
        "first_kept": first,
        "total_differs": 0,
    }
    assert opac.part.shadow.counts == {f"{OPAC} {name}": number for name, number in told.items()}
    opac.send({"query": {"match": {"title": "nobody answers"}}}, f"/{OPAC}/_search")
    assert opac.part.shadow.counts[f"{OPAC} no_code"] == 1
