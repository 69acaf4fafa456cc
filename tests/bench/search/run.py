"""One size, measured: the collection, every way built, the truth, latencies in turns, throughput, rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from integration.engine.client import Cluster
from integration.search.scripts import ensure_scripts
from tests.bench.search import bm25, engine, fusions, outside, plugin, truth
from tests.bench.search.collection import Collection, Query, prepared
from tests.bench.search.layouts import TITLES
from tests.bench.search.measuring import WARM, Clients, interleaved
from tests.bench.search.summary import Row, row
from tests.bench.search.truth import Truth
from tests.bench.search.ways import CODES, RANKS, Built, Way, fused
from tests.bench.search.wire import wire

BEST, MORE = 10, 100  # hits that are asked for
console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: `rounds` queries (a third of them for the best 100), `seconds` of each throughput.

    Each way is asked `warm` times before it counts.
    """

    rounds: int = 300
    seconds: float = 4.0
    clients: tuple[int, ...] = (1, 8)
    warm: int = WARM


@dataclass(frozen=True, slots=True)
class Engines:
    """URLs of the engine that Crosshatch starts, and of the node with the k-NN plugin, if one runs."""

    plain: str
    plugin: str | None = None


def ways_of(engines: Engines, size: int, only: Sequence[str]) -> list[Way]:
    """BM25 alone, then every way whose name or place holds one of the words `only`; none: all."""
    known = [*engine.ways(engines.plain, size), *fusions.ways(engines.plain, size), *outside.ways()]
    known += plugin.ways(engines.plugin, size) if engines.plugin else []
    chosen = [way for way in known[1:] if not only or any(word in way.name or word == way.where for word in only)]
    if not chosen:
        raise SystemExit(f"no way is called {' or '.join(only)}; there are: {', '.join(way.name for way in known)}")
    return [known[0], *chosen]


def needs_plugin(only: Sequence[str]) -> bool:
    """Whether a way on the node with the plugin is chosen."""
    return not only or any(any(word in way.name or word == way.where for word in only) for way in plugin.ways("", 0))


def measure(
    folder: Path, engines: Engines, size: int, effort: Effort, clients: Clients, only: Sequence[str] = ()
) -> dict[str, Row]:
    """Rows by way, on the collection in `folder`."""
    for url in filter(None, (engines.plain, engines.plugin)):
        cluster = Cluster(url)
        ensure_scripts(cluster)
        cluster.close()
    collection = prepared(folder, size)
    queries = collection.queries(effort.rounds)
    ways = ways_of(engines, size, only)
    built: dict[str, Built] = {}
    for way in ways:
        console.print(f"{size:,}: {way.name}", style="dim")
        built[way.name] = way.build(collection)
    truths = truths_of(engines.plain, collection, queries, {way.answers for way in ways})
    parts = ((BEST, 1), (MORE, 3))
    asked = {n: interleaved(ways, queries[: effort.rounds // part], n, warm=effort.warm) for n, part in parts}
    rows = {}
    for way in ways:
        loads = {n: clients.load(way, queries, clients=n, seconds=effort.seconds) for n in effort.clients}
        answers = {n: asked[n][way.name] for n in asked}
        base = asked[BEST][ways[0].name] if way.where != outside.OUTSIDE else None
        rows[way.name] = row(way, built[way.name], size, answers, base, truths.get(way.answers), loads)
    return rows


def truths_of(
    url: str, collection: Collection, queries: Sequence[Query], wanted: set[str]
) -> Mapping[str, Sequence[Truth]]:
    """The right answers to all queries, by what is answered."""
    found: dict[str, Sequence[Truth]] = {}
    index, by_weight = TITLES.index(collection.size), {fused(weight) for weight in engine.WEIGHTS}
    if wanted & {CODES, RANKS}:
        found[CODES] = [truth.nearest(query.code, collection.codes, MORE) for query in queries]
    if RANKS in wanted:
        lists = [bm25.listed(wire(url), index, query.text, truth.LISTED) for query in queries]
        near = [one.ids[: truth.LISTED] for one in found[CODES]]
        found[RANKS] = [truth.by_ranks(*pair, fusions.WEIGHT) for pair in zip(lists, near, strict=True)]
    if wanted & by_weight:
        told = bm25.fused_truths(wire(url), index, collection, queries, engine.WEIGHTS, MORE)
        found |= {fused(weight): right for weight, right in told.items()}
    return found
