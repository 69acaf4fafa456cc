"""Healing from the code store: `python -m tests.bench.heal [--documents N] [--rounds N] [--json]`.

Every round a library system has written all documents anew, so their codes are gone; the store holds them. Then, turn
and turn about on the same documents of about 1 KB:

- bare: bulk indexing of the documents with their codes, ready before the clock starts, in batches as large as the jobs.
- healed: what `crosshatch update` and one worker process do, at the same time: the one scans the index and sends what
  is stale, the other reads, looks up, splices, writes. Only Celery is left out.
- encoded: the bare encoder over the texts of the first of these records, in a worker's chunks.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from encoders import catalogue as bundles
from encoders.api import Encoder, Item
from encoders.loading import load
from integration import attach as attaching
from integration import parcels, records, scan, splice, state
from integration.code_source import CHUNK
from integration.demo import catalogue
from integration.dispatch import AHEAD
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.engine.services import running
from integration.jobs import Job
from integration.manners import Manners
from integration.settings import Settings
from integration.store import CodeStore, Kept
from mappings.code import HashCode
from mappings.fields import StoredCodes
from tests.bench.write import VERSIONINGS, bibliography
from tests.live.fakes import NoWatch

ENCODER = "default-64"
PROFILE = "{{name: healed, versioning: {}, text: [title, creators.name, subjects, summary]}}"
DOCUMENTS, ROUNDS = 20_000, 3
ENCODED = 64  # of the documents, for the encoder's rate
GOALS = {"bare": 0.35, "encoding": 20.0}
BATCH = parcels.RESTORED
console = Console(stderr=True)


class Library:
    """One index of a library system that writes all of it anew, and what the code store knows of it."""

    def __init__(self, cluster: Cluster, versioning: Literal["internal", "external"], folder: Path, count: int) -> None:
        self._cluster, self.index, self._external = cluster, f"healed-{versioning}", versioning == "external"
        self._settings = Settings(data=folder, encoder=ENCODER, device="cpu")
        profile = folder / f"{versioning}.yaml"
        profile.write_text(PROFILE.format(versioning))
        for index in (self.index, f"bare-{versioning}"):
            cluster.request("PUT", f"/{index}", body=catalogue.INDEX)
        card = bundles.find(ENCODER, data=folder)
        self._known = attaching.attach(cluster, attaching.plan(cluster, self.index, str(profile), card))
        mapping = cluster.request("GET", f"/{self.index}/_mapping")[self.index]["mappings"]
        cluster.request("PUT", f"/bare-{versioning}/_mapping", body={"properties": mapping["properties"]})
        self._bare = f"bare-{versioning}"
        self._plain = bibliography(count)
        self.texts: list[str] = []
        self._coded = self._keep(self._plain)

    def _keep(self, documents: Sequence[bytes]) -> list[bytes]:
        """Fill the code store; the documents with their codes in them."""
        known, rng, coded = self._known, random.Random(1), []
        entries: dict[str, Kept] = {}
        for source in documents:
            content = records.read(msgspec.json.decode(source), known.profile)
            digest = content.digest(known.profile, known.bundle.digest)
            codes = StoredCodes(HashCode(known.bundle.bits, rng.randbytes(known.bundle.bits // 8)))
            entries[digest] = Kept(codes, {}, {})
            coded.append(splice.put(source, known.space, {**codes.members(), "source": digest}))
            self.texts.append(content.text or "")
        store = CodeStore(self._cluster, known.store, known.secret, space=known.space, bits=known.bundle.bits)
        digests = list(entries)
        for start in range(0, len(digests), 1000):
            store.put({digest: entries[digest] for digest in digests[start : start + 1000]})
        return coded

    def rewrite(self) -> None:
        """The library system writes all documents anew: their codes are gone."""
        self._bulk(self.index, self._plain, 1000)
        self._cluster.request("POST", f"/{self._bare}/_refresh")

    def bare_seconds(self) -> float:
        """Bulk of the same documents, codes in them."""
        began = time.perf_counter()
        self._bulk(self._bare, self._coded, BATCH)
        return time.perf_counter() - began

    def healed_seconds(self, worker: Executor) -> float:
        """The scan in this process, jobs in the worker's; as many are on their way as `crosshatch update` lets be."""
        began = time.perf_counter()
        mode, restored = parcels.Mode(), 0
        sent: deque[Future[int]] = deque()
        found = scan.judged(self._cluster, self._known)
        while page := list(islice(found, scan.PAGE)):
            work = [record for record in page if record.verdict == "stale"]
            stale = parcels.looked_up(self._cluster, self._known, work, mode)
            for job in parcels.batches(stale, self._known, self._settings.batch, mode):
                if len(sent) == AHEAD:
                    restored += sent.popleft().result()
                sent.append(worker.submit(_restored, job, self._known))
        restored += sum(future.result() for future in sent)
        took = time.perf_counter() - began
        if restored != len(self._plain):
            raise SystemExit(f"{len(self._plain)} records were to be restored; it were {restored}")
        return took

    def _bulk(self, index: str, sources: Sequence[bytes], size: int) -> None:
        guard = {"version": 1, "version_type": "external_gte"} if self._external else {}
        for start in range(0, len(sources), size):
            lines = b"".join(
                msgspec.json.encode({"index": {"_id": f"r{start + number}", **guard}}) + b"\n" + source + b"\n"
                for number, source in enumerate(sources[start : start + size])
            )
            if self._cluster.bulk(f"/{index}", lines)["errors"]:
                raise SystemExit(f"bulk indexing of {index} failed")


@dataclass
class _Worker:
    """What a worker process keeps from job to job."""

    cluster: Cluster
    settings: Settings
    manners: Manners


_worker: list[_Worker] = []  # one, in the worker's process


def _begin(url: str, settings: Settings) -> None:
    cluster = Cluster(url)
    _worker.append(_Worker(cluster, settings, Manners(cluster, settings)))


def _restored(job: Job, known: state.Attached) -> int:
    """Do one job; return how many records got their codes back."""
    [worker] = _worker
    batch = BatchEncoding(job, known, worker.cluster, _no_model, worker.settings, worker.manners)
    return batch.run(NoWatch()).restored


def _no_model() -> Encoder:
    raise SystemExit("a model was asked for; the code store should have had everything")


def encoding_seconds(encoder: Encoder, texts: Sequence[str]) -> float:
    """The bare encoder, in a worker's chunks."""
    began = time.perf_counter()
    for start in range(0, len(texts), CHUNK):
        encoder.encode([Item(text) for text in texts[start : start + CHUNK]])
    return time.perf_counter() - began


def measure(count: int, rounds: int) -> dict[str, Any]:
    """Documents a second by versioning, on an engine started for it."""
    rows = []
    with tempfile.TemporaryDirectory() as name, running(Settings(data=Path(name)), engine="embedded") as services:
        cluster = Cluster(services.url)
        encoder = load(ENCODER, device="cpu", data=Path(name), max_pixels=Settings().picture_max_pixels)
        started = (services.url, Settings(data=Path(name), encoder=ENCODER, device="cpu"))
        with ProcessPoolExecutor(1, get_context("spawn"), _begin, started) as worker:
            for versioning in VERSIONINGS:
                library = Library(cluster, versioning, Path(name), count)
                rows.append({"versioning": versioning, **_rounds(library, worker, encoder, count, rounds)})
        cluster.close()
    size = sum(map(len, bibliography(100))) // 100
    return {"documents": count, "document_bytes": size, "rounds": rounds, "batch": BATCH, "goals": GOALS, "rows": rows}


def _rounds(library: Library, worker: Executor, encoder: Encoder, count: int, rounds: int) -> dict[str, Any]:
    """The median over the rounds; one before them warms engine, client and encoder up."""
    texts = library.texts[:ENCODED]
    speeds: dict[str, list[float]] = {"bare": [], "healed": [], "encoded": []}
    for number in track(range(-1, rounds), description=f"healing {library.index}", console=console):
        library.rewrite()
        turns = [("bare", library.bare_seconds), ("healed", partial(library.healed_seconds, worker))]
        found = {name: count / seconds() for name, seconds in (turns if number % 2 else turns[::-1])}
        found["encoded"] = len(texts) / encoding_seconds(encoder, texts)
        if number >= 0:
            for name, speed in found.items():
                speeds[name].append(speed)
    ratios = {
        "bare": [healed / bare for healed, bare in zip(speeds["healed"], speeds["bare"], strict=True)],
        "encoding": [healed / encoded for healed, encoded in zip(speeds["healed"], speeds["encoded"], strict=True)],
    }
    return {
        **{f"{name}_per_s": round(median(own), 1) for name, own in speeds.items()},
        **{f"{name}_ratio": round(median(own), 3) for name, own in ratios.items()},
        **{f"{name}_ratios": [round(ratio, 3) for ratio in own] for name, own in ratios.items()},
    }


def table(found: dict[str, Any]) -> Table:
    """What `measure` found, for people."""
    title = f"{found['documents']} documents of {found['document_bytes']} bytes out of the code store, documents/s"
    bare, encoding = f"x bare (goal {GOALS['bare']})", f"x encoding (goal {GOALS['encoding']:g})"
    shown = Table("versioning", "bare bulk", "healed", bare, "encoder, text", encoding, title=title)
    for row in found["rows"]:
        speeds = [f"{row[f'{name}_per_s']:.0f}" for name in ("bare", "healed", "encoded")]
        shown.add_row(
            row["versioning"], *speeds[:2], f"{row['bare_ratio']:.2f}", speeds[2], f"{row['encoding_ratio']:.0f}"
        )
    return shown


def main() -> None:
    """Start an engine, fill it, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    asked = parser.parse_args()
    found = measure(asked.documents, asked.rounds)
    if asked.json:
        json.dump(found, sys.stdout)
    else:
        Console().print(table(found))


if __name__ == "__main__":
    main()
