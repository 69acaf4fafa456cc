"""`crosshatch plans list|add|drop`."""

import sys
import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from integration import bandings, state
from integration import plans as preparing
from integration.bandings import Stand
from integration.cli.door import as_json, broker_url, cluster, errors, manners, print_json
from integration.cli.reindex import COLUMNS, Bar, tell
from mappings.bands import NARROWEST, WIDEST

_plan = click.argument("plan", type=click.Choice(["bands"]), default="bands", metavar="[bands]")
_space = click.option("--space", metavar="S", help="The space that it is for, rather than the active one.")


@click.group()
def plans() -> None:
    """What an index is prepared for beyond the exact plan: terms of the codes, by which near ones are found."""


@plans.command("list")
@click.argument("index")
@as_json
def list_(index: str, as_json: bool) -> None:
    """List what INDEX is prepared for: bands, how many documents have them, what they find, whether they still fit."""
    with cluster() as (_, connection):
        found = bandings.stands(connection, state.attached(connection, index))
    if as_json:
        print_json({"plans": [stand.listed() for stand in found]})
        return
    if not found:
        click.echo(f"{index} is prepared for the exact plan alone; `crosshatch plans add {index}` adds bands")
    show(found)


def show(found: Sequence[Stand]) -> None:
    """A table of bands, and what is to be done about them."""
    table = Table(Column("space", no_wrap=True), "plan", "bands", "documents", "lack", "learnt at", "recall")
    for stand in found:
        recall = ", ".join(f"{name} {share}" for name, share in (stand.learnt.recall if stand.learnt else ()))
        learnt = str(stand.learnt.documents) if stand.learnt else "-"
        cut = f"{stand.banding.count} of {stand.banding.width} bits"
        table.add_row(stand.space, "bands", cut, str(stand.documents), str(stand.lack), learnt, recall)
    if found:
        Console().print(table)
    for stand in found:
        if stand.advice:
            click.echo(f"{stand.space}: {stand.advice}", err=True)


@plans.command()
@click.argument("index")
@_plan
@_space
@click.option(
    "--width", metavar="B", type=click.IntRange(NARROWEST, WIDEST), help="Bits of a band; fits the index by default."
)
@click.option("--dry-run", is_flag=True, help="Only count what would be done.")
@as_json
def add(index: str, plan: str, space: str | None, width: int | None, dry_run: bool, as_json: bool) -> None:
    """Lay bands beside the codes of INDEX and measure what they find; where they no longer fit, learn them anew."""
    begun = time.monotonic()
    with cluster() as (settings, connection), Progress(*COLUMNS, console=errors) as shown:
        known = state.attached(connection, index)
        named = space or known.space
        if dry_run:
            done = preparing.dry_run(connection, known, named, Bar(shown), width=width)
        else:
            broker = broker_url(settings)
            done = preparing.add(connection, known, named, broker, settings, Bar(shown), width=width)
    if as_json:
        print_json({**done.listed(), "seconds": round(time.monotonic() - begun, 3)})
        return
    tell(done.counts, time.monotonic() - begun, dry_run=dry_run, as_json=False)
    show([done.stand] if done.stand else [])


@plans.command()
@click.argument("index")
@_plan
@_space
@click.option("--yes", is_flag=True, help="Do not ask, on a terminal either.")
@as_json
def drop(index: str, plan: str, space: str | None, yes: bool, as_json: bool) -> None:
    """Take the bands out of every document of INDEX again; the codes stay, and so does an inert mapping."""
    with cluster() as (settings, connection):
        known = state.attached(connection, index)
        named = space or known.space
        if not yes and sys.stdin.isatty():
            click.confirm(f"Take the bands of {named} out of {known.index}?", abort=True, err=True)
        changed = preparing.drop(connection, known, named, manners(settings, connection).admit)
    if as_json:
        print_json({"index": known.index, "plan": plan, "space": named, "changed": changed})
    else:
        click.echo(f"the bands of {named} are gone from {changed} documents of {known.index}")
