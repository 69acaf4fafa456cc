"""Fused search against plain BM25: `python -m tests.bench.search.three_parts [--documents N] [--json]`.

A synthetic catalogue (Zipf titles, three codes of 128 bits a record) on one shard of an engine started for it. Every
round sends the same words both ways, one right after the other, so that whatever else the machine does hits both.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from integration.engine.client import Cluster
from integration.engine.services import running
from integration.search.asking import final_body
from integration.search.plan import SearchPlan, Target, plan, words_query
from integration.search.request import SearchRequest
from integration.search.scripts import ensure_scripts
from integration.settings import Settings
from mappings.code import HashCode
from mappings.fields import PARTS, StoredCodes, space_mapping

BITS = 128
VOCABULARY = 20_000
INDEX = "bench"
TABLE = tuple(1 - d / BITS for d in range(BITS + 1))
TARGET = Target(INDEX, "s", {(q, s): TABLE for q in ("text", "image") for s in PARTS}, ("title",), "title")
console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to search: what it is called, and how it answers one query."""

    name: str
    ask: Callable[[str, HashCode], Any]


def words(rng: random.Random) -> Iterator[str]:
    """Endless words with Zipf frequencies."""
    shares = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    names = [f"w{rank}" for rank in range(VOCABULARY)]
    while True:
        yield from rng.choices(names, cum_weights=shares, k=1000)


def code(rng: random.Random) -> HashCode:
    """A random code."""
    return HashCode(BITS, rng.randbytes(BITS // 8))


def fill(cluster: Cluster, documents: int) -> None:
    """Write the catalogue into one merged shard."""
    rng = random.Random(1)
    said = words(rng)
    properties = {"title": {"type": "text"}, **space_mapping("s")["properties"]}
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": -1}
    cluster.request("PUT", f"/{INDEX}", body={"settings": settings, "mappings": {"properties": properties}})
    numbers = iter(track(range(documents), description="indexing", console=console))
    while batch := list(islice(numbers, 2000)):
        lines = []
        for number in batch:
            members = StoredCodes(code(rng), ((0, code(rng)),), code(rng)).members()
            document = {"title": " ".join(next(said) for _ in range(8)), "crosshatch": {"s": members}}
            lines += [msgspec.json.encode({"index": {"_id": f"r{number}"}}), msgspec.json.encode(document)]
        cluster.bulk(f"/{INDEX}", b"\n".join(lines) + b"\n")
    cluster.request("POST", f"/{INDEX}/_refresh")
    cluster.request("POST", f"/{INDEX}/_forcemerge", params={"max_num_segments": 1})


def ways(cluster: Cluster) -> list[Way]:
    """BM25 alone first: the others are compared with it."""
    path = f"/{INDEX}/_search"

    def plain(text: str, query: HashCode) -> Any:
        body = {"query": words_query(text, TARGET.words), "_source": ["title"], "track_total_hits": True}
        return cluster.request("POST", path, body=body)

    def planned(searched: SearchPlan) -> Any:
        return cluster.request("POST", path, params=searched.params, body=final_body(cluster, searched))

    def fused(text: str, query: HashCode) -> Any:
        return planned(plan(SearchRequest(text=text), TARGET, [("text", query)]))

    def fused_one_part(text: str, query: HashCode) -> Any:
        return planned(plan(SearchRequest(text=text, on=("image",)), TARGET, [("text", query)]))

    def picture(text: str, query: HashCode) -> Any:
        return planned(plan(SearchRequest(image=b"-"), TARGET, [("image", query)]))

    return [
        Way("BM25", plain),
        Way("fused, three parts", fused),
        Way("fused, one part", fused_one_part),
        Way("picture, three parts", picture),
    ]


def measure(candidates: Sequence[Way], rounds: int) -> dict[str, list[float]]:
    """Milliseconds by way; every round asks each way the same query. The first rounds warm the engine up."""
    rng = random.Random(2)
    said = words(rng)
    times: dict[str, list[float]] = {way.name: [] for way in candidates}
    for number in track(range(-10, rounds), description="searching", console=console):
        text, query = " ".join(next(said) for _ in range(3)), code(rng)
        for way in candidates:
            began = time.perf_counter()
            way.ask(text, query)
            if number >= 0:
                times[way.name].append((time.perf_counter() - began) * 1000)
    return times


def quantile(times: Sequence[float], share: float) -> float:
    """The value that `share` of the times do not exceed."""
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """p50 and p95 in milliseconds by way, and the median of each round's ratio to the first way."""
    base = next(iter(times.values()))
    return {
        name: {
            "p50_ms": round(quantile(own, 0.5), 1),
            "p95_ms": round(quantile(own, 0.95), 1),
            "ratio": round(quantile([a / b for a, b in zip(own, base, strict=True)], 0.5), 1),
        }
        for name, own in times.items()
    }


def main() -> None:
    """Start an engine, fill it, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Settings(data=Path(folder)), engine="embedded") as services:
        cluster = Cluster(services.url)
        ensure_scripts(cluster)
        fill(cluster, asked.documents)
        found = summary(measure(ways(cluster), asked.rounds))
        cluster.close()
    if asked.json:
        json.dump({"documents": asked.documents, "rounds": asked.rounds, "bits": BITS, "ways": found}, sys.stdout)
        return
    table = Table("search", "p50 ms", "p95 ms", "x BM25", title=f"{asked.documents} records, {BITS} bits, one shard")
    for name, row in found.items():
        table.add_row(name, *(f"{row[key]:.1f}" for key in ("p50_ms", "p95_ms", "ratio")))
    Console().print(table)


if __name__ == "__main__":
    main()
