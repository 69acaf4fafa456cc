"""The search benchmark's ways on a node with the k-NN plugin, held against its truth on a small collection."""

from pathlib import Path

import pytest

from integration.engine.client import Cluster
from integration.engine.services import Services
from tests.bench.search.measuring import clients
from tests.bench.search.run import Effort, Engines, measure

pytestmark = pytest.mark.live


def test_each_finds_what_it_promises(services: Services, knn_cluster: Cluster, tmp_path: Path) -> None:
    with clients(1) as many:
        rows = measure(tmp_path, Engines(services.url, knn_cluster.url), 2_000, Effort(9, 0.05, (1,)), many, ["plugin"])
    assert set(rows) - {"BM25"} == {row for row in rows if rows[row].where == "plugin"}
    assert rows["knn_score hammingbit"].recall_10 == rows["knn-score plan"].recall_10 == 1
    assert rows["knn_score hammingbit"].recall_100 == 1
    for name in ("Lucene HNSW, ef 100", "Lucene HNSW, ef 256", "knn plan", "knn plan fused, w 0.5"):
        assert (rows[name].recall_10 or 0) > 0.95, name
    assert rows["Lucene HNSW, ef 100"].added > rows["knn_score hammingbit"].added
