"""Other ways to bring words and codes together: by ranks, and as the gateway's `expand` answers an OPAC's own search.

`expand` is asked without the gateway: its two requests, made by its own pure functions. What its server adds to a
search is measured by `make bench-gateway`.
"""

from functools import partial

from integration.gateway.widening.expanding import expanded, expansion
from integration.gateway.widening.reranking import script_for
from integration.gateway.widening.words import Fields, find
from integration.search.bands import bands_plan
from integration.search.plan import plan
from integration.search.request import SearchRequest
from mappings.code import HashCode
from tests.bench.search.bands import BandsLayout
from tests.bench.search.collection import Query
from tests.bench.search.engine import EngineWay, hits, planned
from tests.bench.search.layouts import CODE, SPACE, document_id, target
from tests.bench.search.truth import LISTED
from tests.bench.search.ways import RANKS, Way, fused
from tests.bench.search.wire import Wire

WEIGHT = 0.5  # of ranks, as they were published: both lists count alike; of the index for `expand`, its default


def by_ranks(to: Wire, index: str, query: Query, size: int) -> list[int]:
    """The shipped exact plan: two lists, then one search that scores by the ranks in them."""
    return planned(to, plan(_asked(query, size), target(index), _codes(query)))


def banded_by_ranks(kind: BandsLayout, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """The shipped bands plan: the list of the codes comes from the bands."""
    return planned(to, bands_plan(_asked(query, size), kind.target(index), _codes(query)))


def expand(kind: BandsLayout, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """A search for words in the title, to which the nearest from the bands are added, ranked by both."""
    tree = {"query": {"match": {"title": query.text}}, "_source": ["title"], "size": size}
    fields, targets, codes = Fields(("title",)), [kind.target(index)], {SPACE: _codes(query)}
    words = find(tree["query"], fields)
    if words is None:
        raise SystemExit(f"{query.text!r} holds no words that `expand` would rank")
    more = expansion(tree, words, fields, targets, codes)
    found = [("", document_id(number)) for number in hits(to, index, more.request)]
    return hits(to, index, expanded(tree, words, script_for(targets, codes), more.limits, found))


def ways(url: str, size: int) -> list[Way]:
    """All of them."""
    kind = BandsLayout(size)
    return [
        EngineWay("bands by ranks", RANKS, url, kind.layout, size, partial(banded_by_ranks, kind)),
        EngineWay("exact by ranks", RANKS, url, CODE, size, by_ranks),
        EngineWay(f"expand, w {WEIGHT:g}", fused(WEIGHT), url, kind.layout, size, partial(expand, kind)),
    ]


def _asked(query: Query, size: int) -> SearchRequest:
    return SearchRequest(text=query.text, size=size, weight=WEIGHT, k=LISTED, fusion="rrf")


def _codes(query: Query) -> list[tuple[str, HashCode]]:
    return [("text", query.code)]
