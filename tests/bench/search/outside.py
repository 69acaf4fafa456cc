"""Ways outside the engine: Faiss, usearch and NumPy, in the memory of this process. No words, no filters, no HTTP.

An index is built with all cores and asked with one thread a client. It is kept in the collection's folder, and its
cost beside it, so that it is built once.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from usearch.index import Index

from tests.bench.search import truth
from tests.bench.search.collection import BITS, Collection, Packed, Query
from tests.bench.search.ways import CODES, OUTSIDE, Built, Way

M = 16  # links of a record in HNSW, of Faiss and of usearch
EXPLORED = (64, 256, 512)  # candidates that a search keeps in view: at a million, Faiss finds .90, .97 and .99
CORES = len(os.sched_getaffinity(0))


@dataclass(slots=True)
class Numpy:
    """Popcount of all codes, then a partition: the plain way, and the truth itself."""

    name: str = "NumPy"
    answers: ClassVar[str] = CODES
    where: ClassVar[str] = OUTSIDE
    _codes: Packed = field(init=False, repr=False)

    def build(self, collection: Collection) -> Built:
        """Nothing but the codes."""
        began = time.perf_counter()
        self._codes = collection.codes
        return Built(time.perf_counter() - began, self._codes.nbytes, self._codes.nbytes)

    def ask(self, query: Query, size: int) -> list[int]:
        """By distance; ties in any order, as a partition leaves them."""
        found = truth.distances(query.code, self._codes)
        size = min(size, len(found))
        near = np.argpartition(found, size - 1)[:size]
        chosen: list[int] = near[np.argsort(found[near], kind="stable")].tolist()
        return chosen


@dataclass(slots=True)
class Faiss:
    """An index of Faiss: `make` gives an empty one, `tune` sets what a search is asked with."""

    name: str
    make: Callable[[], Any]
    tune: Callable[[Any], None] = lambda _index: None
    answers: ClassVar[str] = CODES
    where: ClassVar[str] = OUTSIDE
    _index: Any = field(init=False, repr=False)

    def build(self, collection: Collection) -> Built:
        """Add every code; an index that was kept is read."""
        kept = _Kept(collection, self.name.split(",")[0])
        if kept.there:
            self._index = faiss.read_index_binary(str(kept.file))
            return kept.cost()
        faiss.omp_set_num_threads(CORES)
        self._index = self.make()
        began = time.perf_counter()
        self._index.add(collection.codes)
        seconds = time.perf_counter() - began
        faiss.write_index_binary(self._index, str(kept.file))
        return kept.note(seconds)

    def ask(self, query: Query, size: int) -> list[int]:
        """-1 stands where Faiss found fewer."""
        faiss.omp_set_num_threads(1)  # of the calling thread: each has a number of its own
        self.tune(self._index)
        _, found = self._index.search(np.frombuffer(query.code.packed, np.uint8)[None], size)
        return [one for one in found[0].tolist() if one >= 0]


@dataclass(slots=True)
class Usearch:
    """usearch's HNSW over packed bits."""

    name: str
    expansion: int
    answers: ClassVar[str] = CODES
    where: ClassVar[str] = OUTSIDE
    _index: Any = field(init=False, repr=False)

    def build(self, collection: Collection) -> Built:
        """Add every code; an index that was kept is read."""
        kept = _Kept(collection, self.name.split(",")[0])
        self._index = Index(ndim=BITS, metric="hamming", dtype="b1", connectivity=M, expansion_search=self.expansion)
        if kept.there:
            self._index.load(str(kept.file))
            self._index.expansion_search = self.expansion
            return kept.cost()
        began = time.perf_counter()
        self._index.add(np.arange(collection.size, dtype=np.uint64), collection.codes, threads=CORES)
        seconds = time.perf_counter() - began
        self._index.save(str(kept.file))
        return kept.note(seconds)

    def ask(self, query: Query, size: int) -> list[int]:
        """One query, one thread."""
        found = self._index.search(np.frombuffer(query.code.packed, np.uint8), size, threads=1)
        keys: list[int] = found.keys.astype(np.int64).tolist()
        return keys


@dataclass(frozen=True, slots=True)
class _Kept:
    """An index on disk, and in a file beside it how long it took to build."""

    collection: Collection
    kind: str

    @property
    def file(self) -> Path:
        return self.collection.folder / f"{self.kind.replace(' ', '-')}-{self.collection.size}.index"

    @property
    def _beside(self) -> Path:
        return self.file.with_suffix(".json")

    @property
    def there(self) -> bool:
        return self._beside.is_file() and self.file.is_file()

    def cost(self) -> Built:
        return Built(**json.loads(self._beside.read_text("utf-8")))

    def note(self, seconds: float) -> Built:
        """Written last: with it the index counts as complete."""
        size = self.file.stat().st_size
        cost = {"seconds": round(seconds, 3), "bytes": size, "added": size}
        self._beside.write_text(json.dumps(cost), "utf-8")
        return self.cost()


def _hnsw(expansion: int, index: Any) -> None:
    index.hnsw.efSearch = expansion


def _flips(radius: int, index: Any) -> None:
    index.nflip = radius


def ways() -> list[Way]:
    """All of them, the exact ones first."""
    multi = partial(faiss.IndexBinaryMultiHash, BITS, 8, 16)
    return [
        Numpy(),
        Faiss("Faiss flat", partial(faiss.IndexBinaryFlat, BITS)),
        *(
            Faiss(f"Faiss HNSW, ef {ef}", partial(faiss.IndexBinaryHNSW, BITS, M), partial(_hnsw, ef))
            for ef in EXPLORED
        ),
        *(Faiss(f"Faiss MultiHash 8 x 16, {r} flips", multi, partial(_flips, r)) for r in (1, 2)),
        *(Usearch(f"usearch HNSW, ef {ef}", ef) for ef in EXPLORED),
    ]
