"""`crosshatch encoders list|show`."""

from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from encoders import catalogue
from integration.cli.door import as_json, print_json
from integration.settings import load


@click.group()
def encoders() -> None:
    """Look at the encoder bundles that are there."""


@encoders.command("list")
@as_json
def list_(as_json: bool) -> None:
    """List the bundles that the project ships."""
    cards = catalogue.known()
    if as_json:
        print_json({"encoders": [{"name": c.name, "bits": c.bits, "space": c.space, "parts": c.parts} for c in cards]})
        return
    table = Table("name", "bits", "space", "parts")
    for card in cards:
        table.add_row(card.name, str(card.bits), card.space, ", ".join(card.parts))
    Console().print(table)


@encoders.command()
@click.argument("bundle")
@as_json
def show(bundle: str, as_json: bool) -> None:
    """Show what BUNDLE (a name, a folder, clip:<folder or name>) says of itself."""
    found = catalogue.bundle(bundle, data=load().data)
    if as_json:
        print_json(asdict(found.card))
        return
    model = found.model
    table = Table(title=model.name, show_header=False)
    rows = {"bits": model.bits, "method": model.method, "parts": ", ".join(model.parts), "digest": model.digest}
    rows |= {"space": found.card.space, "trained on": ", ".join(map(str, model.trained_on)), "licence": model.licence}
    for name, value in rows.items():
        table.add_row(name, str(value))
    Console().print(table)
