"""OpenSearch and Redis in Docker, through testcontainers, whose reaper removes them when their starter dies."""

import gc
import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mappings.errors import BrokerUnavailable, EngineUnavailable

OPENSEARCH_IMAGE = "opensearchproject/opensearch:3.8.0"
REDIS_IMAGE = "redis:8-alpine"


def unavailable() -> str | None:
    """Why no Docker engine can be used, or None where one answers."""
    from testcontainers.core.docker_client import DockerClient

    import docker as sdk

    try:
        client = DockerClient().client
        client.ping()
        client.close()
    except (sdk.errors.DockerException, OSError) as error:
        reason = f"no Docker engine answers: {error}"
    else:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a client that could not connect leaves its socket open
        gc.collect()
    return reason


@contextmanager
def opensearch(folder: Path, *, heap: str) -> Iterator[str]:
    """Run the engine in a container and give its URL; its data lie in a volume named after `folder`."""
    from testcontainers.community.opensearch import OpenSearchContainer

    import docker as sdk

    container = (
        OpenSearchContainer(OPENSEARCH_IMAGE, security_enabled=False)
        .with_env("OPENSEARCH_JAVA_OPTS", f"-Xms{heap} -Xmx{heap}")
        .with_env("DISABLE_INSTALL_DEMO_CONFIG", "true")
        .with_volume_mapping(volume(folder), "/usr/share/opensearch/data", "rw")
    )
    try:
        container.start()
    except (sdk.errors.DockerException, OSError, TimeoutError) as error:
        raise EngineUnavailable(f"no OpenSearch in Docker: {error}; `--engine embedded` needs no Docker") from error
    try:
        yield f"http://{container.get_container_host_ip()}:{container.get_exposed_port(9200)}"
    finally:
        container.stop()


@contextmanager
def redis() -> Iterator[str]:
    """Run the broker in a container and give its URL."""
    from testcontainers.community.redis import RedisContainer

    import docker as sdk

    container = RedisContainer(REDIS_IMAGE)
    try:
        container.start()
    except (sdk.errors.DockerException, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"no Redis in Docker: {error}; `--engine embedded` needs no Docker") from error
    try:
        yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"
    finally:
        container.stop()


def volume(folder: Path) -> str:
    """The name of the Docker volume that belongs to a data folder."""
    return f"crosshatch-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
