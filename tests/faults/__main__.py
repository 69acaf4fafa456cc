"""Every fault, one after the other: `make faults`, or `python -m tests.faults [--quick] [--only NAME] [--out FILE]`.

Each has an engine, a broker and a worker of its own. Exit code 1 where a column that is to be zero is not.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.machine import machine
from tests.faults import clock, engine, kills, records
from tests.faults.scenario import SEED, run

FAULTS = (*kills.FAULTS, *engine.FAULTS, *clock.FAULTS, *records.FAULTS)
GOALS = ("lost", "wrong_codes", "encoded_twice", "foreign_changed", "conflicts")
WIDTH = 150  # where there is no terminal
console = Console(width=None if sys.stdout.isatty() else WIDTH)
progress = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH)


def table(rows: list[dict[str, Any]]) -> Table:
    """One line a fault."""
    heads = ("lost", "wrong codes", "encoded twice", "foreign changed", "conflicts", "notices")
    shown = Table("fault", "records", "events", *heads, "recover s (median / max)", "trouble")
    for row in rows:
        times = f"{row['recover_median_s']} / {row['recover_max_s']}" if row["recover_s"] else "-"
        counts = [str(row[name]) for name in ("records", "events", *GOALS, "notices")]
        shown.add_row(row["fault"], *counts, times, "\n".join(row["troubles"]) or "-")
    return shown


def main() -> None:
    """Make every fault happen, print the table, keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few records and events: does it run?")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", action="append", help="a fault whose name begins so; may be given again")
    parser.add_argument("--out", type=Path, help="JSON file; rows of the same faults in it are replaced, others stay")
    asked = parser.parse_args()
    wanted = [fault for fault in FAULTS if not asked.only or fault.name.startswith(tuple(asked.only))]
    if not wanted:
        parser.error(f"no such fault; there are: {', '.join(fault.name for fault in FAULTS)}")
    rows, began = [], time.monotonic()
    for fault in wanted:
        row = run(fault.small() if asked.quick else fault, seed=asked.seed, say=progress.print)
        rows.append({**row.message(), "seed": asked.seed, "machine": machine()})
        progress.print(table(rows[-1:]), row.facts)
        if asked.out:
            _keep(asked.out, rows[-1])
    console.print(table(rows))
    progress.print(f"took {time.monotonic() - began:.0f} s")
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


def _keep(out: Path, row: dict[str, Any]) -> None:
    """Put a row among those that the file holds, in the order of `FAULTS`."""
    kept = {one["fault"]: one for one in json.loads(out.read_text("utf-8"))} if out.exists() else {}
    kept[row["fault"]] = row
    order = [fault.name for fault in FAULTS]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(sorted(kept.values(), key=lambda one: order.index(one["fault"])), indent=1) + "\n")


if __name__ == "__main__":
    main()
