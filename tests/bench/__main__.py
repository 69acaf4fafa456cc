"""All benchmarks, one after the other: `make bench`, or `python -m tests.bench [--quick] [--out FILE]`.

Each has an engine of its own and the machine to itself, unless somebody else uses it: the load at the start tells.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from integration.engine.client import Cluster
from integration.engine.services import running
from integration.search.scripts import ensure_scripts
from integration.settings import Settings
from tests.bench import encode, search, write
from tests.bench.machine import described, machine

OUT = Path("docs/bench.json")
DOCUMENTS, ROUNDS = 100_000, 100  # of the search
console = Console()
progress = Console(stderr=True)


def searching(documents: int, rounds: int) -> dict[str, Any]:
    """Fused search against BM25, on an engine started for it; with the engine's version."""
    with tempfile.TemporaryDirectory() as folder, running(Settings(data=Path(folder)), engine="embedded") as services:
        cluster = Cluster(services.url)
        ensure_scripts(cluster)
        search.fill(cluster, documents)
        found = search.summary(search.measure(search.ways(cluster), rounds))
        cluster.close()
    about = {"documents": documents, "rounds": rounds, "bits": search.BITS}
    return {**about, "ways": found, "opensearch": services.version}


def search_table(found: dict[str, Any]) -> Table:
    """What `searching` found, for people."""
    title = f"{found['documents']} records, {found['bits']} bits, one shard"
    shown = Table("search", "p50 ms", "p95 ms", "x BM25", title=title)
    for name, row in found["ways"].items():
        shown.add_row(name, *(f"{row[key]:.1f}" for key in ("p50_ms", "p95_ms", "ratio")))
    return shown


def main() -> None:
    """Measure, print, and write everything down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run? The figures mean nothing")
    parser.add_argument("--out", type=Path, help=f"JSON file of all results; default {OUT}, or none with --quick")
    asked = parser.parse_args()
    out = asked.out or (None if asked.quick else OUT)
    began, host = time.monotonic(), machine()
    encoded = encode.measure(32, 1) if asked.quick else encode.measure(encode.RECORDS, encode.ROUNDS)
    written = write.measure(500, 1) if asked.quick else write.measure(write.DOCUMENTS, write.ROUNDS)
    searched = searching(2000, 10) if asked.quick else searching(DOCUMENTS, ROUNDS)
    host["opensearch"] = searched.pop("opensearch")
    console.print(described(host), highlight=False)
    for table in (encode.table(encoded), write.table(written), search_table(searched)):
        console.print(table)
    progress.print(f"took {time.monotonic() - began:.0f} s")
    if out:
        found = {"machine": host, "encode": encoded, "write": written, "search": searched}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        progress.print(f"wrote {out}")


if __name__ == "__main__":
    main()
