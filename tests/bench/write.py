"""Guarded writes against bare bulk indexing of the same documents: `python -m tests.bench.write [--json]`.

Documents of about 1 KB lie in one index for each way; every round gives all of them fresh codes, way by way:

- bare: one bulk request a batch; the documents with their codes are ready before the clock starts.
- guarded: read the documents as they are (`_mget`), splice the codes in, write under guard, check each outcome.
- stored: the same, and the code store keeps the codes first, as a worker does it.

Each index is refreshed before its turn, as the scan of `reindex` does it.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeVar

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from integration import splice
from integration.demo import catalogue
from integration.demo.books import books
from integration.engine.client import Cluster
from integration.engine.services import running
from integration.settings import Settings
from integration.store import CodeStore, Kept
from integration.writer import GuardedIndex, Key, Outcome
from mappings.code import HashCode
from mappings.fields import StoredCodes, space_mapping

BITS = 128
SPACE = "s"
GOALS = {"guarded": 0.5, "stored": 0.35}
VERSIONINGS: tuple[Literal["internal", "external"], ...] = ("internal", "external")
DOCUMENTS = 20_000
ROUNDS = 3
BATCHES = (Settings().batch, 500)
console = Console(stderr=True)
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Fresh:
    """A document with the codes that a round gives it."""

    key: Key
    digest: str
    codes: StoredCodes
    members: Mapping[str, Any]
    bare: bytes  # the document as it shall be, codes in it


def bibliography(count: int) -> list[bytes]:
    """So many records of about 1 KB in the demo's form, of the words of its books."""
    rng = random.Random(1)
    words = sorted({word for book in books() for word in f"{book['title']} {book['summary']}".split()})
    shares = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    rng.shuffle(words)
    names = sorted({author["name"] for book in books() for author in book["authors"]})
    subjects = sorted({subject for book in books() for subject in book["subjects"]})

    def said(length: int) -> str:
        return " ".join(rng.choices(words, cum_weights=shares, k=length))

    return [
        msgspec.json.encode(
            {
                "control_number": f"r{number}",
                "material": "book",
                "title": said(7),
                "creators": [{"name": name, "dates": "1820-1899"} for name in rng.sample(names, 2)],
                "subjects": rng.sample(subjects, 4),
                "summary": said(70),
                "published": rng.randrange(1800, 2025),
                "language": "eng",
                "shelf": {"dewey": f"{rng.randrange(1000)}.{rng.randrange(100)}", "mark": said(1)[:3].upper()},
                "holdings": [
                    {"barcode": f"3{rng.randrange(10**13):013d}", "branch": "main", "on_loan": rng.random() < 0.2}
                    for _ in range(2)
                ],
                "cover_file": f"covers/r{number}.png",
                "changed": f"2024-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
            }
        )
        for number in range(count)
    ]


def fresh(documents: Sequence[bytes], seed: str) -> list[Fresh]:
    """New codes for every document."""
    rng = random.Random(seed)
    made = []
    for number, source in enumerate(documents):
        text, image, record = (HashCode(BITS, rng.randbytes(BITS // 8)) for _ in range(3))
        codes = StoredCodes(text, ((0, image),), record)
        digest = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()
        members = {**codes.members(), "source": digest}
        made.append(Fresh(Key(f"r{number}"), digest, codes, members, splice.put(source, SPACE, members)))
    return made


class Ways:
    """The three ways, each with an index of its own that holds the documents without codes."""

    def __init__(self, cluster: Cluster, versioning: Literal["internal", "external"]) -> None:
        self._cluster, self._versioning = cluster, versioning
        self._store = CodeStore(cluster, f"codes-{versioning}", "c2VjcmV0", space=SPACE, bits=BITS)
        self._store.ensure()
        self.names: dict[str, Callable[[Sequence[Fresh]], None]] = {
            "bare": self._bare,
            "guarded": lambda batch: self._guarded("guarded", batch),
            "stored": self._stored,
        }

    def fill(self, documents: Sequence[bytes]) -> None:
        """Make the indices as the library system leaves them, each with its write alias."""
        for way in self.names:
            index = f"{way}-{self._versioning}"
            self._cluster.request("PUT", f"/{index}", body=catalogue.INDEX)
            self._cluster.request("PUT", f"/{index}/_mapping", body=space_mapping(SPACE))
            self._cluster.request("PUT", f"/{index}/_alias/write-{index}", body={"is_write_index": True})
            numbered = list(enumerate(documents))
            for batch in _cut(numbered, 1000):
                self._bulk(index, ((f"r{number}", source) for number, source in batch))

    def drop(self) -> None:
        """Delete everything."""
        for index in (*(f"{way}-{self._versioning}" for way in self.names), f"codes-{self._versioning}"):
            self._cluster.request("DELETE", f"/{index}")

    def seconds(self, way: str, wanted: Sequence[Fresh], size: int) -> float:
        """Write all of `wanted` in batches of `size`; seconds that it took."""
        self._cluster.request("POST", f"/{way}-{self._versioning}/_refresh")
        write = self.names[way]
        began = time.perf_counter()
        for batch in _cut(wanted, size):
            write(batch)
        return time.perf_counter() - began

    def _bare(self, batch: Sequence[Fresh]) -> None:
        self._bulk(f"bare-{self._versioning}", ((one.key.id, one.bare) for one in batch))

    def _bulk(self, index: str, sources: Iterator[tuple[str, bytes]]) -> None:
        guard = {"version": 1, "version_type": "external_gte"} if self._versioning == "external" else {}
        lines = b"".join(
            msgspec.json.encode({"index": {"_id": record, **guard}}) + b"\n" + source + b"\n"
            for record, source in sources
        )
        answer = self._cluster.bulk(f"/{index}", lines)
        if answer["errors"]:
            raise SystemExit(f"bulk indexing failed: {answer['items'][0]}")

    def _guarded(self, way: str, batch: Sequence[Fresh]) -> None:
        index = GuardedIndex(self._cluster, f"write-{way}-{self._versioning}", self._versioning)
        puts = [
            (current, splice.put(current.source, SPACE, one.members))
            for one, current in zip(batch, index.read([one.key for one in batch]), strict=True)
            if current is not None
        ]
        if index.write(puts) != [Outcome.WRITTEN] * len(batch):
            raise SystemExit("a guarded write did not arrive; does something else write to this engine?")

    def _stored(self, batch: Sequence[Fresh]) -> None:
        self._store.put({one.digest: Kept(one.codes, {}, {0: (one.digest, None)}) for one in batch})
        self._guarded("stored", batch)


def measure(count: int, rounds: int, batches: Sequence[int] = BATCHES) -> dict[str, Any]:
    """Documents a second by versioning, batch size and way, on an engine started for it."""
    documents = bibliography(count)
    found = []
    with tempfile.TemporaryDirectory() as folder, running(Settings(data=Path(folder)), engine="embedded") as services:
        cluster = Cluster(services.url)
        for versioning in VERSIONINGS:
            ways = Ways(cluster, versioning)
            ways.fill(documents)
            for size in batches:
                said = f"writing, {versioning} versioning, batches of {size}"
                found.append({"versioning": versioning, "batch": size, **_rounds(ways, documents, size, rounds, said)})
            ways.drop()
        cluster.close()
    size = sum(map(len, documents)) // count
    return {"documents": count, "document_bytes": size, "rounds": rounds, "bits": BITS, "goals": GOALS, "rows": found}


def _rounds(ways: Ways, documents: Sequence[bytes], size: int, rounds: int, said: str) -> dict[str, Any]:
    """The median over the rounds; a short one before them warms engine and client up."""
    times: dict[str, list[float]] = {way: [] for way in ways.names}
    for number in track(range(-1, rounds), description=said, console=console):
        wanted = fresh(documents[: 5000 if number < 0 else None], f"{size} {number}")
        order = list(ways.names)
        turned = order[number % 3 :] + order[: number % 3]  # no way always comes after the same one
        for way in turned:
            took = ways.seconds(way, wanted, size)
            if number >= 0:
                times[way].append(took)
    speeds = {f"{way}_per_s": round(len(documents) / median(own), 1) for way, own in times.items()}
    ratios = {way: [b / own for b, own in zip(times["bare"], times[way], strict=True)] for way in GOALS}
    return {
        **speeds,
        **{f"{way}_ratio": round(median(own), 3) for way, own in ratios.items()},
        **{f"{way}_ratios": [round(ratio, 3) for ratio in own] for way, own in ratios.items()},
    }


def _cut(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]


def table(found: dict[str, Any]) -> Table:
    """What `measure` found, for people."""
    title = f"{found['documents']} documents of {found['document_bytes']} bytes, documents/s; goals " + ", ".join(
        f"{way} {goal}" for way, goal in GOALS.items()
    )
    shown = Table("versioning", "batch", "bare bulk", "guarded", "x bare", "and code store", "x bare", title=title)
    for row in found["rows"]:
        speeds = [f"{row[f'{way}_per_s']:.0f}" for way in ("bare", "guarded", "stored")]
        ratios = [f"{row[f'{way}_ratio']:.2f}" for way in GOALS]
        shown.add_row(row["versioning"], str(row["batch"]), speeds[0], speeds[1], ratios[0], speeds[2], ratios[1])
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
