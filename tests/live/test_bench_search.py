"""The search benchmark on a small collection: ways in the engine, truths against slow twins, and a whole run."""

from pathlib import Path

import numpy as np
import pytest

from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.search.plan import words_query
from integration.search.scripts import ensure_scripts
from mappings.code import HashCode, codes_of
from tests.bench.search import bm25, engine, fusions, layouts, terms, truth
from tests.bench.search.collection import Collection, prepared
from tests.bench.search.layouts import CODE, filled
from tests.bench.search.measuring import clients
from tests.bench.search.run import Effort, Engines, measure, truths_of
from tests.bench.search.wire import wire

pytestmark = pytest.mark.live
SIZE = 2_000


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return prepared(tmp_path_factory.mktemp("bench"), SIZE)


@pytest.fixture(scope="module")
def index(cluster: Cluster, held: Collection) -> str:
    ensure_scripts(cluster)
    filled(cluster, CODE, held)  # and the titles alone, whose scores are the truth's
    return CODE.index(SIZE)


def test_an_index_is_filled_once_and_holds_what_is_said(cluster: Cluster, held: Collection, index: str) -> None:
    built = filled(cluster, CODE, held)
    before = cluster.request("GET", f"/{index}/_settings")[index]["settings"]["index"]["uuid"]
    assert filled(cluster, CODE, held) == built
    assert cluster.request("GET", f"/{index}/_settings")[index]["settings"]["index"]["uuid"] == before
    assert 16 < built.added / SIZE < built.bytes / SIZE
    segments = cluster.request("GET", f"/{index}/_segments")["indices"][index]["shards"]["0"][0]["segments"]
    assert len(segments) == 1
    last = cluster.request("GET", f"/{index}/_doc/{layouts.document_id(SIZE - 1)}")["_source"]
    assert last["title"] == list(held.titles())[-1]
    assert HashCode.from_base64(last["crosshatch"]["s"]["text"]).packed == held.codes[-1].tobytes()


def test_another_layout_under_the_name_is_filled_anew(cluster: Cluster, held: Collection) -> None:
    first = layouts.Layout("changing", {"a": {"type": "keyword"}})
    filled(cluster, first, held)
    filled(cluster, layouts.Layout("changing", {"b": {"type": "keyword"}}), held)
    [mapping] = cluster.request("GET", f"/{first.index(SIZE)}/_mapping").values()
    assert set(mapping["mappings"]["properties"]) == {"title", "b"}


def test_bm25_scores_are_the_engine_s(cluster: Cluster, services: Services, held: Collection, index: str) -> None:
    """The truth's scores, few by few, are those of one search that reaches every match."""
    text = held.queries(1)[0].text
    body = {"query": words_query(text, ("title",)), "size": SIZE}
    found = cluster.request("POST", f"/{index}/_search", body=body)["hits"]["hits"]
    slow = {layouts.number_of(hit["_id"]): hit["_score"] for hit in found}
    ids, values = bm25.top(wire(services.url), index, text)
    assert dict(zip(ids.tolist(), values.tolist(), strict=True)) == slow
    every = bm25.scores(wire(services.url), index, text, np.arange(SIZE))
    assert every.tolist() == [slow.get(number, 0.0) for number in range(SIZE)]


@pytest.mark.parametrize("page", [bm25.PAGE, 20])
def test_the_fused_truth_is_what_scoring_everything_gives(
    monkeypatch: pytest.MonkeyPatch, services: Services, held: Collection, index: str, page: int, tmp_path: Path
) -> None:
    """Also where the best BM25 hits are far fewer than match, and the rest must be asked for in pages."""
    monkeypatch.setattr(bm25, "PAGE", page)
    queries = held.queries(3)
    told = bm25.fused_truths(wire(services.url), index, prepared(tmp_path, SIZE), queries, engine.WEIGHTS, 50)
    monkeypatch.undo()
    for at, query in enumerate(queries):
        words = bm25.scores(wire(services.url), index, query.text, np.arange(SIZE))
        distances = [query.code.distance(code) for code in codes_of(held.codes)]
        for weight in engine.WEIGHTS:
            score = [(1 - weight) * s / (s + 8) + weight * (1 - d / 128) for s, d in zip(words, distances, strict=True)]
            slow = sorted(range(SIZE), key=lambda one: (-score[one], one))[:50]
            found = told[weight][at]
            assert found.values[:50] == pytest.approx([score[one] for one in slow])
            assert set(slow) <= set(found.ids.tolist())


def test_exact_ways_find_the_truth(services: Services, held: Collection, index: str) -> None:
    """The engine's script and NumPy agree, by codes and by the fused score."""
    queries = held.queries(10)
    known = [*engine.ways(services.url, SIZE), *fusions.ways(services.url, SIZE)]
    ways = [way for way in known if way.name.startswith("exact")]
    truths = truths_of(services.url, held, queries, {way.answers for way in ways})
    assert len(ways) == 5
    for way in ways:
        for query, right in zip(queries, truths[way.answers], strict=True):
            assert truth.recall(way.ask(query, 10), right, 10) == 1, (way.name, query.text)


def test_terms_by_hand_reach_exactly_their_radius(services: Services, cluster: Cluster, held: Collection) -> None:
    for kind, bands in ((terms.BY_HAND, 8), (terms.ELASTIC_HASH, 4)):
        filled(cluster, kind.layout, held)
        for radius in (0, 1, 2):
            code = held.queries(1)[0].code
            differing = np.unpackbits(held.codes ^ np.frombuffer(code.packed, np.uint8), axis=1)
            reach = differing.reshape(SIZE, 8, 16)[:, :bands].sum(axis=2).min(axis=1) <= radius
            body = {"query": kind.query(code, radius), "size": SIZE}
            found = cluster.request("POST", f"/{kind.layout.index(SIZE)}/_search", body=body)["hits"]["hits"]
            assert {layouts.number_of(hit["_id"]) for hit in found} == set(np.flatnonzero(reach).tolist())


def test_a_whole_run(services: Services, tmp_path: Path) -> None:
    with clients(2) as many:
        rows = measure(tmp_path, Engines(services.url), SIZE, Effort(9, 0.05, (1, 2)), many)
    assert rows["NumPy"].recall_10 == rows["Faiss flat"].recall_100 == rows["exact script"].recall_10 == 1
    assert rows["exact fused, w 0.5"].recall_10 == 1
    assert rows["exact by ranks"].recall_10 == 1
    assert (rows["bands by ranks"].recall_10 or 0) > 0.95
    assert (rows["expand, w 0.5"].recall_10 or 0) > 0.95
    assert 0 < (rows["bands by hand 8 x 16, radius 0"].recall_10 or 0) < 0.8
    assert (rows["bands by hand 8 x 16, radius 2"].recall_10 or 0) > 0.95
    assert rows["BM25"].recall_10 is None
    assert rows["BM25"].ratio == 1
    assert rows["bands by hand 8 x 16, radius 1"].added > rows["exact script"].added > 16
    assert all(row.p50_ms <= row.p99_ms and set(row.loads) == {"1", "2"} for row in rows.values())


def test_a_way_that_nobody_knows_is_refused(services: Services, tmp_path: Path) -> None:
    with clients(1) as many, pytest.raises(SystemExit, match="no way is called magic; there are: BM25, "):
        measure(tmp_path, Engines(services.url), SIZE, Effort(1, 0.01, (1,)), many, ["magic"])
