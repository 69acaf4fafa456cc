"""Asymmetric scoring against symmetric: `python -m tests.bench.scoring [--data DIR] [--documents N]`; prints Markdown.

Recall, on real codes of the shipped bundles: Tux Paint, which they never saw and by which nothing was chosen. Each
query asks with its floats against the others' floats, with its bits, and with its weighted bits, of the exact plan and
of what the bands of `plans add` reach. The interval is of the gain, over the same queries.

Latency, in an engine started for it: every plan both ways, query by query in turns, on a synthetic collection.
"""

import argparse
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np

from encoders import catalogue
from encoders.evaluation.bootstrap import paired
from encoders.heads import RidgeConseHead, head
from encoders.training import default, sources
from encoders.training.evaluation import (
    Doubles,
    Flags,
    Task,
    apart_bits,
    apart_floats,
    apart_weighted,
    hits,
    packed,
    tasks,
)
from encoders.training.features import Collection as Samples
from integration.engine.client import Cluster
from integration.engine.services import running
from integration.search.scripts import ensure_scripts
from integration.settings import Settings
from mappings.bands import REACH, Banding, fitting_order, fitting_width
from mappings.code import HashCode, codes_of
from mappings.weighted import HIGHEST, WeightedCode
from tests.bench.search import engine
from tests.bench.search.bands import BandsLayout
from tests.bench.search.collection import Query, prepared
from tests.bench.search.layouts import CODE, filled
from tests.bench.search.measuring import interleaved
from tests.bench.search.wire import patient, wire

ROUNDS, BEST = 300, 10
WEIGHT = 0.5  # of the fused ways


def recall(samples: Samples, bits: int) -> Iterator[str]:
    """A row of the table for each direction."""
    bundle = catalogue.bundle(f"default-{bits}", data=Path())
    made = cast("RidgeConseHead", head(bundle.model.method, bundle.tensors()))
    for task in tasks(samples):
        near = reached(task, made, samples, bits)
        bare, weighted = apart_bits(task, made, samples), apart_weighted(task, made, samples)
        floats, exact, better, banded, both = (
            hits(apart, task.relevant)
            for apart in (apart_floats(task, made, samples), bare, weighted, beyond(bare, near), beyond(weighted, near))
        )
        cells = [f"{found.mean():.3f}" for found in (floats, exact, better)]
        bands = [f"{found.mean():.3f}" for found in (banded, both)]
        gains = (gain(exact, better), gain(banded, both))
        direction = task.direction.replace("-", "→")
        row = [direction, str(bits), str(len(exact)), *cells, gains[0], *bands, gains[1]]
        yield f"| {' | '.join(row)} |"


def reached(task: Task, made: RidgeConseHead, samples: Samples, bits: int) -> Flags:
    """Whether a search with the bands that `plans add` would cut finds the record. bool [q, n]"""
    stored = packed(made, samples, task.stored)
    width = fitting_width(len(stored), bits)
    cut = Banding(bits, width, fitting_order(stored, width))
    asked, held = (
        np.array([cut.values(code) for code in codes_of(rows)], dtype=np.uint32)
        for rows in (packed(made, samples, task.query)[task.asking], stored[task.answering])
    )
    near = (np.bitwise_count(held ^ query) <= REACH.radius for query in asked)
    return np.stack([one.sum(axis=1) >= min(REACH.agree, cut.count) for one in near])


def beyond(apart: Doubles, near: Flags) -> Doubles:
    """Distances of a plan that never sees what is not `near`."""
    return np.where(near, apart, np.inf)


def gain(without: Doubles, having: Doubles) -> str:
    """Mean of the queries' differences with its interval."""
    found = paired(without, having)
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


@dataclass(frozen=True, slots=True)
class Scored:
    """One plan with one scoring, as `interleaved` asks it. Queries come with weights."""

    name: str
    plan: Callable[[Query, int], Sequence[int]]
    weighted: bool

    def ask(self, query: Query, size: int) -> Sequence[int]:
        """Numbers of the records found."""
        code = query.code if self.weighted else HashCode(query.code.bits, query.code.packed)
        return self.plan(replace(query, code=code), size)


def latency(url: str, folder: Path, documents: int, rounds: int) -> Iterator[str]:
    """A row of the table for each plan."""
    collection, kind = prepared(folder, documents), BandsLayout(documents)
    cluster = patient(url)
    for layout in (CODE, kind.layout):
        filled(cluster, layout, collection)
    cluster.close()
    bare, banded = CODE.index(documents), kind.layout.index(documents)
    plans: dict[str, Callable[[Query, int], Sequence[int]]] = {
        "exact": partial(engine.exact, wire(url), bare),
        "exact, fused": partial(engine.exact_fused, WEIGHT, wire(url), bare),
        "bands": partial(engine.banded, kind, REACH, wire(url), banded),
        "bands, fused": partial(engine.banded_fused, kind, WEIGHT, wire(url), banded),
    }
    ways = [Scored(f"{name} {how}", plan, how) for name, plan in plans.items() for how in (False, True)]
    rng = random.Random(1)
    queries = [replace(query, code=weighing(query.code, rng)) for query in collection.queries(rounds)]
    answers = interleaved(ways, queries, BEST)
    for name in plans:
        without, having = (answers[f"{name} {how}"].ms for how in (False, True))
        ratios = sorted(b / a for a, b in zip(without, having, strict=True))
        tails = np.quantile(having, 0.95) / np.quantile(without, 0.95)
        yield f"| {name} | {median(having) / median(without):.2f} | {tails:.2f} | {median(ratios):.2f} |"


def weighing(code: HashCode, rng: random.Random) -> WeightedCode:
    """The code with weights as sizes of normal numbers would give: what they are does not change the time."""
    sizes = [abs(rng.gauss(0, 1)) for _ in range(code.bits)]
    return WeightedCode(code.bits, code.packed, bytes(round(HIGHEST * size / max(sizes)) for size in sizes))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with tuxpaint_stamps")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="queries of the latency")
    asked = parser.parse_args()
    samples = default.towers().collect(sources.read(default.TEST, asked.data)).distinct()
    print("| direction | bits | queries | float | symmetric | asymmetric | gain | bands | bands, asymmetric | gain |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for bits in default.LENGTHS:
        for row in recall(samples, bits):
            print(row, flush=True)
    with tempfile.TemporaryDirectory() as folder, running(Settings(data=Path(folder)), engine="embedded") as services:
        cluster = Cluster(services.url)
        ensure_scripts(cluster)
        cluster.close()
        print(f"\n{asked.documents} records; asymmetric, times symmetric:\n\n| plan | p50 | p95 | median of pairs |")
        print("|---|---|---|---|")
        for row in latency(services.url, Path(folder) / "collection", asked.documents, asked.rounds):
            print(row, flush=True)


if __name__ == "__main__":
    main()
