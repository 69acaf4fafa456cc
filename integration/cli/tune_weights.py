"""`crosshatch tune-weights`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from integration.cli.door import as_json, cluster, errors, print_json
from integration.cli.search import known_broker
from integration.search.run import Searcher
from integration.tuning.judgments import Topic
from integration.tuning.tune import Tuning, tune
from mappings.fields import PARTS


@click.command("tune-weights")
@click.argument("index")
@click.option(
    "--judgments", metavar="FILE", type=click.Path(path_type=Path), required=True, help="JSON lines: docs/tuning.md."
)
@click.option("--dry-run", is_flag=True, help="Only fit and report.")
@as_json
def tune_weights(index: str, judgments: Path, dry_run: bool, as_json: bool) -> None:
    """Fit the weights of INDEX to judgments or clicks; they are kept if queries not fitted on rank better.

    nDCG at 10 is told before and after, over five folds of the queries: each is ranked by weights fitted on the others.
    """
    with cluster() as (settings, connection):
        searcher = Searcher(connection, settings, known_broker(settings))
        done = tune(searcher, index, judgments, dry_run=dry_run, shown=_shown)
    if as_json:
        print_json(done.listed())
        return
    _print_table(done)
    click.echo(_verdict(done))


def _shown(topics: Sequence[Topic]) -> Iterator[Topic]:
    yield from track(topics, description="asking", console=errors)


def _print_table(done: Tuning) -> None:
    table = Table("", "nDCG@10", "w", "c", *PARTS, title=f"{done.index}: {done.queries} queries")
    for name, mean, numbers in (("before", done.before, done.now), ("after", done.after, done.fitted)):
        shown = (numbers.weight, numbers.saturation, *numbers.parts)
        table.add_row(name, f"{mean:.4f}", *(f"{number:g}" for number in shown))
    Console().print(table)


def _verdict(done: Tuning) -> str:
    """What it means, in a few lines."""
    said = [f"on queries not fitted on, {done.better} rank better and {done.worse} worse"]
    if done.silent:
        said.append(f"{done.silent} queries were left out: their clicks prefer no record to another")
    if done.gone:
        said.append(f"{done.gone} shown records are not in the index any more and were left out")
    if done.written:
        said.append("written: searches use these weights now")
    elif done.fitted == done.now:
        said.append("nothing to write: no other weights rank all these queries better")
    elif done.rises:
        said.append("not written, since this was a dry run")
    else:
        said.append("not written: what is fitted on some queries does no better on the others")
    return "\n".join(said)
