"""All benchmarks, one after the other: `make bench`, or `python -m tests.bench [--quick] [--only NAME] [--out FILE]`.

Each has an engine of its own and the machine to itself, unless somebody else uses it: the load at its start is kept
with its figures. With `--only` the file's other figures stay as they are.
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
from tests.bench import encode, follow, gateway, heal, soak, write
from tests.bench.machine import described, machine
from tests.bench.search import three_parts

OUT = Path("docs/bench.json")
CURVES = Path("docs/soak.svg")
DOCUMENTS, ROUNDS = 100_000, 100  # of the search
NAMES = ("encode", "write", "search", "heal", "follow", "soak", "gateway")
console = Console()
progress = Console(stderr=True)


def searching(documents: int, rounds: int) -> dict[str, Any]:
    """Fused search against BM25, on an engine started for it; with the engine's version."""
    with tempfile.TemporaryDirectory() as folder, running(Settings(data=Path(folder)), engine="embedded") as services:
        cluster = Cluster(services.url)
        ensure_scripts(cluster)
        three_parts.fill(cluster, documents)
        found = three_parts.summary(three_parts.measure(three_parts.ways(cluster), rounds))
        cluster.close()
    about = {"documents": documents, "rounds": rounds, "bits": three_parts.BITS}
    return {**about, "ways": found, "opensearch": services.version}


def search_table(found: dict[str, Any]) -> Table:
    """What `searching` found, for people."""
    title = f"{found['documents']} records, {found['bits']} bits, one shard"
    shown = Table("search", "p50 ms", "p95 ms", "x BM25", title=title)
    for name, row in found["ways"].items():
        shown.add_row(name, *(f"{row[key]:.1f}" for key in ("p50_ms", "p95_ms", "ratio")))
    return shown


def measured(name: str, *, quick: bool) -> dict[str, Any]:
    """One benchmark in its own size, or in a small one."""
    match name:
        case "encode":
            return encode.measure(32, 1) if quick else encode.measure(encode.RECORDS, encode.ROUNDS)
        case "write":
            return write.measure(500, 1) if quick else write.measure(write.DOCUMENTS, write.ROUNDS)
        case "heal":
            return heal.measure(200, 1) if quick else heal.measure(heal.DOCUMENTS, heal.ROUNDS)
        case "follow":
            return (
                follow.measure(1000, 2, 2) if quick else follow.measure(follow.DOCUMENTS, follow.SECONDS, follow.QUIET)
            )
        case "gateway":
            return (
                gateway.measure(2000, 50, 50, 0.5, 2_000_000)
                if quick
                else gateway.measure(gateway.DOCUMENTS, gateway.PAIRS, gateway.REQUESTS, gateway.SECONDS, gateway.BULK)
            )
        case "soak":
            return soak.measure(0.5, soak.RATE) if quick else soak.measure(soak.MINUTES, soak.RATE)
    return searching(2000, 10) if quick else searching(DOCUMENTS, ROUNDS)


def main() -> None:
    """Measure, print, and write everything down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run? The figures mean nothing")
    parser.add_argument("--only", action="append", choices=NAMES, help="may be given again")
    parser.add_argument("--out", type=Path, help=f"JSON file of all results; default {OUT}, or none with --quick")
    asked = parser.parse_args()
    out = asked.out or (None if asked.quick else OUT)
    began, host = time.monotonic(), machine()
    kept = json.loads(out.read_text("utf-8")) if out and out.is_file() and asked.only else {}
    tables = {"encode": encode, "write": write, "heal": heal, "follow": follow, "soak": soak, "gateway": gateway}
    for name in asked.only or NAMES:
        load = machine()["load"]
        found = measured(name, quick=asked.quick)
        host["opensearch"] = found.pop("opensearch", host.get("opensearch", kept.get("machine", {}).get("opensearch")))
        console.print(tables[name].table(found) if name in tables else search_table(found))
        kept[name] = {**found, "load": load}
    console.print(described(host), highlight=False)
    progress.print(f"took {time.monotonic() - began:.0f} s")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"machine": host} | kept | {"machine": host}, indent=1) + "\n", "utf-8")
        progress.print(f"wrote {out}")
        if "soak" in (asked.only or NAMES):
            CURVES.write_text(soak.picture(kept["soak"]), "utf-8")


if __name__ == "__main__":
    main()
