"""`crosshatch plans list|add|drop`."""

import sys
import time
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from integration import plans as preparing
from integration import state
from integration.bandings import Stand
from integration.cli.door import as_json, broker_url, cluster, errors, manners, print_json
from integration.cli.reindex import COLUMNS, Bar, tell
from integration.graphs import Graphs
from mappings.bands import NARROWEST, WIDEST
from mappings.errors import RequestError
from mappings.vectors import ENGINES

_plan = click.argument("plan", type=click.Choice(list(preparing.BESIDE)), default="bands", metavar="[bands|knn]")
_space = click.option("--space", metavar="S", help="The space that it is for, rather than the active one.")


@click.group()
def plans() -> None:
    """What an index is prepared for beyond the exact plan: terms or vectors, by which near codes are found."""


@plans.command("list")
@click.argument("index")
@as_json
def list_(index: str, as_json: bool) -> None:
    """List what INDEX is prepared for: bands and vectors, how many documents have them, whether they still fit."""
    with cluster() as (_, connection):
        found = preparing.stands(connection, state.attached(connection, index))
    if as_json:
        print_json({"plans": [stand.listed() for stand in found]})
        return
    if not found:
        click.echo(f"{index} is prepared for the exact plan alone; `crosshatch plans add {index}` adds bands")
    show(found)


def show(found: Sequence[Stand | Graphs]) -> None:
    """A table of plans, and what is to be done about them."""
    table = Table(Column("space", no_wrap=True), "plan", "form", "documents", "lack", "learnt at", "recall")
    for stand in found:
        counts = str(stand.documents), str(stand.lack)
        if isinstance(stand, Graphs):
            table.add_row(stand.space, "knn", f"HNSW, {stand.engine}", *counts, "-", "-")
            continue
        recall = ", ".join(f"{name} {share}" for name, share in (stand.learnt.recall if stand.learnt else ()))
        learnt = str(stand.learnt.documents) if stand.learnt else "-"
        cut = f"{stand.banding.count} of {stand.banding.width} bits"
        table.add_row(stand.space, "bands", cut, *counts, learnt, recall)
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
@click.option(
    "--engine", type=click.Choice(ENGINES), help="Of the graphs; the one that the cluster can use by default."
)
@click.option("--dry-run", is_flag=True, help="Only count what would be done.")
@as_json
def add(
    index: str, plan: str, space: str | None, width: int | None, engine: str | None, dry_run: bool, as_json: bool
) -> None:
    """Lay bands, or vectors for the k-NN plugin, beside the codes of INDEX; bands that do not fit are learnt anew."""
    begun = time.monotonic()
    how = _how(plan, width, engine)
    with cluster() as (settings, connection), Progress(*COLUMNS, console=errors) as shown:
        known = state.attached(connection, index)
        named = space or known.space
        if dry_run:
            count = preparing.dry_run_vectors if plan == "knn" else preparing.dry_run
            done = count(connection, known, named, Bar(shown), **how)
        else:
            fill = preparing.add_vectors if plan == "knn" else preparing.add
            done = fill(connection, known, named, broker_url(settings), settings, Bar(shown), **how)
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
    """Take bands or vectors out of every document of INDEX again; the codes stay, and so does an inert mapping."""
    with cluster() as (settings, connection):
        known = state.attached(connection, index)
        named = space or known.space
        what = "vectors" if plan == "knn" else "bands"
        if not yes and sys.stdin.isatty():
            click.confirm(f"Take the {what} of {named} out of {known.index}?", abort=True, err=True)
        changed = preparing.drop(connection, known, named, manners(settings, connection).admit, plan=plan)
    if as_json:
        print_json({"index": known.index, "plan": plan, "space": named, "changed": changed})
    else:
        click.echo(f"the {what} of {named} are gone from {changed} documents of {known.index}")


def _how(plan: str, width: int | None, engine: str | None) -> dict[str, Any]:
    """What is asked of the plan. Raises RequestError for an option of the other one."""
    if plan == "knn" and width is not None:
        raise RequestError(f"--width {width} is for bands; the plan knn has none")
    if plan == "bands" and engine is not None:
        raise RequestError(f"--engine {engine} is for the plan knn; bands need no engine")
    return {"engine": engine} if plan == "knn" else {"width": width}
