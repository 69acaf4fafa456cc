"""A real OpenSearch 3.6.0 node with the k-NN and neural-search plugins, for tests and benchmarks: no Docker, no Java.

    from tests.knn_node import knn_node

    with knn_node(folder, heap="2g") as url:
        cluster = Cluster(url)

The first use downloads about 120 MB into the cache that the embedded engine has too; each start takes some ten seconds.
Everything comes from the artifacts that OpenSearch publishes, whose k-NN plugin has no native library: engine `lucene`
works, `faiss` (the plugin's default) does not, and a bulk request that writes to such a field is never answered.
"""

from tests.knn_node.node import knn_node

__all__ = ["knn_node"]
