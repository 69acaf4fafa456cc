"""`crosshatch status`."""

import click
from rich.console import Console
from rich.table import Table

from integration import state
from integration import status as standing
from integration.cli.door import as_json, cluster, print_json


@click.command()
@click.argument("index")
@as_json
def status(index: str, as_json: bool) -> None:
    """Tell what of INDEX is encoded, what is stale, and what failed and why."""
    with cluster() as (_, connection):
        result = standing.of_index(connection, state.attached(connection, index))
    if as_json:
        print_json(result)
        return
    table = Table(title=f"{result['index']} ({result['documents']} documents)", show_header=False)
    for part, number in result["encoded"].items():
        table.add_row(f"with a code for {part}", str(number))
    table.add_row("stale", str(result["stale"]))
    for kind in ("failed", "partial"):
        for reason, number in result[kind].items():
            table.add_row(f"{kind}: {reason}", str(number))
    table.add_row("space", result["space"])
    table.add_row("bundle", f"{result['bundle']['name']}, {result['bundle']['bits']} bits")
    for plan in result["plans"]:
        said = f"{plan['bands']} of {plan['width']} bits in {plan['documents']} documents of space {plan['space']}"
        table.add_row(plan["plan"], f"{said}; {plan['advice']}" if plan["advice"] else said)
    if result["lag_s"]:
        table.add_row("oldest stale", f"at most {result['lag_s']:.0f} s")
    if followed := result["follow"]:
        table.add_row("followed" if followed["running"] else "not followed since", followed["last_seen"])
        table.add_row("last full scan", followed["last_scan"] or "under way")
        table.add_row("a second", ", ".join(f"{name} {rate}" for name, rate in followed["rates"].items()))
    if result["off"]:
        table.add_row("switched off", f"since {result['off']['since']} by {result['off']['by']}")
    Console().print(table)
