"""The published methods on labelled sets, five seeds each: `make baseline-tables`, or
`python -m tests.bench.baselines --data ../shared/data`.

Every cell is written down as soon as it is measured; a second run measures what is missing, and what a method's changed
parameters, or another set, made untrue. Out come all figures as JSON and the page made of them. `--costs` measures what
each method takes of time and memory on 10,000 pairs, which needs the machine for itself.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from encoders import methods
from tests.bench.baselines import costs, page, sets
from tests.bench.baselines.floats import bounds
from tests.bench.baselines.processes import opened, results
from tests.bench.baselines.run import Cell, by_chance
from tests.bench.machine import machine

BITS = (16, 32, 64, 128)
SEEDS = (0, 1, 2, 3, 4)
OUT, PAGE = Path("docs/baselines.json"), Path("docs/baselines.md")
NOTES = Path(__file__).with_name("notes.md")  # what the tables say, written by hand
Found = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--set", action="append", choices=sets.NAMES, help="just these sets")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of their folders")
    parser.add_argument("--only", action="append", default=[], help="just these methods")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes that measure")
    parser.add_argument("--costs", action="store_true", help="time and memory of each method, in place of the tables")
    parser.add_argument("--out", type=Path, default=OUT, help="JSON of all figures; what it holds is not measured anew")
    parser.add_argument("--page", type=Path, default=PAGE, help="the tables, as Markdown")
    asked = parser.parse_args(arguments)
    figures, names = read(asked.out), asked.only or list(methods.PUBLISHED)
    if asked.costs:
        for name, found in costs.every(names):
            figures.setdefault("costs", {})[name] = found
            write(asked.out, figures)
    for name in () if asked.costs else asked.set or sets.NAMES:
        table = described(figures.setdefault("sets", {}).get(name, {}), opened(name, asked.data))
        figures["sets"][name] = table
        missing = [cell for cell in cells(names) if not fresh(table["cells"].get(cell.key), cell)]
        for cell, found in results(name, asked.data, missing, asked.workers):
            table["cells"][cell.key] = found
            figures["machine"] = machine()
            write(asked.out, figures)
            print(name, cell.key, found["projected"], f"{found['fit_s']} s", file=sys.stderr, flush=True)
    write(asked.out, figures)
    asked.page.write_text(page.written(figures, NOTES.read_text(encoding="utf-8")), encoding="utf-8")


def cells(names: Sequence[str]) -> list[Cell]:
    """All that is to be measured, every method by one seed before the next: what is there can be compared."""
    return [Cell(name, bits, seed) for seed in SEEDS for name in names for bits in BITS]


def fresh(found: Found | None, cell: Cell) -> bool:
    """Whether this cell was measured with the parameters that the method has now."""
    now = methods.named(cell.method)(cell.bits, seed=cell.seed).parameters
    return found is not None and found["parameters"] == now


def described(known: Found, asked: sets.Set) -> Found:
    """What the page says above a set's tables, and the cells that are known, if they are of the same pairs."""
    every = [asked.folds(seed) for seed in SEEDS]
    by_seed = every[:1] if every[0][0] is every[-1][0] else every  # a published split is the same for all
    now: Found = {
        "about": asked.about,
        "split": asked.split,
        **{
            part: sorted({sum(len(getattr(fold.split, part)) for fold in folds) // times for folds in by_seed})
            for part, times in (("query", 1), ("database", len(by_seed[0])), ("train", len(by_seed[0])))
        },
        "chance": round(float(np.mean([by_chance(folds) for folds in by_seed])), 5),
    }
    if any(known.get(name, value) != value for name, value in now.items()):
        known = {}
    if "floats" not in known:
        found = [bounds(folds) for folds in by_seed]
        known["floats"] = {
            head: {way: round(float(np.mean([one[head][way] for one in found])), 5) for way in found[0][head]}
            for head in found[0]
        }
    return {**now, "floats": known["floats"], "cells": known.get("cells", {})}


def read(path: Path) -> Found:
    """The figures so far; none where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write(path: Path, figures: Found) -> None:
    """Whole or not at all."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    main()
