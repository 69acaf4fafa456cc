"""Vectors beside the codes of an attached index, on the node with plugins: added, kept, taken out, refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integration import attach as attaching
from integration import plans, reattach, state, status
from integration.cli import cli
from integration.engine.client import Cluster
from integration.queries import QueryCodes
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.settings import Settings
from mappings import bands, vectors
from mappings.errors import AttachRefused, RequestError
from tests.live.fakes import CARD, code_of
from tests.live.test_follow import Hands, hands
from tests.live.test_plans import BODY, BROKER, STRICT, Silent, encoded, raw, update

__all__ = ["hands"]
RECORDS = 60


@pytest.fixture
def cluster(knn_cluster: Cluster) -> Cluster:
    """The node with plugins stands where other tests have the session's engine."""
    return knn_cluster


@pytest.fixture
def settings(knn_cluster: Cluster, tmp_path: Path) -> Settings:
    return Settings(opensearch_url=knn_cluster.url, redis_url=BROKER, data=tmp_path)


@pytest.fixture
def known(
    cluster: Cluster, index: Callable[..., str], tmp_path: Path, settings: Settings, hands: Hands
) -> state.Attached:
    """An attached, strict index that can hold vectors, and whose records are encoded."""
    profile = tmp_path / "p.yaml"
    profile.write_text("name: test\nversioning: external\ntext: [title]\n")
    name = index({"settings": vectors.SETTINGS, "mappings": STRICT})
    return encoded(cluster, name, profile, settings, hands, RECORDS)


def add(cluster: Cluster, known: state.Attached, settings: Settings, **how: Any) -> plans.Added:
    now = state.attached(cluster, known.index)
    return plans.add_vectors(cluster, now, now.space, BROKER, settings, Silent(), **how)


def beside(cluster: Cluster, known: state.Attached, record: int) -> Any:
    return json.loads(raw(cluster, known, str(record))).get(bands.OBJECT, {}).get(known.space)


def graph_of(title: str) -> dict[str, list[int]]:
    return {"knn_text": vectors.vector(code_of(title.encode()))}


def test_vectors_are_added_without_a_model_kept_by_every_write_and_taken_out_again(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    before = [raw(cluster, known, str(n)) for n in range(RECORDS)]
    done = add(cluster, known, settings)
    assert (done.counts.restored, done.counts.documents) == (RECORDS, RECORDS)
    assert all(beside(cluster, known, n) == graph_of(f"book {n}") for n in range(RECORDS))
    now = state.attached(cluster, known.index)
    assert (now.bundle.vectors, now.bundle.vectors_ready) == ("lucene", True)
    [stand] = status.of_index(cluster, now)["plans"]
    assert stand == {"plan": "knn", "space": known.space, "engine": "lucene", "ready": True, "documents": RECORDS,
                     "lack": 0, "advice": None}  # fmt: skip
    codes = QueryCodes({"text": code_of(b"book 7")}, "process")
    searcher = Searcher(cluster, settings, None, lambda *_, **__: CARD, lambda *_: codes)
    found = searcher.search(known.index, SearchRequest(image=b"-", plan="knn", k=5))
    assert (found.hits[0].id, found.hits[0].distance, found.total) == ("7", 0, 5)
    cluster.request("PUT", f"/{known.index}/_doc/1", body=BODY.encode() % 1)
    cluster.request("PUT", f"/{known.index}/_doc/2", body=BODY.encode() % 1000)
    counts = update(cluster, now, settings)
    assert (counts.restored, counts.encoded, counts.unchanged) == (1, 1, RECORDS - 2)
    assert [beside(cluster, known, n) for n in (1, 2)] == [graph_of("book 1"), graph_of("book 1000")]
    assert len(hands.encoder.encoded) == 1
    assert add(cluster, known, settings).counts.unchanged == RECORDS
    plans.add(cluster, state.attached(cluster, known.index), known.space, BROKER, settings, Silent())
    assert beside(cluster, known, 3).keys() == {"t", "of", "knn_text"}
    assert plans.drop(cluster, state.attached(cluster, known.index), known.space) == RECORDS
    assert beside(cluster, known, 3) == graph_of("book 3")
    assert plans.drop(cluster, state.attached(cluster, known.index), known.space, plan="knn") == RECORDS
    assert [raw(cluster, known, str(n)) for n in range(RECORDS) if n != 2] == before[:2] + before[3:]
    assert state.attached(cluster, known.index).bundle.vectors is None
    with pytest.raises(RequestError, match=r"has no vectors for the k-NN plugin; .* `crosshatch plans add"):
        searcher.search(known.index, SearchRequest(image=b"-", plan="knn"))


def test_an_index_that_is_made_anew_keeps_its_vectors_where_it_can(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """Made without the settings it has its codes again, and no vectors; nobody's writes fail for that."""
    add(cluster, known, settings)
    now = state.attached(cluster, known.index)
    weighed = replace(now.bundle, part_weights={"image": 0.5})
    state.save(cluster, replace(now, spaces={now.space: weighed}))
    assert attaching.attach(cluster, attaching.plan(cluster, known.index, None, CARD)).bundle == weighed
    for made, engine in (({"settings": vectors.SETTINGS}, "lucene"), ({}, None)):
        cluster.request("DELETE", f"/{known.index}")
        cluster.request("PUT", f"/{known.index}", body={**made, "mappings": STRICT})
        cluster.request("PUT", f"/{known.index}/_doc/1", params={"refresh": "true"}, body=BODY.encode() % 1)
        again = reattach.current(cluster, known.index)
        assert again
        assert again.bundle.vectors == engine
        assert update(cluster, again, settings).restored == 1
        assert beside(cluster, known, 1) == (graph_of("book 1") if engine else None)


def test_what_cannot_be_is_refused_before_anything_is_written(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands, index: Callable[..., str], tmp_path: Path
) -> None:
    def mapped(name: str) -> Any:
        return cluster.request("GET", f"/{name}/_mapping")

    bare = index({"mappings": STRICT})
    other = attaching.attach(cluster, attaching.plan(cluster, bare, str(tmp_path / "p.yaml"), CARD))
    before = mapped(bare), mapped(known.index)
    with pytest.raises(AttachRefused, match=r"can get no vectors: index.knn is not true, and no request can change it"):
        add(cluster, other, settings)
    with pytest.raises(AttachRefused, match="engine faiss cannot be used: lucene can hold binary vectors here"):
        add(cluster, known, settings, engine="faiss")
    cluster.request("PUT", f"/{known.index}/_settings", body={"index.mapping.total_fields.limit": 12})
    with pytest.raises(AttachRefused, match=r"15 fields with ours, of index.mapping.total_fields.limit 12"):
        add(cluster, known, settings)
    with pytest.raises(RequestError, match="has no vectors; see `crosshatch plans list"):
        plans.drop(cluster, known, known.space, plan="knn")
    assert (mapped(bare), mapped(known.index)) == before
    assert state.attached(cluster, known.index).bundle == known.bundle


def test_the_command(cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands) -> None:
    environment = {"CROSSHATCH_OPENSEARCH_URL": cluster.url, "CROSSHATCH_REDIS_URL": BROKER}

    def command(*arguments: str) -> Any:
        done = CliRunner().invoke(cli, ["plans", *arguments, "--json"], env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    dry = command("add", known.index, "knn", "--dry-run")
    assert (dry["restored"], dry["plan"], dry["engine"], dry["dry_run"]) == (RECORDS, "knn", "lucene", True)
    done = command("add", known.index, "knn", "--engine", "lucene")
    assert (done["restored"], done["lack"], done["ready"]) == (RECORDS, 0, True)
    assert [plan["plan"] for plan in command("list", known.index)["plans"]] == ["knn"]
    listed = CliRunner().invoke(cli, ["plans", "list", known.index], env=environment)
    assert "lucene" in listed.stdout
    gone = command("drop", known.index, "knn", "--yes")
    assert gone == {"index": known.index, "plan": "knn", "space": known.space, "changed": RECORDS}
    for wrong in (["bands", "--engine", "lucene"], ["knn", "--width", "8"]):
        told = CliRunner().invoke(cli, ["plans", "add", known.index, *wrong], env=environment)
        assert isinstance(told.exception, RequestError)
