"""The node with plugins is what its docstring says."""

from integration.engine.client import Cluster
from tests.knn_node.layout import VERSION


def test_it_has_the_plugins_and_the_modules_that_our_plans_need(knn_cluster: Cluster) -> None:
    assert knn_cluster.request("GET", "/")["version"]["number"] == VERSION
    [node] = knn_cluster.request("GET", "/_nodes/plugins")["nodes"].values()
    assert {plugin["name"] for plugin in node["plugins"]} == {"opensearch-knn", "opensearch-neural-search"}
    modules = {module["name"] for module in node["modules"]}
    assert {"lang-painless", "analysis-common", "reindex", "ingest-common", "mapper-extras"} <= modules
