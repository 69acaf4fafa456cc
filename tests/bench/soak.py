"""Does memory stay flat? `python -m tests.bench.soak [--minutes M] [--rate R] [--json] [--picture FILE]`.

An engine, a broker, a worker with the real encoder `default-64` and `crosshatch update --follow`, while a library
system writes text-only records: half of its writes leave the words as they are (circulation; the codes come out of the
store), three in ten change them (the encoder runs), the rest deletes records and brings deleted ones back. Every ten
seconds the resident memory of each is read. What counts is the second half: caches and pools fill in the first.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from encoders import catalogue as bundles
from integration import attach as attaching
from integration import problems, scan, state
from integration.demo import catalogue
from integration.engine.client import Cluster
from integration.engine.services import running
from integration.settings import Settings
from integration.worker_process import worker
from tests.bench.processes import family, follower, parts_of, rss_mib
from tests.bench.write import bibliography

ENCODER = "default-64"
PROFILE = "{name: soak, versioning: internal, text: [title, creators.name, subjects, summary]}"
RECORDS = 300
MINUTES, RATE, EVERY = 20.0, 2.0, 10.0
FLAT = 0.02  # of the mean: what memory may rise by over the second half, by a straight line through it
PATIENCE = 600.0  # seconds for what is left to encode at the end
BARS = "▁▂▃▄▅▆▇█"
INDEX = "soak"
console = Console(stderr=True)

Curves = Mapping[str, Sequence[float]]


class Library(threading.Thread):
    """The library system: `rate` writes a second, in one bulk request a second."""

    def __init__(self, url: str, documents: Sequence[bytes], rate: float) -> None:
        super().__init__(name="library", daemon=True)
        self._cluster, self._rate, self._rng = Cluster(url), rate, random.Random(1)
        self._held: list[dict[str, Any]] = [msgspec.json.decode(document) for document in documents]
        self._gone: set[int] = set()
        self.stop = threading.Event()
        self.writes: Counter[str] = Counter()

    def run(self) -> None:
        """Write until told to stop."""
        due = 0.0
        while not self.stop.wait(1.0):
            due += self._rate
            lines = [line for _ in range(int(due)) for line in self._write()]
            due -= int(due)
            answer = self._cluster.bulk(f"/{INDEX}", b"\n".join(lines) + b"\n")
            if answer["errors"]:
                self.writes["refused"] += 1
        self._cluster.close()

    def _write(self) -> list[bytes]:
        number = self._rng.randrange(len(self._held))
        document = self._held[number]
        what = self._rng.choices(("same words", "new words", "deleted"), (5, 3, 2))[0]
        if number in self._gone:
            self._gone.discard(number)
            what = "brought back"
        elif what == "deleted":
            self._gone.add(number)
        elif what == "new words":
            words = document["summary"].split()
            self._rng.shuffle(words)
            document["summary"] = " ".join(words)
        self.writes[what] += 1
        document["changed"] = f"2024-{self._rng.randrange(1, 13):02d}-01"
        meta = {"_id": document["control_number"]}
        if what == "deleted":
            return [msgspec.json.encode({"delete": meta})]
        return [msgspec.json.encode({"index": meta}), msgspec.json.encode(document)]


def measure(minutes: float, rate: float, *, every: float = EVERY) -> dict[str, Any]:
    """Memory over time, and what the library system and the encoder did meanwhile."""
    documents = bibliography(RECORDS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings(data=folder, device="cpu", encoder=ENCODER)
        services = stack.enter_context(running(settings, engine="embedded"))
        cluster = Cluster(services.url)
        stack.callback(cluster.close)
        known = _attached(cluster, documents, folder)
        work = stack.enter_context(worker(settings, services, log=folder / "worker.log"))
        follow = stack.enter_context(follower(settings, services, INDEX))
        library = Library(services.url, documents, rate)
        library.start()
        parts = {"worker": [work.pid], "follow": [follow.pid], **parts_of(services)}
        curves: dict[str, list[float]] = {name: [] for name in parts}
        began = time.monotonic()
        for sample in range(int(minutes * 60 / every) + 1):
            time.sleep(max(0.0, began + sample * every - time.monotonic()))
            for name, processes in parts.items():
                alive = [one for process in processes for one in family(process)]
                curves[name].append(round(rss_mib(sorted(set(alive))), 1))
        library.stop.set()
        library.join()
        left = _settled(cluster, known)
    return {
        "minutes": minutes,
        "every_s": every,
        "records": RECORDS,
        "writes_per_s": rate,
        "writes": dict(library.writes),
        "left_stale": left,
        "encoder": ENCODER,
        "flat_below": FLAT,
        "rss_mib": curves,
        **judged(curves, every),
    }


def judged(curves: Curves, every: float) -> dict[str, Any]:
    """By process: what the second half says of growth."""
    slopes, rises = {}, {}
    for name, curve in curves.items():
        half = np.array(curve[len(curve) // 2 :])
        slope = float(np.polyfit(np.arange(len(half)) * every, half, 1)[0]) if len(half) > 1 else 0.0
        slopes[name] = round(slope * 3600, 1)
        rises[name] = round(slope * every * (len(half) - 1) / float(half.mean()), 4)
    return {"mib_per_hour": slopes, "rise": rises, "flat": {name: rise < FLAT for name, rise in rises.items()}}


def _attached(cluster: Cluster, documents: Sequence[bytes], folder: Path) -> state.Attached:
    cluster.request("PUT", f"/{INDEX}", body=catalogue.INDEX)
    lines = []
    for number, document in enumerate(documents):
        lines += [msgspec.json.encode({"index": {"_id": f"r{number}"}}), document]
    cluster.bulk(f"/{INDEX}", b"\n".join(lines) + b"\n", params={"refresh": "true"})
    profile = folder / "soak.yaml"
    profile.write_text(PROFILE)
    card = bundles.find(ENCODER, data=folder)
    return attaching.attach(cluster, attaching.plan(cluster, INDEX, str(profile), card))


def _settled(cluster: Cluster, known: state.Attached) -> int:
    """Records that are still stale when the library system has been silent for a while; 0 unless something is wrong."""
    deadline = time.monotonic() + PATIENCE
    while True:
        left = sum(one.verdict == "stale" for one in scan.judged(cluster, known))
        if not left or time.monotonic() > deadline:
            return left + sum(1 for _ in problems.every(cluster, known))
        time.sleep(2.0)


def sparkline(curve: Sequence[float], width: int = 60) -> str:
    """The curve in one line of text, between its own least and greatest value."""
    step = max(1, -(-len(curve) // width))
    means = [sum(curve[at : at + step]) / len(curve[at : at + step]) for at in range(0, len(curve), step)]
    low, high = min(means), max(means)
    return "".join(BARS[round((mean - low) / ((high - low) or 1) * (len(BARS) - 1))] for mean in means)


def table(found: Mapping[str, Any]) -> Table:
    """What `measure` found, for people."""
    title = f"{found['minutes']:g} minutes, {found['writes_per_s']:g} writes/s, resident memory in MiB"
    shown = Table("process", "curve", "least", "most", "MiB/h, second half", "flat", title=title)
    for name, curve in found["rss_mib"].items():
        flat = "yes" if found["flat"][name] else f"no: {found['rise'][name]:+.1%}"
        slope = f"{found['mib_per_hour'][name]:+.1f}"
        shown.add_row(name, sparkline(curve), f"{min(curve):.0f}", f"{max(curve):.0f}", slope, flat)
    return shown


def picture(found: Mapping[str, Any]) -> str:
    """The curves as SVG, one panel a process, each from 0 to a little above its most."""
    wide, high, left = 640, 110, 70
    panels = [_panel(name, found, wide, high, left, row * (high + 20)) for row, name in enumerate(found["rss_mib"])]
    height = len(panels) * (high + 20) + 30
    about = (
        f"{found['minutes']:g} minutes, {found['writes_per_s']:g} writes a second, {found['encoder']}; resident memory"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + left + 20} {height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{"".join(panels)}'
        f'<text x="{left}" y="{height - 10}" fill="#555">{about}</text>\n</svg>\n'
    )


def _panel(name: str, found: Mapping[str, Any], wide: int, high: int, left: int, top: int) -> str:
    curve = found["rss_mib"][name]
    most = max(curve) * 1.1
    across = [left + wide * at / max(1, len(curve) - 1) for at in range(len(curve))]
    points = " ".join(
        f"{x:.1f},{top + 20 + high * (1 - value / most):.1f}" for x, value in zip(across, curve, strict=True)
    )
    foot, half = top + 20 + high, left + wide / 2
    says = f"{name}: {curve[-1]:.0f} MiB at the end, {found['mib_per_hour'][name]:+.1f} MiB an hour in the second half"
    return (
        f'<line x1="{left}" y1="{foot}" x2="{left + wide}" y2="{foot}" stroke="#999"/>\n'
        f'<line x1="{half}" y1="{top + 20}" x2="{half}" y2="{foot}" stroke="#ccc" stroke-dasharray="4"/>\n'
        f'<text x="{left - 6}" y="{foot}" text-anchor="end" fill="#555">0</text>\n'
        f'<text x="{left - 6}" y="{top + 30}" text-anchor="end" fill="#555">{most:.0f} MiB</text>\n'
        f'<text x="{left}" y="{top + 14}">{says}</text>\n'
        f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="1.5"/>\n'
    )


def main() -> None:
    """Start everything, look on, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--rate", type=float, default=RATE, help=f"writes a second; default {RATE:g}")
    parser.add_argument("--picture", type=Path, help="SVG file to draw the curves into")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    asked = parser.parse_args()
    found = measure(asked.minutes, asked.rate)
    if asked.picture:
        asked.picture.write_text(picture(found), "utf-8")
    if asked.json:
        json.dump(found, sys.stdout)
    else:
        Console().print(table(found))


if __name__ == "__main__":
    main()
