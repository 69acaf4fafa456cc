"""`crosshatch serve`: the gateway."""

import logging
from typing import Any, cast

import click

from integration import logs
from integration.cli.door import broker_url, errors
from integration.engine.services import found
from integration.settings import load


@click.command()
@click.option("--host", default=None, help="address to listen at; default CROSSHATCH_GATEWAY_HOST")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="default CROSSHATCH_GATEWAY_PORT")
@click.option(
    "--compat",
    type=click.Choice(["elasticsearch-7", "elasticsearch-8"]),
    default=None,
    help="speak to Elasticsearch's clients of this version, which refuse OpenSearch",
)
def serve(host: str | None, port: int | None, compat: str | None) -> None:
    """Serve the cluster's REST API with the crosshatch clause in it, until stopped (SIGTERM or Ctrl-C)."""
    from integration.gateway.compat import Speaks  # a noticeable part of a second, so only where it is needed
    from integration.gateway.parts import Places
    from integration.gateway.serve import serve as serve_until_stopped

    settings = load()
    given: dict[str, Any] = {"gateway_host": host, "gateway_port": port}
    settings = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    places = Places(settings.opensearch_url or found(settings).url, broker_url(settings))
    logs.configure(settings.log, logging.INFO)
    serve_until_stopped(
        settings, places, lambda said: errors.print(said, markup=False, highlight=False, soft_wrap=True),
        speaks=cast("Speaks | None", compat),
    )  # fmt: skip
