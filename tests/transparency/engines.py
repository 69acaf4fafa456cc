"""A node of the suite's own, and the gateway before it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from integration.engine.redis_server import free_port
from integration.engine.services import running
from integration.settings import Settings
from tests.sources import PROJECT

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one: the suite makes 1,500 indices
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """A node, its version, its broker, and the URL that a run talks to: the node's own, or a gateway's before it."""

    node: str
    version: str
    broker: str
    url: str


@contextmanager
def node() -> Iterator[Place]:
    """A fresh node, talked to directly."""
    scratch = str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        wanted = {"path.repo": f"{folder}/snapshots", "node.attr.testattr": "test", "node.name": "node-1"}
        with running(Settings(data=Path(folder)), node_settings=wanted) as services:
            yield Place(services.url, services.version, services.broker_url, services.url)


@contextmanager
def gateway(place: Place, *words: str) -> Iterator[Place]:
    """`crosshatch serve` before the node, with these further words of the command line."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "CROSSHATCH_OPENSEARCH_URL": place.node,
        "CROSSHATCH_REDIS_URL": place.broker,
        "PYTHONPATH": str(PROJECT),
    }
    command = [sys.executable, "-m", "integration.cli", "serve", "--port", str(port), *words]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=PROJECT)
        try:
            _await(process, url)
            yield Place(place.node, place.version, place.broker, url)
        finally:
            process.terminate()
            process.wait(30)


def _await(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code < 500:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the gateway does not answer at {url}; it ended with {process.poll()}")
