"""Searches and clauses that take the plugin's plans, name them, or do without, on the node with plugins."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from encoders.api import BundleCard
from integration import permissions, state
from integration.cli import cli
from integration.engine.client import Cluster
from integration.queries import QueryCodes
from integration.search import abilities, planner
from integration.search.request import Plan, SearchRequest
from integration.search.run import Searcher
from integration.settings import Settings
from mappings.errors import EngineRefused
from mappings.fields import space_mapping
from mappings.profile import TargetProfile
from tests.live.gateway.test_clause import Gateway, card
from tests.live.knn import catalogue
from tests.live.knn.catalogue import Collection

__all__ = ["card"]
BARE, GRAPHED = "test-wired-bare", "test-wired"  # the state says of both that they have vectors
NEAR = SearchRequest(text="cat", k=10, weight=1.0, on=("text",))


@pytest.fixture(scope="module")
def records(knn_cluster: Cluster, card: BundleCard) -> Iterator[Collection]:
    """The same records twice, attached: with vectors, and without fields for them."""
    collection = catalogue.collection()
    for name in (BARE, GRAPHED):
        catalogue.create(knn_cluster, name)
        knn_cluster.request("PUT", f"/{name}/_mapping", body=space_mapping("s"))
        if name == GRAPHED:
            catalogue.add_fields(knn_cluster, name)
        else:
            hidden = {"properties": {"_crosshatch": {"type": "object", "enabled": False}}}
            knn_cluster.request("PUT", f"/{name}/_mapping", body=hidden)
        catalogue.write(knn_cluster, collection, name)
        bundle = state.Bundle(card.reference, card.name, 128, card.digest, vectors="lucene", vectors_ready=True)
        profile = TargetProfile(name="test", text=("title",), title="title")
        known = state.Attached(*state.concrete(knn_cluster, name), "s", {"s": bundle}, profile, "secret")
        state.save(knn_cluster, known)
    yield collection
    for name in (BARE, GRAPHED):
        state.forget(knn_cluster, state.attached(knn_cluster, name))
        knn_cluster.request("DELETE", f"/{name}")


@pytest.fixture
def searcher(knn_cluster: Cluster, records: Collection, card: BundleCard) -> Searcher:
    """Searches by a code that lies among the records; similarity is linear, so that few records tie."""
    card = replace(card, calibration={})
    codes = QueryCodes({"text": records.queries[0]}, "process")
    return Searcher(knn_cluster, Settings(), None, lambda *_, **__: card, lambda *_: codes)


def test_named_plans_find_what_the_exact_one_finds(searcher: Searcher) -> None:
    exact = searcher.search(GRAPHED, replace(NEAR, plan="exact"))
    plans: tuple[Plan, ...] = ("knn", "knn-score")
    for plan in plans:
        found = searcher.search(GRAPHED, replace(NEAR, plan=plan))
        assert (found.plan.name, found.hits, found.total) == (plan, exact.hits, exact.total)
    assert searcher.search(BARE, replace(NEAR, plan="knn-score")).hits == exact.hits
    ranked = replace(NEAR, weight=0.5, fusion="rrf")
    exact = searcher.search(GRAPHED, replace(ranked, plan="exact"))
    for plan in plans:
        assert searcher.search(GRAPHED, replace(ranked, plan=plan)).hits == exact.hits


def test_a_large_index_with_vectors_is_searched_by_graphs(
    searcher: Searcher, knn_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the cluster can do is read once; the role of readers allows all that is sent."""
    monkeypatch.setattr(planner, "FEW", 100)
    monkeypatch.setattr(abilities, "_found", {})
    sent: list[tuple[str, str]] = []
    send = knn_cluster._send

    def noted(method: str, path: str, *rest: Any) -> Any:
        sent.append((method, path))
        return send(method, path, *rest)

    monkeypatch.setattr(knn_cluster, "_send", noted)
    found = searcher.search(GRAPHED, NEAR)
    assert (found.plan.name, found.plan.why) == ("knn", f"{catalogue.RECORDS} records, in graphs of the k-NN plugin")
    assert permissions.missing("reader", sent) == set()
    before = len(sent)
    assert searcher.search(GRAPHED, NEAR).hits == found.hits
    assert {path for _, path in sent[:before]} - {path for _, path in sent[before:]} == {
        "/", "/_nodes/plugins", "/_cluster/settings", abilities.USED
    }  # fmt: skip


def test_where_the_graphs_fail_another_plan_answers_unless_they_are_named(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "FEW", 100)
    exact = searcher.search(BARE, replace(NEAR, plan="exact"))
    found = searcher.search(BARE, NEAR)
    assert (found.plan.name, found.hits) == ("exact", exact.hits)
    assert found.plan.why.startswith("the plan knn was refused: ")
    with pytest.raises(EngineRefused, match=r"the plan knn failed \(.*\); take another plan, or `auto`"):
        searcher.search(BARE, replace(NEAR, plan="knn"))


def test_the_command(knn_cluster: Cluster, records: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", knn_cluster.url)
    record = next(record for record, codes in records.codes.items() if codes.parts == ("text",))
    asked = ["search", GRAPHED, "--like", record, "--plan", "knn-score", "--on", "text", "--explain"]
    told = CliRunner().invoke(cli, asked)
    assert "plan knn-score" in told.output, told.exception


def test_clauses(knn_cluster: Cluster, records: Collection) -> None:
    """A clause names the plans, `auto` takes graphs, and does without where they fail."""
    gateway = Gateway(knn_cluster, Settings())

    code = {"space": "s", "base64": records.queries[0].base64()}

    def scores(index: str, **clause: Any) -> list[float]:
        gateway.sent.clear()
        body = {"query": {"crosshatch": {"code": code, "k": 10, "on": ["text"], **clause}}, "size": 10}
        return [hit["_score"] for hit in gateway.search(body, f"/{index}/_search")["hits"]["hits"]]

    exact = scores(GRAPHED, plan="exact")
    assert len(exact) == 10
    for plan, mark in (("auto", b"knn_text"), ("knn", b"knn_text"), ("knn-score", b"hammingbit")):
        assert scores(GRAPHED, plan=plan) == exact, plan
        assert any(mark in body for _, _, body in gateway.sent), plan
    assert scores(BARE) == exact
    assert [b"knn_text" in body for _, _, body in gateway.sent if b"script_score" in body] == [True, False, False]
    body = {"query": {"crosshatch": {"code": code, "plan": "knn"}}}
    refused = gateway.send("POST", f"/{BARE}/_search", body)
    assert refused.status == 400
    assert b"knn" in refused.answer
