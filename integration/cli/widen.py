"""`crosshatch widen explain`."""

import sys
from pathlib import Path
from typing import Any

import click

from integration.cli.door import as_json, cluster
from integration.cli.search import known_broker
from integration.gateway import json_text
from mappings.errors import RequestError


@click.group()
def widen() -> None:
    """Searches of an OPAC that the gateway ranks by words and codes: CROSSHATCH_WIDEN."""


@widen.command()
@click.argument("index")
@click.argument("body")
@as_json
def explain(index: str, body: str, as_json: bool) -> None:
    """Tell what the gateway would make of a search BODY sent to INDEX, and why; nothing is searched.

    BODY is JSON, @FILE, or - for standard input.
    """
    from integration.gateway.widening.explaining import explain as told_of

    with cluster() as (settings, connection):
        told = told_of(connection, settings, known_broker(settings), index, _read(body))
    if as_json:
        click.echo(json_text.dumps(told))
        return
    _print(told)


def _added(adds: dict[str, Any]) -> str:
    if adds["request"] is None:
        return f"nothing: {adds['reason']}"
    which = f"up to {adds['k']} records that are at least {adds['min_similarity']:g} similar"
    return f"{which}, in the place of the empty ids, by {json_text.dumps(adds['request']).decode()}"


def _read(body: str) -> bytes:
    if body == "-":
        return sys.stdin.buffer.read()
    if not body.startswith("@"):
        return body.encode()
    try:
        return Path(body[1:]).read_bytes()
    except OSError as error:
        raise RequestError(f"{body[1:]} cannot be read: {error.strerror}") from error


def _print(told: dict[str, Any]) -> None:
    mode = f"{told['mode']} (rule {told['rule']})" if told["rule"] else "off (no rule in CROSSHATCH_WIDEN fits)"
    click.echo(f"mode     {mode}")
    if "words" in told:
        click.echo(f"words    {' | '.join(told['words'])}")
        click.echo(f"limits   {' | '.join(told['limits']) or 'none'}")
        click.echo(f"ranked   {told['place']}, and what stands in it")
    if adds := told.get("adds"):
        click.echo(f"adds     {_added(adds)}")
    if told["widened"]:
        click.echo(f"body     {json_text.dumps(told['body']).decode()}")
    else:
        click.echo(f"passes untouched: {told['reason']}")
