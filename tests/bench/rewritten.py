"""What a search with a `crosshatch` clause costs beyond its native query, which goes to the engine directly.

The clause brings its code along (no worker is asked), restricts what a `match` finds, and so becomes one request. The
native body is what the gateway itself would send. What is added: reading the body, rewriting it, one passage, and
explaining ten hits. Beside it: how long a code takes that this process remembers.
"""

import asyncio
import random
import time
from typing import Any

import msgspec
import numpy as np

from encoders import catalogue as bundles
from encoders.api import BundleCard, Item
from integration import state
from integration.engine.client import Cluster
from integration.gateway.attachments import Attachments
from integration.gateway.querycodes import QueryCodes
from integration.gateway.searching import Searching, Where
from integration.gateway.upstream import Upstream, node
from integration.search.scripts import ensure_scripts
from integration.settings import Settings
from mappings.profile import TargetProfile
from tests.bench.search.three_parts import BITS, INDEX, code, words

GOALS = {"added_p50_ms": 2.0, "hit_ms": 0.2}
JSON = [(b"content-type", b"application/json")]
SCORES = "include_named_queries_score=true"  # as the gateway asks


def attach(cluster: Cluster) -> BundleCard:
    """Make the index of the search benchmark one that is attached."""
    card = next(one for one in bundles.known() if one.bits == BITS)
    profile = TargetProfile(name="bench", text=("title",), search=("title",), title="title")
    index, uuid = state.concrete(cluster, INDEX)
    bundle = state.Bundle(card.reference, card.name, card.bits, card.digest)
    state.save(cluster, state.Attached(index, uuid, "s", {"s": bundle}, profile, "secret"))
    ensure_scripts(cluster)
    return card


def bodies(count: int) -> list[Any]:
    """Searches with a clause."""
    rng = random.Random(11)
    said = words(rng)
    made = []
    for _ in range(count):
        match = {"match": {"title": " ".join(next(said) for _ in range(3))}}
        given = {"space": "s", "base64": code(rng).base64(), "part": "text"}
        clause = {"crosshatch": {"code": given, "query": match, "min_similarity": 0.01}}
        made.append({"query": {"bool": {"filter": [match], "must": [clause]}}, "_source": ["title"]})
    return made


def natives(cluster: Cluster, settings: Settings, trees: list[Any]) -> list[bytes]:
    """What the gateway makes of them."""

    async def made() -> list[bytes]:
        upstream = Upstream([node(cluster.url)], timeout=60, connect_timeout=5)
        codes = QueryCodes(lambda *_: {}, timeout=1)
        searching = Searching(upstream.ask, Attachments(cluster, settings.data), codes, settings)
        where = Where(INDEX, {}, JSON)
        found = [await searching.native(tree, "search", where) for tree in trees]
        await upstream.close()
        codes.close()
        return [msgspec.json.encode(one.tree) for one in found if one is not None]

    return asyncio.run(made())


def pairs(asked: list[bytes], native: list[bytes], ask: Any, ask_native: Any, rounds: int) -> dict[str, Any]:
    """Milliseconds of both, in changing order; the first 100 pairs warm up."""
    rng = random.Random(5)
    took: dict[str, list[float]] = {"direct": [], "through": []}
    for number in range(-100, rounds):
        at = number % len(asked)
        ways = [("direct", ask_native, native[at]), ("through", ask, asked[at])]
        rng.shuffle(ways)
        for name, way, body in ways:
            spent = way(body)
            if number >= 0:
                took[name].append(spent)
    first, second = np.array(took["direct"]), np.array(took["through"])
    return {
        "direct_p50_ms": round(float(np.median(first)), 2),
        "through_p50_ms": round(float(np.median(second)), 2),
        "added_p50_ms": round(float(np.median(second - first)), 2),
        "added_p95_ms": round(float(np.percentile(second, 95) - np.percentile(first, 95)), 2),
        "ratio": round(float(np.median(second / first)), 2),
    }


def hit(card: BundleCard, rounds: int = 20_000) -> float:
    """Milliseconds of a code that is remembered."""
    bundle = state.Bundle(card.reference, card.name, card.bits, card.digest)
    answer = {"codes": {"text": code(random.Random(1)).base64()}, "problem": None}
    codes = QueryCodes(lambda *_: answer, timeout=5)
    item = Item("old maps of the Baltic sea")
    asyncio.run(_once(codes, item, bundle))
    began = time.perf_counter()
    for _ in range(rounds):
        if codes.remembered(item, bundle) is None:
            raise SystemExit("a code was forgotten")
    codes.close()
    return round((time.perf_counter() - began) * 1000 / rounds, 4)


async def _once(codes: QueryCodes, item: Item, bundle: state.Bundle) -> None:
    await codes.codes(item, bundle)
