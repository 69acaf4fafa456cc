"""`crosshatch weights`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from integration import state
from integration import weights as numbers
from integration.cli.door import as_json, cluster, print_json
from mappings.errors import RequestError

part_weight_option: Callable[[Any], Any] = click.option(
    "--part-weight",
    "part_weights",
    multiple=True,
    metavar="PART=W",
    help="What similarities of a stored part are multiplied by, from 0 to 1; repeatable.",
)


@click.command()
@click.argument("index")
@click.option("--weight", type=float, help="Share of the codes in the score: 0 is BM25 alone, 1 the codes alone.")
@click.option("--saturation", type=float, help="The BM25 score that counts half.")
@click.option("--k", type=int, help="How many similar records are hits though the words do not match.")
@click.option("--min-similarity", type=float, help="How similar those must be, from 0 to 1.")
@part_weight_option
@click.option("--space", metavar="S", help="The space whose parts are meant, rather than the active one.")
@as_json
def weights(index: str, part_weights: tuple[str, ...], space: str | None, as_json: bool, **given: Any) -> None:
    """Show the numbers by which INDEX is searched where a request gives none, or change those that are named."""
    settings = {name: value for name, value in given.items() if value is not None}
    parts = read_part_weights(part_weights)
    with cluster() as (_, connection):
        if settings or parts:
            known = numbers.change(connection, index, settings, parts, space)
        else:
            attached = state.attached(connection, index)
            known = attached.in_space(space or attached.space)
    if as_json:
        print_json(numbers.listed(known))
    else:
        show(numbers.listed(known))


def read_part_weights(said: Sequence[str]) -> dict[str, float]:
    """The weights by part of options such as `image=0.5`. Raises RequestError where one is no number, or a double."""
    weights: dict[str, float] = {}
    for text in said:
        part, _, value = text.partition("=")
        if part in weights:
            raise RequestError(f"--part-weight names {part} twice; give each part one weight")
        try:
            weights[part] = float(value)
        except ValueError:
            raise RequestError(f"--part-weight {text!r} came; expected PART=W, as --part-weight image=0.5") from None
    return weights


def show(told: Mapping[str, Any]) -> None:
    """A table of the numbers."""
    table = Table(title=f"{told['index']}, space {told['space']}", show_header=False)
    for name in ("weight", "saturation", "k", "min_similarity"):
        table.add_row(name, f"{told[name]:g}")
    for part, weight in told["part_weights"].items():
        table.add_row(f"weight of {part}", f"{weight:g}")
    Console().print(table)
