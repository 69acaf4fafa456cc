"""The collection that every way to search is measured on: codes in clusters, titles of real words, and queries.

Record i of a seed is the same whatever the size, so that a smaller collection is a prefix of a larger one: records,
clusters and their words grow together, 50 records to a cluster (20,000 clusters at a million). A code is its
cluster's centre with bits flipped at the cluster's own rate, `FLIPS` on average: with it, 8 bands of 16 bits reach
about .40, .92 and 1.00 of the ten nearest at radius 0, 1 and 2. Titles mix the cluster's words with common ones.
Queries are held out: perturbed centres, with one or two of the cluster's words among three.

On disk, under a folder: `chunk-00000.npy` (uint8 [10000, 16]) and `chunk-00000.txt` (a title a line), each written
whole or not at all, and `note.json`, which says what they were made by. What is there is not made again.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from mappings.code import HashCode
from tests.bench.search import vocabulary

BITS, SEED = 128, 6
CHUNK = 10_000  # records of one file
PER_CLUSTER = 50
STAGES = np.array([0, 2_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000])  # each has clusters of its own
FLIPS, SPREAD = 0.108, 0.2  # a bit differs from the centre's at FLIPS, times 1 - SPREAD to 1 + SPREAD by cluster
TOPICS, TOPICAL = 3, 0.25  # words of a cluster, and the share of a title's words that are among them
Packed = NDArray[np.uint8]  # [n, bits / 8]
console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Query:
    """A held-out query: three words, and a code near the centre of a cluster."""

    number: int
    text: str
    code: HashCode


@dataclass(frozen=True, slots=True)
class Clusters:
    """Those of one stage. `centres` uint8 [k, 16], `flips` float [k]: shares of bits, `topics` int32 [k, 3]: words."""

    centres: Packed
    flips: NDArray[np.float64]
    topics: vocabulary.Words


@dataclass(frozen=True)
class Collection:
    """The first `size` records of what lies in `folder`. `prepared` makes what is not there yet."""

    folder: Path
    size: int

    @cached_property
    def codes(self) -> Packed:
        """uint8 [size, 16]."""
        chunks = [np.load(_codes(self.folder, chunk)) for chunk in _chunks(self.size)]
        return np.concatenate(chunks)[: self.size]

    def titles(self) -> Iterator[str]:
        """In the order of the records, read chunk by chunk."""
        left = self.size
        for chunk in _chunks(self.size):
            yield from _titles(self.folder, chunk).read_text("utf-8").splitlines()[:left]
            left -= CHUNK

    def queries(self, count: int) -> list[Query]:
        """Queries of all clusters that have records here; the first ones are the same for any `count`."""
        rng = np.random.default_rng((SEED, 2, self.size))
        return [_query(rng, number, self.size) for number in range(count)]


def prepared(folder: Path, size: int) -> Collection:
    """The collection of `size` records, made as far as `folder` lacks it. Raises SystemExit where it holds another."""
    folder.mkdir(parents=True, exist_ok=True)
    note, made_by = folder / "note.json", _recipe()
    if note.is_file() and json.loads(note.read_text("utf-8")) != made_by:
        raise SystemExit(f"{folder} holds a collection made by another recipe; name another folder, or remove it")
    note.write_text(json.dumps(made_by, indent=1), "utf-8")
    missing = [chunk for chunk in _chunks(size) if not _titles(folder, chunk).is_file()]
    for chunk in track(missing, "records", console=console, disable=len(missing) < 10):
        codes, titles = records(chunk)
        whole = _codes(folder, chunk).with_suffix(".part.npy")
        np.save(whole, codes)
        whole.replace(_codes(folder, chunk))
        part = _titles(folder, chunk).with_suffix(".part")  # the titles come last: with them the chunk is complete
        part.write_text("\n".join(titles) + "\n", "utf-8")
        part.replace(_titles(folder, chunk))
    return Collection(folder, size)


def records(chunk: int) -> tuple[Packed, list[str]]:
    """Codes and titles of one chunk."""
    rng = np.random.default_rng((SEED, 0, chunk))
    codes, titles = [], []
    for stage, count in _parts(chunk):
        clusters = clusters_of(stage)
        own = rng.integers(len(clusters.centres), size=count)
        codes.append(flipped(rng, clusters.centres[own], clusters.flips[own]))
        titles += vocabulary.titles(rng, clusters.topics[own], topical=TOPICAL)
    return np.concatenate(codes), titles


def flipped(rng: np.random.Generator, codes: Packed, rates: NDArray[np.float64]) -> Packed:
    """Codes with each bit turned round at the rate of its row."""
    turned = rng.random((len(codes), codes.shape[1] * 8), dtype=np.float32) < rates[:, None]
    return codes ^ np.packbits(turned, axis=1)


@cache
def clusters_of(stage: int) -> Clusters:
    """The clusters that records from STAGES[stage] on belong to, up to the next stage."""
    rng = np.random.default_rng((SEED, 1, stage))
    count = int(STAGES[stage + 1] - STAGES[stage]) // PER_CLUSTER
    return Clusters(
        rng.integers(256, size=(count, BITS // 8), dtype=np.uint8),
        FLIPS * rng.uniform(1 - SPREAD, 1 + SPREAD, count),
        vocabulary.drawn(rng, (count, TOPICS), first=vocabulary.COMMON),
    )


def _query(rng: np.random.Generator, number: int, size: int) -> Query:
    stage = _stage(int(rng.integers(size)))
    clusters = clusters_of(stage)
    one = rng.integers(len(clusters.centres), size=1)
    code = flipped(rng, clusters.centres[one], clusters.flips[one])[0]
    topical = rng.permutation(clusters.topics[one[0]])[: rng.integers(1, 3)]
    common = vocabulary.drawn(rng, 3 - len(topical))
    known = vocabulary.words()
    said = [known[word] for word in rng.permutation([*topical, *common])]
    return Query(number, " ".join(said), HashCode(BITS, code.tobytes()))


def _parts(chunk: int) -> Iterator[tuple[int, int]]:
    """The stages that a chunk's records lie in, and how many of its records lie in each."""
    at, end = chunk * CHUNK, (chunk + 1) * CHUNK
    while at < end:
        stage = _stage(at)
        upto = min(end, int(STAGES[stage + 1]))
        yield stage, upto - at
        at = upto


def _stage(record: int) -> int:
    return int(np.searchsorted(STAGES, record, side="right")) - 1


def _recipe() -> dict[str, object]:
    """All that decides what the records are."""
    said = hashlib.sha256(vocabulary.source().read_bytes()).hexdigest()
    numbers = {"flips": FLIPS, "spread": SPREAD, "topics": TOPICS, "topical": TOPICAL, "per_cluster": PER_CLUSTER}
    return {"seed": SEED, "bits": BITS, **numbers, "stages": STAGES.tolist(), "vocabulary": said}


def _chunks(size: int) -> range:
    return range(-(-size // CHUNK))


def _codes(folder: Path, chunk: int) -> Path:
    return folder / f"chunk-{chunk:05d}.npy"


def _titles(folder: Path, chunk: int) -> Path:
    return folder / f"chunk-{chunk:05d}.txt"
