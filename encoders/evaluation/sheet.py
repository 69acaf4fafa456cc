"""A contact sheet: some queries, drawn at random and not chosen, with their nearest hits as pictures."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from encoders.data.api import DataSet, Pairs
from encoders.evaluation.coding import Coded
from encoders.evaluation.counts import chunks
from encoders.evaluation.plots import save
from encoders.evaluation.protocol import DIRECTIONS, Sides, sides
from encoders.evaluation.relevance import relevance
from encoders.pictures import decode

QUERIES, HITS = 6, 8
CELL = 1.3  # inches
RIGHT, WRONG, ASKED = "tab:green", "tab:red", "black"


def write(folder: Path, dataset: DataSet, codes: Coded) -> list[Path]:
    """`sheet-<direction>.png` for every direction of which both sides can be shown."""
    shown = {"images": dataset.pairs.pictures, "texts": dataset.pairs.captions}
    files = []
    for name, (asking, answering) in DIRECTIONS.items():
        meeting = sides(dataset, codes, name)
        if "images" in (asking, answering) and meeting and all(shown[side] is not None for side in (asking, answering)):
            files.append(save(_sheet(dataset, meeting, name), folder / f"sheet-{name}.png"))
    return files


def _sheet(dataset: DataSet, meeting: Sides, name: str) -> Figure:
    """One row a query: itself, then what is nearest to it; a frame tells what is relevant."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(meeting.query))[:QUERIES])
    own = None if meeting.own is None else meeting.own[chosen]
    asked = dataset.pairs.take(meeting.query[chosen])
    wanted = relevance(asked, dataset.pairs.take(meeting.stored))
    [chunk] = chunks(meeting.queries[chosen], meeting.database, wanted, own=own)
    nearest = np.argsort(chunk.apart, axis=1, kind="stable")[:, :HITS]
    figure = Figure(figsize=(CELL * (HITS + 1), CELL * len(chosen)))
    cells = figure.subplots(len(chosen), HITS + 1, squeeze=False)
    asking, answering = DIRECTIONS[name]
    for number, axes in enumerate(cells):
        _cell(axes[0], asked, number, asking, ASKED)
        for hit, cell in zip(nearest[number], axes[1:], strict=False):
            colour = RIGHT if chunk.gains[number, hit] else WRONG
            _cell(cell, dataset.pairs, int(meeting.stored[hit]), answering, colour)
    for cell in cells.ravel():
        cell.set_xticks([])
        cell.set_yticks([])
    figure.suptitle(f"{dataset.name}, {name.replace('-', ' → ')}: the query, then its nearest; green is relevant")
    return figure


def _cell(axes: Axes, pairs: Pairs, row: int, side: str, colour: str) -> None:
    if side == "images" and pairs.pictures is not None:
        picture = decode(pairs.pictures[row], hint=200)
        picture.thumbnail((160, 160))
        axes.imshow(np.asarray(picture))
    elif pairs.captions is not None:
        words = "\n".join(textwrap.wrap(pairs.captions[row][:120], 18)[:7])
        axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=6, parse_math=False, transform=axes.transAxes)
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2)
