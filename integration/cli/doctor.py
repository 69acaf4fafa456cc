"""`crosshatch doctor`."""

from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from integration import doctor as examining
from integration.cli.door import as_json, print_json
from integration.settings import load


@click.command()
@as_json
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Look at engine, plugins, settings, broker, workers, device and weights; exit 1 where something is wrong."""
    findings = list(examining.examine(load()))
    ok = all(finding.ok for finding in findings)
    if as_json:
        print_json({"ok": ok, "findings": [asdict(finding) for finding in findings]})
    else:
        table = Table("what", "", "found", "what to do")
        for one in findings:
            table.add_row(one.name, "well" if one.ok else "WRONG", one.found, one.do)
        Console().print(table)
    context.exit(0 if ok else 1)
