"""From what was measured to rows: recall against the truth, quantiles, rates and sizes; and the tables of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table

from tests.bench.search import truth
from tests.bench.search.measuring import Answers, Load
from tests.bench.search.truth import Truth
from tests.bench.search.ways import CODES, WORDS, Built, Way

HEADS = ("recall@10", "@100", "p50 ms", "p95", "p99", "x BM25", "p95", "best 100", "1 client/s", "8 clients/s", "p50",
         "p95", "B/record", "added", "build s")  # fmt: skip
ORDER = {WORDS: "", CODES: " "}  # of the tables: words, codes, then the fused scores by weight


@dataclass(frozen=True, slots=True)
class Row:
    """One way at one size. Times in milliseconds for the best 10 (`best_100_ms`: p50 for the best 100).

    `ratio` is the median over the queries of its time by BM25's, `ratio_p95` its p95 by BM25's; `bytes` and `added`
    (without the titles' share) are per record; `loads` by clients: answers a second, p50 and p95 of each. What was not
    asked for is None.
    """

    where: str
    answers: str
    recall_10: float | None
    recall_100: float | None
    p50_ms: float
    p95_ms: float
    p99_ms: float
    best_100_ms: float
    ratio: float | None
    ratio_p95: float | None
    loads: dict[str, dict[str, float]]
    bytes: float
    added: float
    build_s: float


def row(
    way: Way,
    built: Built,
    size: int,
    answers: Mapping[int, Answers],
    base: Answers | None,
    truths: Sequence[Truth] | None,
    loads: Mapping[int, Load],
) -> Row:
    """`answers` by how many were asked for (10, 100); `truths` by query, None for words; `base` are BM25's of 10."""
    p50, p95, p99 = np.percentile(answers[10].ms, (50, 95, 99))
    ratio = None if base is None else float(np.median(np.array(answers[10].ms) / np.array(base.ms)))
    ratio_p95 = None if base is None else float(p95 / np.percentile(base.ms, 95))
    recalls = [None if truths is None else mean_recall(answers[n].found, truths, n) for n in (10, 100)]
    return Row(
        where=way.where,
        answers=way.answers,
        recall_10=_rounded(recalls[0], 4),
        recall_100=_rounded(recalls[1], 4),
        p50_ms=round(float(p50), 3),
        p95_ms=round(float(p95), 3),
        p99_ms=round(float(p99), 3),
        best_100_ms=round(float(np.median(answers[100].ms)), 3),
        ratio=_rounded(ratio, 2),
        ratio_p95=_rounded(ratio_p95, 2),
        loads={str(clients): _load(one) for clients, one in loads.items()},
        bytes=round(built.bytes / size, 1),
        added=round(built.added / size, 1),
        build_s=built.seconds,
    )


def mean_recall(found: Sequence[Sequence[int]], truths: Sequence[Truth], size: int) -> float:
    """Over all queries; fewer may have been asked than there are truths for."""
    each = [truth.recall(one, right, size) for one, right in zip(found, truths, strict=False)]
    return float(np.mean(each))


def as_json(rows: Mapping[str, Row]) -> dict[str, dict[str, object]]:
    """Rows by the way's name."""
    return {name: asdict(one) for name, one in rows.items()}


def table(size: int, rows: Mapping[str, Row]) -> Table:
    """One size, for people; a line between what answers different questions."""
    shown = Table(title=f"{size:,} records of 128 bits, one merged shard; best 10")
    shown.add_column("way", no_wrap=True)
    for head in HEADS:
        shown.add_column(head, justify="right")
    before = WORDS
    for name, one in sorted(rows.items(), key=lambda pair: ORDER.get(pair[1].answers, pair[1].answers)):
        if one.answers != before:
            shown.add_section()
        before = one.answers
        shown.add_row(name, *_cells(one))
    return shown


def _cells(one: Row) -> list[str]:
    alone, many = one.loads.get("1", {}), one.loads.get("8", {})
    times = (one.p50_ms, one.p95_ms, one.p99_ms, one.ratio, one.ratio_p95, one.best_100_ms)
    return [
        *(_cell(recall, 3) for recall in (one.recall_10, one.recall_100)),
        *(_cell(value, 2) for value in times),
        *(_cell(rate.get("per_second"), 0) for rate in (alone, many)),
        *(_cell(many.get(name), 1) for name in ("p50_ms", "p95_ms")),
        *(_cell(value, 0) for value in (one.bytes, one.added, one.build_s)),
    ]


def _load(load: Load) -> dict[str, float]:
    p50, p95 = np.percentile(load.ms, (50, 95))
    return {
        "per_second": round(load.per_second, 1),
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
