"""What `crosshatch update --follow` costs and how soon it finds a change: `python -m tests.bench.follow [--json]`.

100,000 records that hold their codes lie in one index, one shard. At rest: processor time of the engine over a minute
without a follower, with one, and without once more; what both use beyond the engine alone counts.
At work: 100 whole-document writes a second for a minute, each to another record and with its words unchanged, so the
codes come back out of the store and no model runs. A record is found when the follower has put it into a job, and back
when a read finds its codes again (looked at every quarter of a second).
"""

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from encoders import catalogue as bundles
from integration import attach as attaching
from integration import jobs, records, splice, state
from integration.demo import catalogue
from integration.engine import lifeline
from integration.engine.client import Cluster
from integration.engine.services import Services, running
from integration.follow import Follower
from integration.parcels import Stale
from integration.settings import Settings
from integration.store import CodeStore, Kept
from integration.worker_process import worker
from mappings.code import HashCode
from mappings.fields import OBJECT, StoredCodes
from tests.bench.processes import cpu_seconds, family, follower, parts_of
from tests.bench.write import bibliography

INDEX = "followed"
ENCODER = "default-64"
PROFILE = "{name: followed, versioning: internal, text: [title, creators.name, subjects, summary]}"
DOCUMENTS, RATE, SECONDS, QUIET = 100_000, 100, 60, 60
BASE = 2000  # different texts; the rest are these with a number behind the title
GOALS = {"found_max_s": 5.0, "rest_share_of_core": 0.05}
PATIENCE = 900.0  # seconds for the first scan, and for the last codes
LOOK = 0.25
console = Console(stderr=True)


@dataclass(slots=True)
class Written:
    """What the library system wrote: when each record was confirmed, and when it was found and had its codes again."""

    at: dict[str, float] = field(default_factory=dict)
    found: dict[str, float] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)


class _Noted(Follower):
    """A follower that tells when it found which record."""

    notes: "Queue[tuple[float, list[str]]]"
    ready = False

    def step(self) -> float:
        pause = super().step()
        if not self.ready:
            self.ready = True
            self.notes.put((time.time(), []))
        return pause

    def _keys(self, hits: Sequence[Any], seen: state.Attached) -> list[Stale]:
        keys = super()._keys(hits, seen)
        if keys:
            self.notes.put((time.time(), [one.key.id for one in keys]))
        return keys


def _follow(settings: Settings, services: Services, notes: "Queue[tuple[float, list[str]]]", stop: Any) -> None:
    """A process of its own, as the command runs."""
    over = threading.Event()
    lifeline.follow(multiprocessing.parent_process().pid or 0, over.set)  # type: ignore[union-attr]
    threading.Thread(target=lambda: (stop.wait(), over.set()), daemon=True).start()
    noted = _Noted(Cluster(services.url), INDEX, services.broker_url, settings, lambda _: None)
    noted.notes = notes
    noted.run(over)


def documents(count: int) -> Iterator[tuple[str, bytes]]:
    """Ids and records of about 1 KB."""
    base = [msgspec.json.decode(one) for one in bibliography(min(count, BASE))]
    for number in range(count):
        one = base[number % len(base)]
        yield f"r{number}", msgspec.json.encode({**one, "title": f"{one['title']} {number}"})


def fill(cluster: Cluster, folder: Path, count: int, kept: int) -> tuple[state.Attached, dict[str, bytes]]:
    """Attach, write every record with a code of its content, and keep those of the first `kept` in the code store."""
    cluster.request("PUT", f"/{INDEX}", body=catalogue.INDEX)
    profile = folder / "followed.yaml"
    profile.write_text(PROFILE)
    card = bundles.find(ENCODER, data=folder)
    known = attaching.attach(cluster, attaching.plan(cluster, INDEX, str(profile), card))
    store = CodeStore(cluster, known.store, known.secret, space=known.space, bits=card.bits)
    rng, changing = random.Random(1), {}
    lines: list[bytes] = []
    entries: dict[str, Kept] = {}
    for number, (record, source) in enumerate(documents(count), 1):
        digest = records.read(msgspec.json.decode(source), known.profile).digest(known.profile, card.digest)
        codes = StoredCodes(HashCode(card.bits, rng.randbytes(card.bits // 8)))
        put = splice.put(source, known.space, {**codes.members(), "source": digest})
        lines += [msgspec.json.encode({"index": {"_id": record}}), put]
        if number <= kept:
            changing[record], entries[digest] = source, Kept(codes, {}, {})
        if number % 1000 == 0 or number == count:
            cluster.bulk(f"/{INDEX}", b"\n".join(lines) + b"\n")
            store.put(entries)
            lines, entries = [], {}
    cluster.request("POST", f"/{INDEX}/_refresh")
    return known, changing


def at_rest(services: Services, settings: Settings, seconds: float) -> dict[str, float]:
    """Shares of a core: the engine alone, the engine while followed, the follower."""
    engine = parts_of(services)["engine"]

    def used(processes: list[int]) -> float:
        before = cpu_seconds(processes)
        time.sleep(seconds)
        return (cpu_seconds(processes) - before) / seconds

    time.sleep(seconds / 3)  # merges of what was just written end
    alone = [used(engine)]
    with follower(settings, services, INDEX) as process:
        began = time.monotonic()
        log = settings.data / "follow.log"
        while "scan is over" not in log.read_text("utf-8"):
            if time.monotonic() - began > PATIENCE or process.poll() is not None:
                raise SystemExit(f"the first scan does not end: {log.read_text('utf-8')}")
            time.sleep(0.1)
        scan = time.monotonic() - began
        time.sleep(seconds / 6)
        ours = family(process.pid)
        before = cpu_seconds(ours)
        followed = used(engine)
        follow = (cpu_seconds(ours) - before) / seconds
    alone.append(used(engine))
    return {
        "scan_s": round(scan, 1),
        "engine_alone": round(sum(alone) / 2, 4),
        "engine_alone_twice": [round(one, 4) for one in alone],  # type: ignore[dict-item]
        "engine_followed": round(followed, 4),
        "follow": round(follow, 4),
        "rest_share_of_core": round(follow + followed - sum(alone) / 2, 4),
    }


def at_work(
    cluster: Cluster, services: Services, settings: Settings, known: state.Attached, changing: Mapping[str, bytes]
) -> Written:
    """Write, and watch what becomes of it; the worker and the follower run before the first write."""
    context = multiprocessing.get_context("spawn")
    notes: Queue[tuple[float, list[str]]] = context.Queue()
    stop = context.Event()
    child = context.Process(target=_follow, args=(settings, services, notes, stop), daemon=True)
    written = Written()
    with worker(settings, services, log=settings.data / "worker.log"):
        child.start()
        notes.get(timeout=PATIENCE)  # it has taken its first step
        writer = threading.Thread(target=_write, args=(Cluster(services.url), changing, written), daemon=True)
        writer.start()
        deadline = time.monotonic() + PATIENCE
        while (writer.is_alive() or len(written.back) < len(written.at)) and time.monotonic() < deadline:
            time.sleep(LOOK)
            _look(cluster, known, written)
            while not notes.empty():
                seen, ids = notes.get()
                written.found.update((one, seen) for one in ids if one not in written.found)
        stop.set()
        child.join(30)
        child.kill()
    return written


def _write(cluster: Cluster, changing: Mapping[str, bytes], written: Written) -> None:
    """Ten records every tenth of a second (at the rate of 100), as a library system does after each small change."""
    ids = list(changing)
    began, size = time.time(), max(1, RATE // 10)
    for number, start in enumerate(range(0, len(ids), size)):
        time.sleep(max(0.0, began + number * size / RATE - time.time()))
        some = ids[start : start + size]
        lines = [line for one in some for line in (msgspec.json.encode({"index": {"_id": one}}), changing[one])]
        cluster.bulk(f"/{INDEX}", b"\n".join(lines) + b"\n")
        written.at.update(dict.fromkeys(some, time.time()))
    cluster.close()


def _look(cluster: Cluster, known: state.Attached, written: Written) -> None:
    """Which of the records that wait for their codes have them."""
    waiting = [one for one in list(written.at) if one not in written.back][:2000]
    if not waiting:
        return
    params = {"_source_includes": f"{OBJECT}.{known.space}.source"}
    found = cluster.request("POST", f"/{INDEX}/_mget", params=params, body={"ids": waiting})["docs"]
    now = time.time()
    written.back.update((one["_id"], now) for one in found if one["_source"])


def measure(count: int, seconds: int, quiet: float) -> dict[str, Any]:
    """Both, on an engine started for it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings(data=folder, device="cpu", encoder=ENCODER)
        services = stack.enter_context(running(settings, engine="embedded"))
        cluster = Cluster(services.url)
        stack.callback(cluster.close)
        jobs.check_broker(services.broker_url)
        known, changing = fill(cluster, folder, count, RATE * seconds)
        rest = at_rest(services, settings, quiet)
        written = at_work(cluster, services, settings, known, changing)
    return {
        "documents": count,
        "writes_per_s": RATE,
        "seconds": seconds,
        "interval_s": settings.follow_interval,
        "written": len(written.at),
        "written_per_s": round(len(written.at) / (max(written.at.values()) - min(written.at.values())), 1),
        "found": _times(written.at, written.found),
        "back": _times(written.at, written.back),
        "rest": rest,
        "goals": GOALS,
    }


def _times(start: Mapping[str, float], end: Mapping[str, float]) -> dict[str, Any]:
    """Seconds from `start` to `end`: a record that never ended counts as missing."""
    took = np.array([max(0.0, end[one] - at) for one, at in start.items() if one in end])
    if not len(took):
        return {"missing": len(start)}
    p50, p95 = np.percentile(took, (50, 95))
    return {
        "p50_s": round(float(p50), 2),
        "p95_s": round(float(p95), 2),
        "max_s": round(float(took.max()), 2),
        "missing": len(start) - len(took),
    }


def table(found: Mapping[str, Any]) -> Table:
    """What `measure` found, for people."""
    title = f"{found['documents']} records, {found['written_per_s']:.0f} writes/s for {found['seconds']} s"
    shown = Table("after a write", "p50 s", "p95 s", "max s", "missing", title=title)
    for name, said in (("found by follow", "found"), ("codes are back", "back")):
        row = found[said]
        shown.add_row(
            name, *(f"{row.get(key, float('nan')):.1f}" for key in ("p50_s", "p95_s", "max_s")), str(row["missing"])
        )
    rest = found["rest"]
    shown.caption = (
        f"goal: found within {GOALS['found_max_s']:g} s. At rest, shares of a core: follow {rest['follow']:.1%}, "
        f"engine {rest['engine_followed']:.1%} followed and {rest['engine_alone']:.1%} alone; in all "
        f"{rest['rest_share_of_core']:+.1%} (goal {GOALS['rest_share_of_core']:.0%})"
    )
    return shown


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of writing")
    parser.add_argument("--quiet", type=float, default=QUIET, help="seconds of each measurement at rest")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    asked = parser.parse_args()
    found = measure(asked.documents, asked.seconds, asked.quiet)
    if asked.json:
        json.dump(found, sys.stdout)
    else:
        Console().print(table(found))


if __name__ == "__main__":
    main()
