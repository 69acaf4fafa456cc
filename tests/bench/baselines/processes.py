"""Cells measured side by side, in processes that read a set once each.

A module of its own, because a process that is spawned imports what it runs by name, and never `__main__`.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.bench.baselines import sets
from tests.bench.baselines.run import Cell, measured

Found = dict[str, Any]


@cache
def opened(name: str, data: Path) -> sets.Set:
    """A set, read once in a process."""
    return sets.opened(name, data)


def results(name: str, data: Path, missing: Sequence[Cell], workers: int) -> Iterator[tuple[Cell, Found]]:
    """Each cell as it is measured, by so many processes; by this one where that is 1."""
    if workers == 1 or len(missing) < 2:
        for cell in missing:
            yield cell, measured(cell, opened(name, data).folds(cell.seed))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        asked = [(name, data, cell) for cell in missing]
        yield from zip(missing, pool.map(_elsewhere, asked), strict=True)


def _elsewhere(asked: tuple[str, Path, Cell]) -> Found:
    """One cell, measured in a process of its own."""
    name, data, cell = asked
    return measured(cell, opened(name, data).folds(cell.seed))
