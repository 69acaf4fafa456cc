"""How fast rankings are measured: `python -m tests.bench.evaluation [--queries N] [--database N] [--bits B] [--json]`.

Ours: every figure of `crosshatch evaluate` in one direction, exact over ties, with intervals; and the same by `--ties
order`, of fewer queries. Beside it plain NumPy as
published scripts go: a product of ±1 codes, a sort and running sums for each query, for MAP alone. That takes fewer
queries, as it is slower. Turn and turn about, in processor time, so that neighbours matter less.
"""

import argparse
import json
import resource
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from encoders.data.api import DataSet, Pairs, Split
from encoders.evaluation import Ties, protocol
from encoders.evaluation.coding import Coded

LABELS = 24
PLAIN, ORDERED = 100, 1000  # queries of the plain way, and of ours with ties in order
ROUNDS = 3


@dataclass(frozen=True)
class Made:
    """Random codes and labels, about three labels each."""

    dataset: DataSet
    codes: Coded
    queries: int

    @classmethod
    def of(cls, queries: int, database: int, bits: int) -> "Made":
        rng = np.random.default_rng(0)
        count = queries + database
        labels = rng.random((count, LABELS)) < 3 / LABELS
        codes = rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)
        split = Split(np.arange(queries), np.arange(queries, count), np.arange(queries, queries + 1))
        return cls(DataSet(Pairs("made", labels=labels), split), Coded(bits, codes, None, 0.0, 0.0), queries)


def ours(made: Made, ties: Ties = "average") -> float:
    """MAP of pictures by pictures, and everything else that is measured with it."""
    return protocol.measured(made.dataset, made.codes, ties=ties)["image-image"].figures["map"].value


def plain(made: Made, queries: int) -> float:
    """MAP of the first queries, with ties in the order of the database."""
    assert made.codes.images is not None
    assert made.dataset.pairs.labels is not None
    signs = np.unpackbits(made.codes.images, axis=1).astype(np.float32) * 2 - 1
    labels = made.dataset.pairs.labels.astype(np.float32)
    stored, wanted = signs[made.queries :], labels[made.queries :]
    total = 0.0
    for query, label in zip(signs[:queries], labels[:queries], strict=True):
        apart = (signs.shape[1] - stored @ query) / 2
        relevant = (wanted @ label > 0)[np.argsort(apart, kind="stable")]
        places = np.flatnonzero(relevant) + 1
        total += float((np.arange(1, len(places) + 1) / places).mean()) if len(places) else 0.0
    return total / queries


def measure(queries: int, database: int, bits: int, rounds: int) -> dict[str, Any]:
    """Queries a second of both, the median of each round's ratio, and the memory that ours took on top."""
    made, few = Made.of(queries, database, bits), min(PLAIN, queries)
    some = Made.of(min(ORDERED, queries), database, bits)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fast, ordered, slow, memory = [], [], [], 0.0
    for _ in range(rounds):
        began = time.process_time()
        ours(made)
        fast.append(queries / (time.process_time() - began))
        memory = memory or (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
        began = time.process_time()
        ours(some, "order")
        ordered.append(some.queries / (time.process_time() - began))
        began = time.process_time()
        plain(made, few)
        slow.append(few / (time.process_time() - began))
    return {
        "queries": queries,
        "database": database,
        "bits": bits,
        "rounds": rounds,
        "ours_per_s": round(median(fast), 1),
        "ordered_per_s": round(median(ordered), 1),
        "plain_per_s": round(median(slow), 1),
        "ratio": round(median(a / b for a, b in zip(fast, slow, strict=True)), 1),
        "seconds": round(queries / median(fast), 1),
        "memory_mb": round(memory),
    }


def table(found: dict[str, Any]) -> Table:
    """What `measure` found, for people."""
    title = f"{found['queries']} queries, {found['database']} codes of {found['bits']} bits, processor time"
    shown = Table("measuring", "queries/s", "x plain", "all, s", "memory, MB", title=title)
    shown.add_row("plain NumPy, MAP alone", f"{found['plain_per_s']}", "1.0", "", "")
    shown.add_row("crosshatch, every figure, --ties order", f"{found['ordered_per_s']}", "", "", "")
    shown.add_row(
        "crosshatch, every figure",
        *(f"{found[name]}" for name in ("ours_per_s", "ratio", "seconds", "memory_mb")),
    )
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--database", type=int, default=100_000)
    parser.add_argument("--bits", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    asked = parser.parse_args()
    found = measure(asked.queries, asked.database, asked.bits, asked.rounds)
    if asked.json:
        json.dump(found, sys.stdout)
    else:
        Console().print(table(found))


if __name__ == "__main__":
    main()
