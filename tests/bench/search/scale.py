"""From the measured growth to larger catalogues: the tables of docs/scale.md, `python -m tests.bench.search.scale`.

Growth is taken from the two largest sizes n1 < n2 with times t1, t2. As measured: t2 (n / n2)^e with
e = log(t2 / t1) / log(n2 / n1). Linearly from there: t2 + (n - n2) (t2 - t1) / (n2 - n1), which counts every further
record in full and is the higher one unless time grew faster than the records. Shards of one search run side by side,
each on a core of its own.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE, FIGURES = Path("docs/scale.md"), Path("docs/bench-search.json")
CATALOGUES = (
    (10_000_000, 1),
    (10_000_000, 4),
    (10_000_000, 10),
    (100_000_000, 10),
    (100_000_000, 40),
    (100_000_000, 100),
)
GB = 1e9
LEFT_OUT = re.compile("by hand|ElasticHash|counted|one within|w 0.[28]")  # what is measured only for comparison
Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Growth:
    """p50 in milliseconds at two sizes in records, and bytes of a record at the larger."""

    sizes: tuple[int, int]
    times: tuple[float, float]
    bytes: float

    @property
    def exponent(self) -> float:
        """0: size does not matter; 1: ten times the records take ten times as long."""
        return math.log(self.times[1] / self.times[0]) / math.log(self.sizes[1] / self.sizes[0])

    def as_measured(self, records: float) -> float:
        """Milliseconds for a shard of so many records, if it goes on growing as it did."""
        return float(self.times[1] * (records / self.sizes[1]) ** self.exponent)

    def linear(self, records: float) -> float:
        """Milliseconds if every further record costs what those between the two sizes did on average."""
        slope = (self.times[1] - self.times[0]) / (self.sizes[1] - self.sizes[0])
        return self.times[1] + (records - self.sizes[1]) * slope


def growths(figures: Mapping[str, Any]) -> dict[str, Growth]:
    """Of every way in an engine that was measured at both of the largest sizes."""
    small, large = sorted(map(int, figures["sizes"]))[-2:]
    before: Rows = figures["sizes"][str(small)]["ways"]
    after: Rows = figures["sizes"][str(large)]["ways"]
    return {
        name: Growth((small, large), (before[name]["p50_ms"], row["p50_ms"]), row["bytes"])
        for name, row in after.items()
        if row["where"] != "outside" and name in before
    }


def measured_table(figures: Mapping[str, Any]) -> str:
    """p50 by size, the growth from ten times the records, bytes of a record."""
    sizes = sorted(figures["sizes"], key=int)
    found = growths(figures)
    heads = ["way", *(f"{int(size):,}" for size in sizes), "x for ten times as many", "bytes a record"]
    rows = []
    for name, growth in found.items():
        times = [figures["sizes"][size]["ways"].get(name, {}).get("p50_ms") for size in sizes]
        shown = ["-" if one is None else _ms(one) for one in times]
        rows.append([name, *shown, f"{10**growth.exponent:.1f}", f"{growth.bytes:.0f}"])
    return _table(heads, rows)


def latency_table(figures: Mapping[str, Any]) -> str:
    """Expected p50 by catalogue and shards: as measured, then linearly."""
    found = {name: growth for name, growth in growths(figures).items() if not LEFT_OUT.search(name)}
    rows = []
    for records, shards in CATALOGUES:
        own = records / shards
        times = [f"{_ms(growth.as_measured(own))} to {_ms(growth.linear(own))}" for growth in found.values()]
        rows.append([f"{records // 10**6} million", str(shards), f"{own / 1e6:g} million", *times])
    return _table(["records", "shards", "a shard", *(f"{name}, ms" for name in found)], rows)


def disk_table(figures: Mapping[str, Any]) -> str:
    """Gigabytes by catalogue: one copy of the index, and with a replica."""
    found = {name: growth for name, growth in growths(figures).items() if not LEFT_OUT.search(name)}
    heads = ["way", *(f"{n} million{copies}" for copies in ("", ", with a replica") for n in (10, 100))]
    rows = []
    for name, growth in found.items():
        sizes = [records * growth.bytes / GB for records in (10**7, 10**8)]
        rows.append([name, *(f"{size:.1f} GB" for size in (*sizes, *(2 * size for size in sizes)))])
    return _table(heads, rows)


TABLES = {"measured": measured_table, "latency": latency_table, "disk": disk_table}


def written(page: str, figures: Mapping[str, Any]) -> str:
    """The page with its tables made from the figures."""
    for name, made in TABLES.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        begun, *rest = marks.split(page)
        page, count = (
            (begun, 0) if not rest else (f"{begun}{rest[0]}{made(figures)}\n{''.join(rest[1:])}", len(rest) // 3)
        )
        if count != 1:
            raise SystemExit(
                f"{PAGE} has {count} places for the table `{name}`; expected one, between <!-- {name} --> marks"
            )
    return page


def write(figures: Mapping[str, Any]) -> None:
    """Bring the page's tables up to date."""
    PAGE.write_text(written(PAGE.read_text("utf-8"), figures), "utf-8")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _ms(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    write(json.loads(FIGURES.read_text("utf-8")))
