"""`crosshatch engine`: an OpenSearch and a Redis for development, started and stopped."""

import json
from dataclasses import asdict

import click

from integration.engine import services as engines
from integration.engine.state import Services
from integration.settings import load
from mappings.errors import EngineUnavailable

kinds = click.Choice(["auto", "embedded", "docker", "url"])
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def engine() -> None:
    """Start, stop or look at an OpenSearch and a Redis for development."""


@engine.command()
@click.option("--engine", "kind", type=kinds, default="auto", show_default=True, help="Where it comes from.")
@click.option("--heap", default="1g", show_default=True, help="Java's heap.")
@click.option("--node-setting", "node_settings", multiple=True, metavar="NAME=VALUE", help="A setting of the node.")
@as_json
def start(kind: engines.Engine, heap: str, node_settings: tuple[str, ...], as_json: bool) -> None:
    """Start engine and broker; they run until `engine stop`. What runs already is told, not started again."""
    pairs = dict(_pair(text) for text in node_settings)
    _show(engines.start(load(), engine=kind, detach=True, heap=heap, node_settings=pairs), as_json)


@engine.command()
@as_json
def stop(as_json: bool) -> None:
    """Stop engine and broker; their data stay."""
    stopped = engines.stop(load())
    click.echo(json.dumps({"stopped": stopped}) if as_json else "stopped" if stopped else "nothing was running")


@engine.command()
@as_json
def status(as_json: bool) -> None:
    """Tell where engine and broker are. Exit code 75 where none answers."""
    settings = load()
    services = engines.status(settings)
    if services is None:
        if as_json:
            click.echo(json.dumps({**dict.fromkeys(Services.__slots__), "data": str(settings.data.absolute())}))
        raise EngineUnavailable("no engine runs; run `crosshatch engine start` or set CROSSHATCH_OPENSEARCH_URL")
    _show(services, as_json)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{text!r} came; expected NAME=VALUE", param_hint="--node-setting")
    return name, value


def _show(services: Services, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(services)))
    else:
        for name, value in asdict(services).items():
            click.echo(f"{name:11}{value if value is not None else '-'}")
