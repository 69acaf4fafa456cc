"""Two pictures of the figures: recall against latency at the largest size, and latency against size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.search.ways import CODES, ENGINE, OUTSIDE, PLUGIN, WORDS

COLOURS = {ENGINE: "tab:blue", PLUGIN: "tab:orange", OUTSIDE: "tab:gray"}
matplotlib.rcParams.update({"svg.hashsalt": "crosshatch", "svg.fonttype": "none", "font.size": 8})
Figures = Mapping[str, Any]


def write(figures: Figures, stem: Path) -> list[Path]:
    """`<stem>-recall` and `<stem>-growth`, as PNG and SVG."""
    files = []
    for name, drawn in (("recall", recall(figures)), ("growth", growth(figures))):
        for kind in ("png", "svg"):
            file = stem.with_name(f"{stem.name}-{name}.{kind}")
            drawn.savefig(file, dpi=120, bbox_inches="tight", metadata={"Date": None} if kind == "svg" else None)
            files.append(file)
    return files


def recall(figures: Figures) -> Figure:
    """Recall@10 of the nearest codes against p50, one point a way."""
    size = max(figures["sizes"], key=int)
    figure, axes = _empty(f"{int(size):,} records: recall@10 of the nearest codes", "recall@10", "p50, ms")
    axes.set_yscale("log")
    points = []
    for name, row in figures["sizes"][size]["ways"].items():
        if row["answers"] == CODES:
            axes.plot(row["recall_10"], row["p50_ms"], "o", color=COLOURS[row["where"]])
            points.append((row["recall_10"], row["p50_ms"], name))
    axes.set_xlim(left=min(0.3, axes.get_xlim()[0]))
    _named(axes, points)
    _legend(axes)
    return figure


def growth(figures: Figures) -> Figure:
    """p50 of every way in an engine, size by size."""
    sizes = sorted(figures["sizes"], key=int)
    figure, axes = _empty("growth: the best 10 by p50", "records", "p50, ms")
    axes.set_xscale("log")
    axes.set_yscale("log")
    points = []
    for name, row in figures["sizes"][sizes[-1]]["ways"].items():
        held = [size for size in sizes if name in figures["sizes"][size]["ways"]]
        times = [figures["sizes"][size]["ways"][name]["p50_ms"] for size in held]
        style = {WORDS: ":", CODES: "-"}.get(row["answers"], "--")
        axes.plot([int(size) for size in held], times, style, marker=".", color=COLOURS[row["where"]])
        points.append((int(held[-1]), times[-1], name))
    _named(axes, points)
    _legend(axes)
    return figure


def _empty(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 6))
    axes = figure.subplots()
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=True, which="both", alpha=0.2)
    return figure, axes


def _named(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Names in a column beside the axes, from the lowest point to the highest, no two of them on one another."""
    axes.autoscale_view()  # else the transforms are those of empty axes
    below = -1.0
    for across, up, name in sorted(points, key=lambda point: point[1]):
        height = float(axes.transAxes.inverted().transform(axes.transData.transform((across, up)))[1])
        below = max(height, below + 0.028)
        line = {"arrowstyle": "-", "color": "gray", "alpha": 0.4, "linewidth": 0.5}
        axes.annotate(name, (across, up), (1.03, below), textcoords="axes fraction", va="center", arrowprops=line)


def _legend(axes: Axes) -> None:
    told = {ENGINE: "OpenSearch, no plugin", PLUGIN: "OpenSearch with k-NN", OUTSIDE: "outside, no HTTP"}
    for where, colour in COLOURS.items():
        axes.plot([], [], "o", color=colour, label=told[where])
    axes.legend(loc="upper left")
