"""Plots of an evaluation, as PNG and SVG: precision and recall, precision@N, MAP by bits."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from encoders.evaluation.protocol import DIRECTIONS
from encoders.evaluation.results import Measured

matplotlib.rcParams.update({"svg.hashsalt": "crosshatch", "svg.fonttype": "none", "font.size": 8})
PANEL = (4.0, 3.2)  # inches


def write(folder: Path, title: str, encoders: Sequence[Measured]) -> list[Path]:
    """`precision-recall`, `precision-at`, and `map-by-bits`, each as PNG and SVG; one panel a direction."""
    drawn: dict[str, Callable[[Axes, str, Sequence[Measured]], None]] = {
        "precision-recall": _precision_recall,
        "precision-at": _precision_at,
        "map-by-bits": _map_by_bits,
    }
    files: list[Path] = []
    for name, draw in drawn.items():
        figure = _panels(title, encoders, draw)
        files += [save(figure, folder / f"{name}.{kind}") for kind in ("png", "svg")]
    return files


def save(figure: Figure, path: Path) -> Path:
    """Write a figure; an SVG carries no date, so the same figures give the same file."""
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else None)
    return path


def _panels(title: str, encoders: Sequence[Measured], draw: Callable[[Axes, str, Sequence[Measured]], None]) -> Figure:
    names = [name for name in DIRECTIONS if any(name in one.directions for one in encoders)]
    figure = Figure(figsize=(PANEL[0] * len(names), PANEL[1]), layout="constrained")
    figure.suptitle(title)
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        axes.set_title(name.replace("-", " → "))
        axes.grid(visible=True, alpha=0.2)
        draw(axes, name, [one for one in encoders if name in one.directions])
        axes.set_ylim(bottom=0)
        axes.legend()
    return figure


def _precision_recall(axes: Axes, name: str, encoders: Sequence[Measured]) -> None:
    axes.set_xlabel("recall")
    axes.set_ylabel("precision, by Hamming radius")
    for one in encoders:
        direction = one.directions[name]
        axes.plot(direction.recall, direction.precision, marker=".", markersize=3, label=_label(one))
    axes.set_xlim(0, 1)


def _precision_at(axes: Axes, name: str, encoders: Sequence[Measured]) -> None:
    axes.set_xlabel("N")
    axes.set_ylabel("precision@N")
    for one in encoders:
        values = one.directions[name].precision_at
        axes.plot(np.arange(1, len(values) + 1), values, label=_label(one))


def _map_by_bits(axes: Axes, name: str, encoders: Sequence[Measured]) -> None:
    """One line a method, with the intervals; below it what chance gives."""
    axes.set_xlabel("bits")
    axes.set_ylabel("MAP")
    for method in dict.fromkeys(one.method for one in encoders):
        same = sorted((one for one in encoders if one.method == method), key=lambda one: one.bits)
        figures = [one.directions[name].figures["map"] for one in same]
        errors = [[f.value - f.low for f in figures], [f.high - f.value for f in figures]]
        axes.errorbar([one.bits for one in same], [f.value for f in figures], errors, marker=".", label=method)
    bits = sorted({one.bits for one in encoders})
    axes.set_xscale("log", base=2)
    axes.set_xticks(bits, map(str, bits))
    axes.axhline(encoders[0].directions[name].figures["map"].chance, linestyle=":", color="gray", label="chance")


def _label(one: Measured) -> str:
    return one.name if one.name.endswith(str(one.bits)) else f"{one.name}, {one.bits} bits"
