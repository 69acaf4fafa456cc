"""`crosshatch problems`."""

import time
from collections import Counter
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from integration import problems as troubles
from integration import reindex as reindexing
from integration import state
from integration.cli.door import as_json, broker_url, cluster, errors, print_json
from integration.cli.reindex import COLUMNS, Bar, tell
from integration.writer import Key
from mappings.errors import EXPLANATIONS, REASONS

SHOWN = 100


@click.command()
@click.argument("index")
@click.option("--retry", is_flag=True, help="Try these records again now.")
@click.option("--reason", metavar="R", type=click.Choice(REASONS), help="Only those with this reason.")
@as_json
def problems(index: str, retry: bool, reason: str | None, as_json: bool) -> None:
    """List the records of INDEX that have no code, or lack a part, why, and what to do; --retry tries them again."""
    begun = time.monotonic()
    with cluster() as (settings, connection):
        known = state.attached(connection, index)
        found = [p for p in troubles.every(connection, known) if reason is None or reason in p.reasons]
        if not retry:
            _list(found, as_json=as_json)
            return
        keys = [Key(problem.record, problem.routing) for problem in found]
        with Progress(*COLUMNS, console=errors) as shown:
            counts = reindexing.retry(connection, known, broker_url(settings), settings, keys, Bar(shown))
    tell(counts, time.monotonic() - begun, dry_run=False, as_json=as_json)


def _list(found: Sequence[troubles.Problem], *, as_json: bool) -> None:
    reasons = Counter(reason for problem in found for reason in problem.reasons)
    if as_json:
        rows = [{"id": p.record, "failed": p.failed, "parts": {n: list(w) for n, w in p.parts.items()}} for p in found]
        print_json({"problems": rows, "explanations": {reason: EXPLANATIONS.get(reason, "") for reason in reasons}})
        return
    table = Table(Column("record", overflow="fold"), "", "part", "reason", "what to know")
    table.title = f"records with problems: {len(found)}"
    for problem in found[:SHOWN]:
        for part, (reason, message) in problem.parts.items():
            table.add_row(problem.record, "failed" if problem.failed else "partial", part, reason, message)
    Console().print(table)
    if len(found) > SHOWN:
        click.echo(f"and {len(found) - SHOWN} more; --json lists them all")
    for reason, number in reasons.most_common():
        click.echo(f"{reason} ({number}): {EXPLANATIONS.get(reason, '')}")
