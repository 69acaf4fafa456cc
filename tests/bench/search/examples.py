"""A way whose answers are known, and figures as a run writes them: what the tests of this package are made of."""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.search import summary
from tests.bench.search.collection import Collection, Query
from tests.bench.search.measuring import Answers, Load
from tests.bench.search.truth import Truth
from tests.bench.search.ways import CODES, ENGINE, OUTSIDE, Built


@dataclass(frozen=True)
class Counting:
    """Answers with the query's number after `seconds`; notes process and thread in `folder`; fails on query 13."""

    name: str
    where: str = OUTSIDE
    answers: str = CODES
    seconds: float = 0.0
    folder: str = ""
    fails: bool = False

    def build(self, collection: Collection) -> Built:
        """As if it were built."""
        return Built(1.0, 100, 50)

    def ask(self, query: Query, size: int) -> Sequence[int]:
        """The query's number, `size` times."""
        if self.fails and query.number == 13:
            raise ValueError("thirteen")
        if self.folder:
            Path(self.folder, f"{os.getpid()}-{threading.get_ident()}").touch()
        time.sleep(self.seconds)
        return [query.number] * size


def figures(sizes: tuple[int, ...] = (100_000, 1_000_000)) -> dict[str, Any]:
    """Rows of two ways at each size, as a run writes them: p50 of 1 ms at 100,000 records, and 3 at ten times that."""
    held, loads = {}, {8: Load(5.0, (1.0, 2.0, 3.0))}
    for size in sizes:
        ms = 1.0 if size == 100_000 else 3.0
        answers = {n: Answers([ms] * 4, [[0, 1]] * 4) for n in (10, 100)}
        right = [Truth(np.array([0, 1, 2, 3]), np.array([4.0, 3.0, 2.0, 1.0]))] * 4
        rows = {
            way.name: summary.row(way, Built(9.0, 200 * size, 80 * size), size, answers, answers[10], right, loads)
            for way in (Counting("exact script", ENGINE), Counting("Faiss flat"))
        }
        held[str(size)] = {"ways": summary.as_json(rows)}
    return {"sizes": held}
