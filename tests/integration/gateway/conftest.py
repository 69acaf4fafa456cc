"""A gateway process before a node that does what a test tells it."""

from collections.abc import Iterator

import pytest

from tests.integration.gateway import node as nodes
from tests.integration.gateway.process import Running, gateway_before

PATIENCE = 1.0  # seconds that it waits for its client, and for the node
LIMIT = 1_000_000


@pytest.fixture(scope="session")
def one_node() -> Iterator[nodes.Node]:
    """The node of the session's gateway."""
    with nodes.node(nodes.answers(nodes.OK)) as made:
        yield made


@pytest.fixture(scope="session")
def one_gateway(one_node: nodes.Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The session's gateway; the cluster that its own requests go to is not there."""
    with gateway_before(
        "http://ours:secret-of-ours@127.0.0.1:1",
        log=tmp_path_factory.mktemp("gateway"),
        gateway_nodes=one_node.url,
        gateway_timeout=str(PATIENCE),
        gateway_client_timeout=str(PATIENCE),
        gateway_body_limit=str(LIMIT),
    ) as running:
        yield running


@pytest.fixture
def node(one_node: nodes.Node) -> nodes.Node:
    """The node as it is at first: it answers {}."""
    one_node.does = nodes.answers(nodes.OK)
    one_node.requests.clear()
    one_node.broken.clear()
    return one_node


@pytest.fixture
def gateway(one_gateway: Running) -> Running:
    """The session's gateway."""
    return one_gateway
