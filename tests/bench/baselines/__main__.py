"""The published methods on labelled sets, five seeds each: `make baseline-tables`, or
`python -m tests.bench.baselines --data ../shared/data/wiki`.

Every cell is written down as soon as it is measured; a second run measures what is missing, and what a method's changed
parameters made untrue. Out come all figures as JSON and the page made of them.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from encoders import methods
from encoders.data import named
from encoders.data.api import DataSet
from tests.bench.baselines import page
from tests.bench.baselines.run import Cell, by_chance, measured
from tests.bench.machine import machine

BITS = (16, 32, 64, 128)
SEEDS = (0, 1, 2, 3, 4)
OUT, PAGE = Path("docs/baselines.json"), Path("docs/baselines.md")
NOTES = Path(__file__).with_name("notes.md")  # what the tables say, written by hand


def main(arguments: list[str] | None = None) -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--set", default="wiki", help="name of the data set, as `encoders.data` knows it")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/wiki"), help="folder of its files")
    parser.add_argument("--only", action="append", default=[], help="just these methods")
    parser.add_argument("--out", type=Path, default=OUT, help="JSON of all figures; what it holds is not measured anew")
    parser.add_argument("--page", type=Path, default=PAGE, help="the tables, as Markdown")
    asked = parser.parse_args(arguments)
    figures = read(asked.out)
    dataset = named(asked.set, asked.data)
    tables = figures.setdefault("sets", {}).setdefault(asked.set, described(dataset))
    for cell in cells(asked.only or list(methods.METHODS)):
        if fresh(tables["cells"].get(cell.key), cell):
            continue
        tables["cells"][cell.key] = found = measured(cell, dataset)
        figures["machine"] = machine()
        write(asked.out, figures)
        print(cell.key, found["projected"], f"{found['fit_s']} s", file=sys.stderr, flush=True)
    write(asked.out, figures)
    asked.page.write_text(page.written(figures, NOTES.read_text(encoding="utf-8")), encoding="utf-8")


def cells(names: list[str]) -> list[Cell]:
    """All that is to be measured, quick methods first, a seed for all lengths before the next seed."""
    return [Cell(name, bits, seed) for name in names for seed in SEEDS for bits in BITS]


def fresh(found: dict[str, Any] | None, cell: Cell) -> bool:
    """Whether this cell was measured with the parameters that the method has now."""
    now = methods.named(cell.method)(cell.bits, seed=cell.seed).parameters
    return found is not None and found["parameters"] == now


def described(dataset: DataSet) -> dict[str, Any]:
    """What the page says above a set's tables."""
    return {
        "query": len(dataset.query),
        "database": len(dataset.database),
        "train": len(dataset.train),
        "chance": by_chance(dataset),
        "cells": {},
    }


def read(path: Path) -> dict[str, Any]:
    """The figures so far; none where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write(path: Path, figures: dict[str, Any]) -> None:
    """Whole or not at all."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    main()
