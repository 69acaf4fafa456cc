"""The whole worker path against the bare encoder: `python -m tests.bench.encode [--records N] [--rounds N] [--json]`.

The path: an engine, a broker and a worker process of its own. Every round loads the demo's catalogue into a new index,
attaches to it and runs `reindex`: nothing is in the code store yet, every picture is a file, every document is written.
The bare encoder: a process that holds the same texts and pictures in memory and encodes them in the worker's chunks.
Both did a batch before; while one runs, the other waits. The clock starts with the first job, as `reindex` spends a
second before that on asking who works, however many records there are; `start_s` tells what that took.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from encoders import catalogue as bundles
from encoders.api import Item
from integration import attach as attaching
from integration import jobs, records, reindex
from integration.code_source import CHUNK
from integration.counts import Counts
from integration.demo import catalogue
from integration.engine import lifeline
from integration.engine.client import Cluster
from integration.engine.services import Services, running
from integration.parcels import Mode
from integration.pictures import fetch
from integration.settings import Settings
from mappings import profile as profiles
from mappings.errors import WorkerUnavailable

GOAL = 0.9
RECORDS = 554  # the demo's whole catalogue
ROUNDS = 3
WORKER_SECONDS = 120.0
console = Console(stderr=True)
_encoder = msgspec.json.Encoder(decimal_format="number")

Documents = Sequence[dict[str, Any]]


@dataclass
class Clock:
    """Takes the time at which a reindex has scanned the index and sends its first job."""

    first_job: float = 0.0

    def scanned(self, documents: int) -> None:
        """Nothing to do."""

    def started(self, total: int, settled: int = 0) -> None:
        """The scan is over."""
        self.first_job = time.perf_counter()

    def advanced(self, counts: Counts) -> None:
        """Nothing to do."""

    def waiting(self, message: str) -> None:
        """Something that should answer does not."""
        console.print(message)


def chosen(folder: Path, records: int) -> Documents:
    """So many of the demo's documents, evenly spread over pictures and books; their pictures are drawn."""
    every = list(catalogue.documents(folder))
    count = min(records, len(every))
    return [every[number * len(every) // count] for number in range(count)]


def items(documents: Documents, settings: Settings) -> list[Item]:
    """What the worker would make of these documents, the pictures' bytes included."""
    profile = profiles.load(catalogue.PROFILE)
    contents = [records.read(document, profile) for document in documents]
    return [Item(c.text, tuple(fetch(reference, settings).data for reference in c.pictures)) for c in contents]


@contextmanager
def bare_encoder(settings: Settings) -> Iterator[Callable[[Sequence[Item]], float]]:
    """A process with the encoder alone; what it gives encodes items and returns the seconds that took."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_serve, args=(there, settings), daemon=True)
    child.start()
    there.close()

    def encode(wanted: Sequence[Item]) -> float:
        here.send(wanted)
        return float(here.recv())

    try:
        yield encode
    finally:
        here.close()
        child.join(timeout=10)
        child.kill()


def _serve(orders: Connection, settings: Settings) -> None:
    """Encode what comes until nobody sends any more."""
    from encoders.loading import load

    encoder = load(settings.encoder, device=settings.device, data=settings.data, max_pixels=settings.picture_max_pixels)
    while True:
        try:
            wanted = orders.recv()
        except EOFError:
            return
        began = time.perf_counter()
        for start in range(0, len(wanted), CHUNK):
            encoder.encode(wanted[start : start + CHUNK])
        orders.send(time.perf_counter() - began)


@contextmanager
def worker(settings: Settings, services: Services) -> Iterator[None]:
    """A worker process of one pool process, for the length of a `with` block."""
    log = settings.data / "worker.log"
    names = {
        "CROSSHATCH_OPENSEARCH_URL": services.url,
        "CROSSHATCH_REDIS_URL": services.broker_url,
        "CROSSHATCH_DATA": str(settings.data),
        "CROSSHATCH_DEVICE": settings.device,
        "CROSSHATCH_PICTURE_ROOTS": os.pathsep.join(map(str, settings.picture_roots)),
    }
    process = lifeline.child([sys.executable, "-m", "workers"], log=log, env={**os.environ, **names})
    app = jobs.queue_app(services.broker_url)
    deadline = time.monotonic() + WORKER_SECONDS
    try:
        while not jobs.live_workers(app, timeout=0.5, enough=1):
            if process.poll() is not None or time.monotonic() > deadline:
                raise WorkerUnavailable(f"the worker does not answer: {log.read_text('utf-8', errors='replace')}")
        yield
    finally:
        process.terminate()
        process.wait()


def path_seconds(
    cluster: Cluster, services: Services, settings: Settings, name: str, documents: Documents
) -> tuple[float, float]:
    """Load, attach and reindex a new index `name`; seconds from the first job to the end, and those before it."""
    cluster.request("PUT", f"/{name}", body=catalogue.INDEX)
    lines = [
        line
        for document in documents
        for line in (_encoder.encode({"index": {"_id": document["control_number"]}}), _encoder.encode(document))
    ]
    cluster.bulk(f"/{name}", b"\n".join(lines) + b"\n")
    card = bundles.find(settings.encoder, data=settings.data)
    known = attaching.attach(cluster, attaching.plan(cluster, name, catalogue.PROFILE, card))
    clock, began = Clock(), time.perf_counter()
    counts = reindex.run(cluster, known, services.broker_url, settings, Mode(), clock)
    ended = time.perf_counter()
    if counts.encoded != len(documents) or counts.partial:
        raise SystemExit(f"{len(documents)} records were to be encoded; this came: {counts.message()}")
    cluster.request("DELETE", f"/{name}")
    return ended - clock.first_job, clock.first_job - began


def measure(asked: int, rounds: int, device: str = "cpu") -> dict[str, Any]:
    """Records a second of both, and the median of each round's ratio, on an engine started for it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings(data=folder, device=device, picture_roots=(folder / "pictures",))
        documents = chosen(folder / "pictures", asked)
        wanted = items(documents, settings)
        services = stack.enter_context(running(settings, engine="embedded"))
        cluster = Cluster(services.url)
        stack.callback(cluster.close)
        stack.enter_context(worker(settings, services))
        bare = stack.enter_context(bare_encoder(settings))
        bare(wanted[: settings.batch])
        path_seconds(cluster, services, settings, "warm", documents[: settings.batch])
        paths, bares, starts = [], [], []
        for number in track(range(rounds), description="encoding", console=console):
            if number % 2:  # turn and turn about, as a machine slows down when it gets warm
                bares.append(bare(wanted))
            path, start = path_seconds(cluster, services, settings, f"bench-{number}", documents)
            paths.append(path)
            starts.append(start)
            if not number % 2:
                bares.append(bare(wanted))
    return {
        "records": len(documents),
        "rounds": rounds,
        "device": device,
        "encoder": settings.encoder,
        "batch": settings.batch,
        "path_per_s": round(len(documents) / median(paths), 2),
        "bare_per_s": round(len(documents) / median(bares), 2),
        "ratio": round(median(b / p for b, p in zip(bares, paths, strict=True)), 3),
        "ratios": [round(b / p, 3) for b, p in zip(bares, paths, strict=True)],
        "start_s": round(median(starts), 2),
        "goal": GOAL,
    }


def table(found: dict[str, Any]) -> Table:
    """What `measure` found, for people."""
    title = f"{found['records']} records with a picture each, {found['encoder']} on {found['device']}"
    shown = Table("encoding", "records/s", "x bare", title=title)
    shown.add_row("bare encoder", f"{found['bare_per_s']:.1f}", "1.00")
    shown.add_row("whole worker path", f"{found['path_per_s']:.1f}", f"{found['ratio']:.2f} (goal {found['goal']})")
    return shown


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"at most {RECORDS}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N, for both")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    asked = parser.parse_args()
    found = measure(asked.records, asked.rounds, asked.device)
    if asked.json:
        json.dump(found, sys.stdout)
    else:
        Console().print(table(found))


if __name__ == "__main__":
    main()
