"""What commands share: the settings, a connection to the cluster, and how a result leaves."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from redis import Redis
from rich.console import Console

from integration.engine.client import Cluster
from integration.engine.services import found
from integration.manners import Manners
from integration.settings import Settings, load

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
errors = Console(stderr=True)


@contextmanager
def cluster() -> Iterator[tuple[Settings, Cluster]]:
    """The settings and the cluster that they, or a running embedded engine, name."""
    settings = load()
    connection = Cluster(settings.opensearch_url or found(settings).url)
    try:
        yield settings, connection
    finally:
        connection.close()


def broker_url(settings: Settings) -> str:
    """The broker that the settings, or a running embedded engine, name. Raises BrokerUnavailable."""
    return settings.redis_url or found(settings).broker_url


def manners(settings: Settings, connection: Cluster) -> Manners:
    """How a command that writes many documents behaves; the broker is asked only where a rate is set."""

    def broker() -> Redis:
        from integration.jobs import check_broker  # Celery: a noticeable part of a second, so only where it is needed

        return check_broker(broker_url(settings))

    return Manners(connection, settings, broker)


def print_json(result: Mapping[str, Any]) -> None:
    """One object on standard output."""
    click.echo(json.dumps(result, ensure_ascii=False))
