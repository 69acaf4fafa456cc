"""`crosshatch codes`: what the code store of an index holds, and dropping what nobody needs."""

import sys

import click
from rich.console import Console
from rich.table import Column, Table

from integration import codes as store
from integration import state
from integration.cli.door import as_json, cluster, print_json

_days = click.option("--days", default=store.DAYS, show_default=True, type=click.IntRange(1), help="What long means.")


@click.group()
def codes() -> None:
    """The code store of an index: codes by content, from which records get theirs back without an encoder."""


@codes.command()
@click.argument("index")
@_days
@as_json
def stats(index: str, days: int, as_json: bool) -> None:
    """Tell what is kept for INDEX, by space, and how much of it no scan met for long."""
    with cluster() as (_, connection):
        found = store.stats(connection, state.attached(connection, index), days=days)
    if as_json:
        print_json(found.listed())
        return
    table = Table(Column("space", no_wrap=True), "entries", "oldest", f"not met for {days} days", "last full scan")
    table.title = f"{found.store}: {found.entries} entries, {found.bytes / 1e6:.1f} MB"
    for space, held in found.spaces.items():
        table.add_row(space, str(held.entries), held.oldest, str(held.unseen), held.scanned or "none")
    Console().print(table)


@codes.command()
@click.argument("index")
@_days
@click.option("--dry-run", is_flag=True, help="Only count what would be dropped.")
@click.option("--yes", is_flag=True, help="Do not ask, on a terminal either.")
@as_json
def gc(index: str, days: int, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Drop kept codes of contents that no scan of INDEX met for long; never what is in use."""
    with cluster() as (_, connection):
        known = state.attached(connection, index)
        if not (dry_run or yes) and sys.stdin.isatty():
            found = sum(store.gc(connection, known, days=days, dry_run=True).values())
            click.confirm(f"Drop {found} of the codes kept for {known.index}?", abort=True, err=True)
        dropped = store.gc(connection, known, days=days, dry_run=dry_run)
    if as_json:
        print_json({"index": known.index, "dropped": dropped} | ({"dry_run": True} if dry_run else {}))
        return
    for space, number in dropped.items():
        click.echo(f"{space}: {number} entries {'would be ' if dry_run else ''}dropped")
