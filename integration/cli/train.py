"""`crosshatch train`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from integration.cli.datasets import opened
from integration.cli.door import as_json, print_json
from integration.settings import load


@click.command()
@click.argument("method")
@click.option("--data", "name", required=True, metavar="NAME", help="Data set, or index:NAME; a wrong name lists all.")
@click.option("--bits", type=int, required=True, metavar="K", help="Length of a code; a wrong one lists all.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Gets the bundle.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The set's files; default: CROSSHATCH_DATA/sets/NAME.",
)
@click.option("--seed", type=int, default=0, help="Draws the split, what is held out, and where training starts.")
@click.option("--set", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; a wrong one lists all.")
@click.option("--backbones", default="default-128", metavar="BUNDLE", help="Whose backbones read raw pairs.")
@click.option("--validation", type=float, default=0.1, help="Share of the training pairs that is held out.")
@click.option("--patience", type=int, default=5, help="Epochs without a better score until it ends; 0: all.")
@click.option("--half", is_flag=True, help="Count in bfloat16 where that is safe.")
@click.option("--licence", default="not stated", metavar="WORDS", help="Licence of the data, and so of the bundle.")
@click.option("--fresh", is_flag=True, help="Begin anew, not where an interrupted run stopped.")
@as_json
def train(
    method: str, name: str, bits: int, out: Path, folder: Path | None, seed: int, parameters: tuple[str, ...],
    as_json: bool, **order: Any,
) -> None:  # fmt: skip
    """Train METHOD on a data set; out comes a bundle for `attach`, or of a set of features the method alone."""
    from encoders.methods.parameters import configured  # torch: not for `crosshatch --help`
    from encoders.training import run

    settings = load()
    untrained = configured(method, bits, seed=seed, settings=parameters)
    asked = run.Order(out, **order)
    with opened(name, folder, settings, seed=seed) as dataset:
        done = run.train(untrained, dataset, asked, data=settings.data, device=settings.device, tell=_tell)
    print_json(done) if as_json else _print(done)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _print(done: Mapping[str, Any]) -> None:
    for row in done["results"]:
        click.echo("{direction} {figure} {value:.3f} ({low:.3f}–{high:.3f}; chance {chance:.3f})".format(**row))
    if done["kind"] == "bundle":
        click.echo(
            f"bundle {done['folder']}, space {done['space']}: crosshatch attach INDEX --encoder {done['folder']}"
        )
        return
    click.echo(
        f"the set came as features, so {done['folder']} holds the method alone, with no backbones to read records by: "
        f"crosshatch evaluate {done['folder']} measures it, attach needs a bundle of raw pairs"
    )
