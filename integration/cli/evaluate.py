"""`crosshatch evaluate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Table

from encoders.evaluation import Stored, Ties
from integration.cli.datasets import opened
from integration.cli.door import as_json, errors, print_json
from integration.settings import load

SHOWN = ("map", "map@50", "precision@10", "hit@10", "ndcg")  # of all that is measured
WIDTH = 120  # characters, where nobody says how wide the output is


@click.command()
@click.argument("bundle", nargs=-1, required=True)
@click.option("--data", "name", required=True, metavar="NAME", help="Data set, or index:NAME; a wrong name lists all.")
@click.option(
    "--folder", type=click.Path(path_type=Path), metavar="FOLDER", help="Its files; default: CROSSHATCH_DATA/sets/NAME."
)
@click.option("--ties", type=click.Choice(get_args(Ties)), default="average", help="How items at one distance rank.")
@click.option("--database", type=click.Choice(get_args(Stored)), default="encoded", help="Codes that are searched.")
@click.option("--seed", type=int, default=0, help="Draws the split where none is published.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Gets JSON, CSV, plots, contact sheets.")
@as_json
def evaluate(
    bundle: tuple[str, ...], name: str, folder: Path | None, ties: Ties, database: Stored, seed: int, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Measure BUNDLEs on a data set by the field's protocol; each further one is compared with the first."""
    from encoders.evaluation import results, run  # scipy and matplotlib: not for `crosshatch --help`

    settings = load()
    with opened(name, folder, settings, seed=seed) as dataset:
        encoders = run.run(bundle, dataset, data=settings.data, device=settings.device, ties=ties, stored=database)
        found = results.document(dataset, [one.measured for one in encoders], ties=ties, stored=database)
        for file in run.write(out, found, dataset, encoders) if out else ():
            errors.print(f"wrote {file}", highlight=False)
    print_json(found) if as_json else _print(found)


def _print(found: Mapping[str, Any]) -> None:
    """The protocol above the tables: a figure without it cannot be compared."""
    console, data = Console(highlight=False), found["data"]
    console = console if console.is_terminal else Console(highlight=False, width=WIDTH)
    console.print(
        f"{data['name']}: {data['query']} queries, {data['database']} in the database, {data['train']} to learn from; "
        f"relevant: {data['relevant']}"
    )
    for rule in ("ties", "database"):
        console.print(f"{rule}: {found['protocol'][rule]}", markup=False)
    table = Table("encoder", "direction", "queries / database", *SHOWN)
    for one in found["encoders"]:
        for direction, measured in one["directions"].items():
            sizes = f"{measured['queries']} / {measured['database']}"
            shown = (_shown(measured["figures"].get(figure)) for figure in SHOWN)
            table.add_row(one["name"], direction, sizes, *shown)
    console.print(table)
    console.print("value, 95 % interval, chance")
    for row in found["compared"]:
        gain = row["map"]
        console.print(
            f"{row['direction']}: MAP of {row['second']} - {row['first']} = {gain['mean']:+.4f} "
            f"({gain['low']:+.4f} to {gain['high']:+.4f}), p {gain['p']:.3f}"
        )


def _shown(figure: Mapping[str, float] | None) -> str:
    return "-" if figure is None else "{value:.3f}\n{low:.3f}–{high:.3f}\n{chance:.3f}".format(**figure)
