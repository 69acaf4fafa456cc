"""The proof that the gateway is transparent: `make transparency`, or `python -m tests.transparency [--sample SHARE]`.

OpenSearch's REST tests and the life of unmodified clients run directly and through the gateway, each on a fresh node.
Exit code 1 where anything ends differently.
"""

import argparse
import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.machine import machine
from tests.transparency import clients
from tests.transparency.comparison import play, summary
from tests.transparency.engines import gateway, node
from tests.transparency.suite import COORDINATE, apis, jar, sampled, tests

OUT = Path("docs/transparency.json")
console = Console(width=None if sys.stdout.isatty() else 150)
progress = Console(stderr=True)


def rest_tests(share: float, only: list[str], *, control: bool = False) -> dict[str, Any]:
    """The suite, or a share of it, in both ways; as a control, twice directly."""
    path = jar()
    wanted = [test for test in tests(path) if not only or test.name.startswith(tuple(only))]
    wanted = sampled(wanted, share) if share < 1 else wanted
    described = apis(path)
    seconds, way = {}, "again" if control else "gateway"
    with node() as place:
        began = time.monotonic()
        direct = play(wanted, described, node=place.node, url=place.url, version=place.version)
        seconds["direct"] = round(time.monotonic() - began, 1)
    progress.print(f"direct: {len(direct)} tests in {seconds['direct']} s")
    with node() as place, nullcontext(place) if control else gateway(place) as before:
        began = time.monotonic()
        through = play(wanted, described, node=place.node, url=before.url, version=place.version)
        seconds[way] = round(time.monotonic() - began, 1)
    progress.print(f"{way}: {len(through)} tests in {seconds[way]} s")
    return {"suite": COORDINATE, "opensearch": place.version, "seconds": seconds, **summary(direct, through, way)}


def table(found: dict[str, Any]) -> Table:
    """Both runs, for people."""
    shown = Table("run", "pass", "fail", "skip", "s", title=f"{found['tests']} tests, {found['requests']} requests")
    for way in found["seconds"]:
        shown.add_row(way, *(str(found[way][end]) for end in ("pass", "fail", "skip")), str(found["seconds"][way]))
    return shown


def main() -> None:
    """Run, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sample", type=float, default=1.0, help="share of the REST tests, 0 to 1")
    parser.add_argument("--only", action="append", default=[], help="REST tests whose name begins so; may come again")
    parser.add_argument("--part", action="append", choices=("rest", "clients"), help="default: both")
    parser.add_argument("--client", action="append", default=[], help="a client by its name; default: all")
    parser.add_argument("--control", action="store_true", help="no gateway: what differs between two nodes by itself?")
    parser.add_argument("--out", type=Path, help=f"default {OUT}, or none for a part of the tests")
    asked = parser.parse_args()
    parts = asked.part or ["rest", "clients"]
    whole = asked.sample >= 1 and not asked.only and not asked.client
    out = asked.out or (OUT if whole else None)
    kept: dict[str, Any] = json.loads(out.read_text("utf-8")) if out and out.is_file() else {}
    kept["machine"] = machine()
    good = True
    if "rest" in parts:
        kept["control" if asked.control else "rest"] = found = rest_tests(
            asked.sample, asked.only, control=asked.control
        )
        console.print(table(found))
        for one in found["different"]:
            console.print(one)
        good = not found["different"]
    if "clients" in parts:
        kept["clients"] = rows = clients.compare(asked.client, say=progress.print)
        console.print(clients.table(rows))
        good = good and all(row["same"] is not False for row in rows)
    if out:
        out.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
        progress.print(f"wrote {out}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
