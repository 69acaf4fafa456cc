"""Every way to search, side by side: `make bench-search`, or `python -m tests.bench.search [--sizes 10000,100000]`.

The collection, the indices of the engine and those of Faiss and usearch stay in `--data` and are not made twice: two
runs measure the same. The engine is started for the run, with its data in the same folder, and beside it a node with
the k-NN plugin where a way needs it. In `docs/` go all figures as JSON, plots, and the page on larger catalogues that
is computed from them.
"""

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from integration.engine.services import running
from integration.settings import Settings
from mappings.errors import EngineUnavailable
from tests.bench.machine import described, machine
from tests.bench.search import plots, scale, summary
from tests.bench.search.collection import BITS
from tests.bench.search.measuring import clients
from tests.bench.search.run import Effort, Engines, measure, needs_plugin
from tests.knn_node import knn_node

OUT = Path("docs/bench-search.json")
DECADES = (10_000, 100_000, 1_000_000)
QUICK = 2_000
HEAP = "2g"
console = Console(width=None if sys.stdout.isatty() else 160)  # the tables are wide: a file has room for them
progress = Console(stderr=True)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=DECADES[-1], help="records; 10,000 and 100,000 are measured too")
    parser.add_argument(
        "--sizes", type=lambda said: [int(one) for one in said.split(",")], help="just these, by commas"
    )
    parser.add_argument("--only", action="append", default=[], help="engine, outside, plugin, or part of a way's name")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} records: does it run? The figures mean nothing")
    parser.add_argument("--rounds", type=int, default=Effort.rounds, help="queries asked of each way")
    parser.add_argument("--seconds", type=float, default=Effort.seconds, help="of each throughput")
    parser.add_argument("--data", type=Path, default=Settings().data / "bench-search", help="folder of what is built")
    parser.add_argument("--out", type=Path, help=f"JSON of all figures; default {OUT}, or none with --quick or --only")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write everything down."""
    asked = arguments()
    sizes = asked.sizes or [*(size for size in DECADES if size < asked.size), asked.size]
    effort = Effort(asked.rounds, asked.seconds)
    if asked.quick:
        sizes, effort = [QUICK], Effort(rounds=20, seconds=0.3, warm=3)
    out = asked.out or (None if asked.quick or asked.only else OUT)
    began, host, found = time.monotonic(), machine(), dict[str, Any]()
    with ExitStack() as stack:
        services = stack.enter_context(running(Settings(data=asked.data), engine="embedded", heap=HEAP))
        many = stack.enter_context(clients(max(effort.clients)))
        engines = Engines(services.url, with_plugin(stack, asked.data / "knn") if needs_plugin(asked.only) else None)
        host["opensearch"] = services.version
        for size in sizes:
            load = machine()["load"]
            rows = measure(asked.data / "collection", engines, size, effort, many, asked.only)
            console.print(summary.table(size, rows))
            found[str(size)] = {"rounds": effort.rounds, "load": load, "ways": summary.as_json(rows)}
            if out:
                write(out, {"machine": host, "bits": BITS, "heap": HEAP, "sizes": found})
    console.print(described(host), highlight=False)
    progress.print(f"took {time.monotonic() - began:.0f} s")


def with_plugin(stack: ExitStack, folder: Path) -> str | None:
    """The URL of a node with the plugin, or None and why, so that everything else is measured all the same."""
    try:
        return stack.enter_context(knn_node(folder, heap=HEAP))
    except EngineUnavailable as error:
        progress.print(f"[yellow]without the k-NN plugin's ways: {error}")
        return None


def write(out: Path, figures: dict[str, Any]) -> None:
    """Figures and plots; after each size, so that a run that is ended keeps what it has. The page only beside OUT."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    plots.write(figures, out.with_suffix(""))
    if out == OUT and len(figures["sizes"]) > 1:
        scale.write(figures)
    progress.print(f"wrote {out}")


if __name__ == "__main__":
    main()
