"""`crosshatch roles`."""

import json

import click

from integration import permissions
from integration.cli.door import as_json, print_json


@click.command()
@click.option("--index", default="INDEX", metavar="PATTERN", help="Name or pattern of the catalogue's indices.")
@as_json
def roles(index: str, as_json: bool) -> None:
    """Print the least privileges of each part, as roles of OpenSearch's security plugin."""
    found = permissions.definitions(index)
    if as_json:
        print_json({"roles": found})
        return
    for name, body in found.items():
        click.echo(f"PUT _plugins/_security/api/roles/{name}\n{json.dumps(body, indent=2)}\n")
