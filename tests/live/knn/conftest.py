"""One node with the k-NN and neural-search plugins for all tests of this folder."""

from collections.abc import Iterator

import pytest

from integration.engine.client import Cluster
from mappings.errors import EngineUnavailable
from tests.knn_node import knn_node, layout


@pytest.fixture(scope="session")
def knn_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A client of the node."""
    try:
        layout.laid_out()
    except EngineUnavailable as error:
        pytest.skip(f"no node with plugins: {error}")
    with knn_node(tmp_path_factory.mktemp("knn")) as url:
        cluster = Cluster(url)
        yield cluster
        cluster.close()
