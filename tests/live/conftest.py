"""One embedded engine and broker for the whole session, started when the first test asks for them."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.engine import services as engines
from integration.engine.client import Cluster
from integration.settings import Settings


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Services]:
    """The session's engine, which may take snapshots, and broker, in a folder of their own."""
    settings = Settings(data=tmp_path_factory.mktemp("crosshatch"))
    repositories = {"path.repo": str(tmp_path_factory.mktemp("snapshots"))}
    with engines.running(settings, engine="embedded", node_settings=repositories) as services:
        yield services


@pytest.fixture
def settings(services: engines.Services) -> Settings:
    """Settings that lead to the session's engine and broker; `model_copy(update=...)` changes them."""
    return Settings(opensearch_url=services.url, redis_url=services.broker_url, data=services.data)


@pytest.fixture(scope="session")
def cluster(services: engines.Services) -> Iterator[Cluster]:
    """A client of the session's engine."""
    cluster = Cluster(services.url)
    yield cluster
    cluster.close()


@pytest.fixture
def index(cluster: Cluster) -> Iterator[Callable[..., str]]:
    """A factory of empty indices with unique names: `index({"mappings": ...})` -> name; each is deleted afterwards."""
    names: list[str] = []

    def create(body: dict[str, Any] | None = None, *, name: str | None = None) -> str:
        names.append(name or f"test-{uuid.uuid4().hex[:12]}")
        cluster.request("PUT", f"/{names[-1]}", body=body or {})
        return names[-1]

    yield create
    for name in names:
        cluster.request("DELETE", f"/{name}", params={"ignore_unavailable": "true"})
