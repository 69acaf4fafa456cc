"""What the plans stand on: what the cluster can do, what an index must be made with, and what the catalogue notices."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration import doctor
from integration.engine.client import Cluster, part
from integration.search import abilities
from integration.settings import Settings
from mappings import vectors
from mappings.errors import EngineRefused
from mappings.fields import StoredCodes, space_mapping
from tests.live.knn import catalogue

BINARY = {"type": "knn_vector", "dimension": 128, "data_type": "binary", "space_type": "hamming"}
PATTERNS = ("c*", "p*", "*price", "shelf")  # of fields; `*` alone the engine refuses, with or without us
QUESTIONS: dict[str, dict[str, Any]] = {
    "default fields": {"query_string": {"query": "red cat"}},
    "every field": {"query_string": {"query": "red", "fields": ["*"]}},
    "simple": {"simple_query_string": {"query": "red +cat"}},
    "pattern": {"multi_match": {"query": "red", "fields": ["*"], "lenient": True}},
    "bool": {"bool": {"must": [{"match": {"title": "red"}}], "must_not": [{"term": {"shelf": "rare"}}]}},
    "nothing but a negation": {"bool": {"must_not": [{"match": {"title": "red"}}]}},
    "everything": {"match_all": {}},
    "exists": {"exists": {"field": "title"}},
    "exists by pattern": {"exists": {"field": "t*"}},
    "exists by the first letter of ours": {"exists": {"field": "c*"}},
    "pattern inside the words": {"query_string": {"query": "t\\*:red"}},
}


@pytest.fixture
def index(knn_cluster: Cluster) -> Iterator[Callable[..., str]]:
    """A factory of indices with these settings; each is deleted afterwards."""
    names: list[str] = []

    def create(settings: dict[str, Any], properties: dict[str, Any]) -> str:
        names.append(f"test-ground-{len(names)}")
        body = {"settings": {**settings, "index.number_of_replicas": 0}, "mappings": {"properties": properties}}
        knn_cluster.request("PUT", f"/{names[-1]}", body=body)
        return names[-1]

    yield create
    for name in names:
        knn_cluster.request("DELETE", f"/{name}")


def settings_of(cluster: Cluster, name: str) -> dict[str, Any]:
    answer = cluster.request("GET", f"/{part(name)}/_settings", params={"flat_settings": "true"})
    settings: dict[str, Any] = answer[name]["settings"]
    return settings


def test_the_cluster_says_what_it_can_do(knn_cluster: Cluster) -> None:
    able = abilities.read(knn_cluster)
    assert able.distribution == "opensearch"
    assert able.knn is not None
    assert able.version[:2] == tuple(map(int, able.knn.split(".")[:2]))
    assert (able.knn_engines, able.knn_score, able.neural, able.unread) == (("lucene",), True, True, ())
    assert able.no_scripts == ""


def test_the_missing_native_library_is_found_out_without_using_it(
    knn_cluster: Cluster, index: Callable[..., str]
) -> None:
    """A mapping that names faiss is all it takes for the plugin to call the engine initialized; its library is not."""
    name = index({"index.knn": True}, {"v": {**BINARY, "method": {"name": "hnsw", "engine": "faiss"}}})
    knn_cluster.request("PUT", f"/{name}/_doc/1", params={"refresh": "true"}, body={"title": "without a vector"})
    stats = knn_cluster.request("GET", "/_plugins/_knn/stats/faiss_initialized")
    assert [node["faiss_initialized"] for node in stats["nodes"].values()] == [True]
    assert abilities.read(knn_cluster).knn_engines == ("lucene",)


def test_the_doctor_tells(knn_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_device", lambda _: "cpu is cpu")
    monkeypatch.setattr(doctor, "_weights", lambda _: "fake")
    lines = {line.name: line for line in doctor.examine(Settings(data=tmp_path, opensearch_url=knn_cluster.url))}
    assert lines["k-NN"].found.endswith("; HNSW by engine lucene")
    assert "nothing of ours is written for engine faiss" in lines["faiss"].found
    assert lines["k-NN"].ok
    assert lines["faiss"].ok


def test_graphs_need_settings_that_no_request_can_change(knn_cluster: Cluster, index: Callable[..., str]) -> None:
    name = index({}, {})
    assert (vectors.refusal(settings_of(knn_cluster, name)) or "").startswith("index.knn is not true")
    knn_cluster.request("PUT", f"/{name}/_mapping", body=space_mapping("s"))
    with pytest.raises(EngineRefused, match=r"when index\.knn setting is false"):
        knn_cluster.request("PUT", f"/{name}/_mapping", body=vectors.space_mapping("s", 128, "lucene"))
    knn_cluster.request("POST", f"/{name}/_close")
    with pytest.raises(EngineRefused, match=r"final .* setting \[index\.knn\], not updateable"):
        knn_cluster.request("PUT", f"/{name}/_settings", body={"index.knn": True})
    assert vectors.refusal(settings_of(knn_cluster, index(vectors.SETTINGS, {}))) is None


def test_a_derived_source_would_change_the_catalogues_documents(
    knn_cluster: Cluster, index: Callable[..., str]
) -> None:
    """With the plugin's default one vector field of ours is enough, and records without codes change as well."""
    name = index({"index.knn": True}, {"price": {"type": "double"}})
    assert (vectors.refusal(settings_of(knn_cluster, name)) or "").startswith("index.knn.derived_source.enabled is not")
    knn_cluster.request("PUT", f"/{name}/_mapping", body=space_mapping("s"))
    knn_cluster.request("PUT", f"/{name}/_mapping", body=vectors.space_mapping("s", 128, "lucene", ["text"]))
    knn_cluster.request("PUT", f"/{name}/_doc/1", body=b'{"price": 813.50}')
    assert b'"_source":{"price":813.5}' in knn_cluster.raw("GET", f"/{name}/_doc/1")


def test_the_catalogues_queries_stay_the_same(knn_cluster: Cluster) -> None:
    """With codes alone, with fields for vectors, and with vectors in them: each query is read and answered the same."""
    name, records = "test-queries", catalogue.collection()
    catalogue.create(knn_cluster, name, shards=1)
    try:
        plain = [
            b'{"index":{"_id":"%d"}}\n{"title":"red cat","shelf":"open","price":1E2}\n' % number for number in range(5)
        ]
        knn_cluster.bulk(f"/{name}", b"".join(plain), params={"refresh": "true"})
        knn_cluster.request("PUT", f"/{name}/_mapping", body=space_mapping("s"))
        before = asked(knn_cluster, name)
        catalogue.add_fields(knn_cluster, name)
        assert asked(knn_cluster, name) == before
        members = vectors.members(next(codes for codes in records.codes.values() if codes.text and codes.image))
        assert set(members) >= {"knn_text", "knn_image_0"}
        for number in range(5):
            knn_cluster.request("POST", f"/{name}/_update/{number}", body={"doc": {"_crosshatch": {"s": members}}})
        knn_cluster.request("POST", f"/{name}/_refresh")
        # without scores: what was written over counts for BM25 until it is merged away, as after any write
        assert asked(knn_cluster, name) == {**before, "scores": asked(knn_cluster, name)["scores"]}
    finally:
        knn_cluster.request("DELETE", f"/{name}")


def asked(cluster: Cluster, name: str) -> dict[str, Any]:
    """What the engine makes of each question, and what it finds."""
    answers: dict[str, Any] = {"scores": []}
    for what, query in QUESTIONS.items():
        told = cluster.request("POST", f"/{name}/_validate/query", params={"explain": "true"}, body={"query": query})
        hits = cluster.request("POST", f"/{name}/_search", body={"query": query, "sort": ["_score", "_id"]})["hits"]
        answers[what] = (told["explanations"][0]["explanation"], hits["total"], [hit["_id"] for hit in hits["hits"]])
        answers["scores"] += [hit["_score"] for hit in hits["hits"]]
    for pattern in PATTERNS:
        body = {"docvalue_fields": [pattern], "_source": False, "sort": ["_id"]}
        answers[pattern] = cluster.request("POST", f"/{name}/_search", body=body)["hits"]["hits"]
    stats = cluster.request("GET", f"/{name}/_stats/docs")["_all"]["primaries"]["docs"]["count"]
    return {**answers, "documents": stats}


def test_a_base64_value_is_no_vector(knn_cluster: Cluster, index: Callable[..., str]) -> None:
    """Else the vectors could be derived from the codes, and documents need no second form of them."""
    name = index(vectors.SETTINGS, {"v": {**BINARY, "method": {"name": "hnsw", "engine": "lucene"}}})
    value = StoredCodes(catalogue.random_code(random.Random(1))).members()["text"]
    with pytest.raises(EngineRefused, match="failed to parse field"):
        knn_cluster.request("PUT", f"/{name}/_doc/1", body={"v": value})
