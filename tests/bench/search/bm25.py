"""BM25 scores as the engine gives them, for the truth of fused searches; told once, then kept beside the collection."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from integration.search.plan import words_query
from tests.bench.search import truth
from tests.bench.search.collection import Collection, Query
from tests.bench.search.layouts import document_id, number_of
from tests.bench.search.truth import Ids, Scores, Truth
from tests.bench.search.wire import Wire

PAGE = 10_000  # hits of one search: the engine's max_result_window
console = Console(stderr=True)


def top(to: Wire, index: str, text: str) -> tuple[Ids, Scores]:
    """The records that match best, at most PAGE, best first."""
    return _scored(to, index, words_query(text, ("title",)))


def listed(to: Wire, index: str, text: str, size: int) -> Ids:
    """The best `size` of them, ties by number."""
    ids, values = top(to, index, text)
    return ids[np.lexsort((ids, -values))][:size]


def scores(to: Wire, index: str, text: str, ids: Ids) -> Scores:
    """Scores of these records; 0 where no word matches."""
    found = dict.fromkeys(ids.tolist(), 0.0)
    for at in range(0, len(ids), PAGE):
        these = {"ids": {"values": [document_id(number) for number in ids[at : at + PAGE].tolist()]}}
        matching = {"bool": {"filter": [these], "must": [words_query(text, ("title",))]}}
        numbers, values = _scored(to, index, matching)
        found.update(zip(numbers.tolist(), values.tolist(), strict=True))
    return np.array(list(found.values()))


def _scored(to: Wire, index: str, query: dict[str, Any]) -> tuple[Ids, Scores]:
    body = {"query": query, "size": PAGE, "_source": False, "track_total_hits": False}
    found = to.request("POST", f"/{index}/_search", body=body)["hits"]["hits"]
    ids = np.array([number_of(hit["_id"]) for hit in found], np.int64)
    return ids, np.array([hit["_score"] for hit in found], np.float64)


def fused_truths(
    to: Wire, index: str, collection: Collection, queries: Sequence[Query], weights: Sequence[float], size: int
) -> dict[float, list[Truth]]:
    """The best `size` of the fused score over every record, by weight and query. Kept as `fused-<records>.json`."""
    file = collection.folder / f"fused-{collection.size}.json"
    about = {"size": size, "queries": [[query.text, query.code.hex()] for query in queries], "weights": list(weights)}
    kept = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    if kept.get("about") != about:
        told = [
            _of_query(to, index, collection, query, weights, size)
            for query in track(queries, f"truth of {collection.size}", console=console)
        ]
        kept = {"about": about, "told": told}
        file.write_text(json.dumps(kept), "utf-8")
    return {
        weight: [Truth(np.array(one[at][0], np.int64), np.array(one[at][1])) for one in kept["told"]]
        for at, weight in enumerate(weights)
    }


def _of_query(
    to: Wire, index: str, collection: Collection, query: Query, weights: Sequence[float], size: int
) -> list[tuple[list[int], list[float]]]:
    similar = truth.similarity(query.code, collection.codes)
    known = top(to, index, query.text)
    rest = float(known[1][-1]) if len(known[0]) == PAGE else 0.0

    def bm25(ids: Ids) -> Scores:
        return scores(to, index, query.text, ids)

    found = [truth.best_fused(similar, known, rest, bm25, weight, size) for weight in weights]
    return [(one.ids.tolist(), one.values.tolist()) for one in found]
