"""`crosshatch spaces list|add|activate|drop`."""

import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Column, Table

from integration import spaces as migration
from integration import state
from integration.cli.door import as_json, cluster, manners, print_json
from integration.fitting import card_of


@click.group()
def spaces() -> None:
    """Change the encoder of an index while it is searched: add a space, fill it, activate it, drop the old one."""


@spaces.command("list")
@click.argument("index")
@as_json
def list_(index: str, as_json: bool) -> None:
    """List the spaces of INDEX: encoder, codes, which is active, and what the others lack."""
    with cluster() as (_, connection):
        found = migration.stands(connection, state.attached(connection, index))
    if as_json:
        print_json({"spaces": [stand.listed() for stand in found]})
        return
    table = Table(Column("space", no_wrap=True), "", "encoder", "bits", "text, image, record", "lack")
    for stand in found:
        name, bits = (stand.bundle.name, str(stand.bundle.bits)) if stand.bundle else ("-", "-")
        said = "active" if stand.active else "" if stand.bundle else "dropped; run `spaces drop` again"
        table.add_row(stand.space, said, name, bits, ", ".join(map(str, stand.documents.values())), str(stand.lack))
    Console().print(table)


@spaces.command()
@click.argument("index")
@click.argument("space", required=False)
@click.option("--encoder", metavar="BUNDLE", help="Encoder bundle: name, folder or clip:<folder or name>.")
@as_json
def add(index: str, space: str | None, encoder: str | None, as_json: bool) -> None:
    """Add a space for another encoder to INDEX; by default it is named after the encoder and its digest."""
    with cluster() as (settings, connection):
        known = state.attached(connection, index)
        card = card_of(connection, known.index, known.profile, encoder or settings.encoder, settings)
        name = migration.add(connection, known, card, space)
    if as_json:
        print_json({"index": known.index, "space": name, "bits": card.bits, "digest": card.digest})
    click.echo(f"added; now run `crosshatch reindex {index} --space {name}`", err=True)


@spaces.command()
@click.argument("index")
@click.argument("space", required=False)
@click.option("--force", is_flag=True, help="Activate it although documents lack codes that they have now.")
@as_json
def activate(index: str, space: str | None, force: bool, as_json: bool) -> None:
    """Search SPACE of INDEX from now on; activating the one before again is the way back.

    Without SPACE it is the only one that is not active.
    """
    with cluster() as (_, connection):
        done = migration.activate(connection, state.attached(connection, index), space, force=force)
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(f"searches of {done.index} use {done.space} now (before: {done.before})")
    if done.lack:
        click.echo(f"{done.lack} documents lack codes in it; run `crosshatch update {index}`", err=True)


@spaces.command()
@click.argument("index")
@click.argument("space", required=False)
@click.option("--yes", is_flag=True, help="Do not ask, on a terminal either.")
@click.option("--drop-codes", is_flag=True, help="Delete what the code store keeps of it, too.")
@as_json
def drop(index: str, space: str | None, yes: bool, drop_codes: bool, as_json: bool) -> None:
    """Take the codes of SPACE out of every document of INDEX and forget it; never the active one."""
    with cluster() as (settings, connection):
        known = state.attached(connection, index)
        if not yes and sys.stdin.isatty():
            click.confirm(f"Take the codes of {space or 'the other space'} out of {known.index}?", abort=True, err=True)
        admit = manners(settings, connection).admit
        done = migration.drop(connection, known, space, codes=drop_codes, admit=admit)
    if as_json:
        print_json(asdict(done))
        return
    kept = f"{done.codes} codes of it left the code store" if drop_codes else "the code store keeps its codes"
    click.echo(f"{done.space} is gone from {done.changed} documents of {done.index}; {kept}")
