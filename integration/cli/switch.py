"""`crosshatch off` and `crosshatch on`."""

import time
from dataclasses import asdict

import click

from integration import switch
from integration.cli.door import as_json, cluster, print_json


@click.command()
@click.argument("index", required=False)
@as_json
def off(index: str | None, as_json: bool) -> None:
    """Stop everything of ours that writes to INDEX, or to every index; searches go on, and nothing is lost."""
    with cluster() as (_, connection):
        done = switch.off(connection, index)
        time.sleep(switch.FRESH)  # the longest that a worker still believes it is on
    if as_json:
        print_json({"off": asdict(done)})
        return
    click.echo(str(done))


@click.command()
@click.argument("index", required=False)
@as_json
def on(index: str | None, as_json: bool) -> None:
    """Start again what `off` stopped, on INDEX or on every index; `update INDEX` then does what was left."""
    with cluster() as (_, connection):
        done = switch.on(connection, index)
    if as_json:
        print_json({"on": [asdict(one) for one in done]})
        return
    for one in done:
        what = "every index" if one.index == switch.EVERY else one.index
        click.echo(f"{what} is on again; it was off since {one.since}")
    if not done:
        click.echo("nothing was off")
