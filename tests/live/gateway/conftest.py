"""`crosshatch serve`, a process of its own, in front of the session's engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.engine.services import Services
from tests.integration.gateway.process import gateway_before


@pytest.fixture(scope="session")
def gateway(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a gateway before the session's engine."""
    with gateway_before(services.url, services.broker_url, log=Path(tmp_path_factory.mktemp("gateway"))) as running:
        yield running.url
