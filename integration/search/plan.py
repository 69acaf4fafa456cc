"""From a request to engine requests, without any input or output: every search can be printed and compared.

The hits of a fused search are the records that the words find and, of the others, the `k` most similar. OpenSearch
cannot say that in one body, so the exact plan has two: `candidates` asks for the ids of those k, `fused` scores both
sides together. A search without words needs the first alone. Where ranks are fused (`rrf`), a list of what the words
find is asked for beside the candidates, and the ranks in both are the scores (integration/search/ranks.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from integration.search.ranks import Ranks, check_length
from integration.search.request import SearchRequest
from mappings.bands import REACH, Banding, Reach
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.fields import PARTS
from mappings.scripts import SMALLEST, Pair, distance_script, score_script

NAMED_SCORES = "include_named_queries_score"  # a parameter that some engines do not have
WORDS = "bm25"  # the name of the BM25 side, under which the engine tells its score
BEST = "crosshatch"  # the script field that tells the best pair
ORDER = [{"_score": "desc"}, {"_id": "asc"}]
# of a body, and not of the `script_score`: with a least score of its own that asks for one document after the other
# where the engine could take many at once, which costs a search by bands a fifth of its time
SIMILAR = {"min_score": SMALLEST}
PLUGIN = ("knn", "knn-score")  # plans that need the k-NN plugin
Body = dict[str, Any]
NO_WEIGHTS: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class Target:
    """What is searched: an attached index, the tables of its active space, its fields and its weights.

    `tables[(query part, stored part)]` gives the similarity in [0, 1] by distance: bits + 1 values. `words` are the
    fields of the BM25 side, with boosts as `title^2`; empty means the index's default fields. `part_weights` are those
    of the space's stored parts, 1 where none is given. `bands` are those of the space, if it has any, and `reach`
    how near to the query's they must come. `documents` are those that there were when they were learnt. `vectors`:
    every document with codes has them for the k-NN plugin.
    """

    index: str
    space: str
    tables: Mapping[tuple[str, str], Sequence[float]]
    words: tuple[str, ...] = ()
    title: str | None = None
    weight: float = 0.5
    saturation: float = 8.0
    k: int = 100
    min_similarity: float = 0.0
    part_weights: Mapping[str, float] = field(default_factory=dict)
    bands: Banding | None = None
    reach: Reach = REACH
    documents: int = 0
    vectors: bool = False

    def part_weight(self, part: str, asked: Mapping[str, float]) -> float:
        """How much the similarity of a stored part counts: what the request says, else the space, else 1."""
        return asked.get(part, self.part_weights.get(part, 1.0))


@dataclass(frozen=True, slots=True)
class Lists:
    """Two searches whose hits are merged by score: what the words find, and what the codes find.

    `start` and `size` are those of the page; of what the codes alone find, the `k` most similar are hits. `weight` is
    that of the codes in both lists' scores.
    """

    words: Body
    codes: Body
    start: int
    size: int
    k: int
    weight: float

    @property
    def bodies(self) -> tuple[Body, Body]:
        """In the order in which they are sent."""
        return self.words, self.codes


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """The engine requests of a search: `candidates`, then `body(ids)` with the ids that they found.

    Where there are `lists`, these are asked for instead, in one `_msearch`, and merged. `limit` is the largest `total`
    where there is no BM25 side. `weight` and `saturation` are those of the scores; `why` tells how the plan was chosen.
    Where ranks are fused, `listed` asks for what the words find, beside the candidates; `ranks` tells them afterwards.
    """

    name: str
    index: str
    candidates: Body | None
    fused: Body
    weight: float
    saturation: float
    limit: int | None = None
    lists: Lists | None = None
    why: str = ""
    listed: Body | None = None
    ranks: Ranks | None = None

    @property
    def params(self) -> dict[str, str]:
        """URL parameters of every request: the engine tells the BM25 score of a hit only when asked."""
        return {NAMED_SCORES: "true"}

    @property
    def scored_here(self) -> bool:
        """Whether the engine gives bare BM25 scores, which are yet to be brought into [0, 1)."""
        return self.weight == 0 and self.limit is None and self.ranks is None

    @property
    def similar(self) -> Body:
        """The request whose hits are ordered by similarity alone: that for the candidates, or the only one."""
        return self.fused if self.candidates is None else self.candidates

    def among(self, name: str, similar: Body) -> "SearchPlan":
        """The plan called `name` that takes `similar` for this one's: it looks at fewer records."""
        if self.candidates is None:
            return replace(self, name=name, fused=similar)
        return replace(self, name=name, candidates=similar)

    def ranked(self, words: Sequence[str], codes: Sequence[str]) -> "SearchPlan":
        """The plan of one request that scores by the ranks of these ids: what `listed` and `candidates` gave."""
        ranks = Ranks([("", one) for one in words], [("", one) for one in codes], self.weight)
        inner = self.fused["query"]["bool"]
        query = {"bool": {**inner, "must": [ranks.query(*inner["must"])]}}
        return replace(self, candidates=None, listed=None, fused={**self.fused, "query": query}, ranks=ranks)

    def body(self, ids: Sequence[str] = ()) -> Body:
        """The body that gives the hits; `ids` are those of the candidates, and unused where there are none."""
        if self.candidates is None:
            return self.fused
        similar = {"constant_score": {"filter": {"ids": {"values": list(ids)}}, "boost": 0}}
        found = _with_similar(self.fused["query"], similar)
        return {**self.fused, "query": found}


def plan(
    request: SearchRequest,
    target: Target,
    codes: Sequence[tuple[str, HashCode]],
    filters: Sequence[Body] = (),
) -> SearchPlan:
    """The exact plan of `request`: `codes` are (query part, code), `filters` are query clauses that all must hold.

    Raises RequestError where no code of the query can be compared with a stored part.
    """
    pairs = pairs_of(target, codes, request.on, request.part_weights)
    if request.text is None:
        return _by_codes(request, target, pairs, filters)
    if request.fusion == "rrf":
        return _by_ranks(request, target, pairs, filters)
    return _by_both(request, target, pairs, filters)


def pairs_of(
    target: Target,
    codes: Sequence[tuple[str, HashCode]],
    on: Sequence[str] = (),
    part_weights: Mapping[str, float] = NO_WEIGHTS,
) -> list[Pair]:
    """Every query code with every stored part it is compared with, in that order: the first wins at a tie.

    A part's weight multiplies its similarities, so its pairs carry tables that hold the products; at 0 it has no pair.
    """
    weights = {part: target.part_weight(part, part_weights) for part in on or PARTS}
    pairs = [
        Pair(target.space, stored, code, weighted(target.tables[part, stored], weight))
        for part, code in codes
        for stored, weight in weights.items()
        if (part, stored) in target.tables and weight > 0
    ]
    if not pairs:
        none = [part for part, weight in weights.items() if weight == 0]
        raise RequestError(
            f"space {target.space} has no codes that this query can be compared with; it compares "
            f"{', '.join(f'{part} with {stored}' for part, stored in target.tables) or 'nothing'}"
            + (f", and the weight of {' and '.join(none)} is 0" if none else "")
        )
    return pairs


def weighted(table: Sequence[float], weight: float) -> Sequence[float]:
    """Similarities by distance, times a part's weight."""
    return table if weight == 1 else tuple(weight * similarity for similarity in table)


def guards(name: str | None) -> dict[str, str]:
    """URL parameters of a plan's requests: a shard on which a plugin fails is an error, and not silently left out."""
    return {"allow_partial_search_results": "false"} if name in PLUGIN else {}


def least_similar(request: SearchRequest, target: Target) -> float:
    """How similar a record must be that the code alone finds: what the request says, else the index."""
    return _given(request.min_similarity, target.min_similarity)


def most_similar(request: SearchRequest, target: Target) -> int:
    """How many records the code alone finds at most, likewise."""
    return request.k or target.k


def words_query(text: str, fields: Sequence[str]) -> Body:
    """The BM25 side. `lenient`: a number or date among the fields must not fail the search."""
    query: Body = {"query": text, "type": "cross_fields", "operator": "or", "lenient": True, "_name": WORDS}
    return {"multi_match": {**query, "fields": list(fields)} if fields else query}


def _by_codes(request: SearchRequest, target: Target, pairs: Sequence[Pair], filters: Sequence[Body]) -> SearchPlan:
    """No words: the k most similar are the hits. Weight 0 counts as 1 here, since nothing else is left to rank by."""
    k = most_similar(request, target)
    weight = _given(request.weight, target.weight) or 1.0
    query = _similar_query(request, target, pairs, _restricted(request, filters), weight)
    page = {"from": min(request.start, k), "size": max(0, min(request.size, k - request.start))}
    body = {"query": query, **SIMILAR, **page, **_shown(target, pairs)}
    return SearchPlan("exact", target.index, None, body, weight, target.saturation, limit=k)


def _by_both(request: SearchRequest, target: Target, pairs: Sequence[Pair], filters: Sequence[Body]) -> SearchPlan:
    words = words_query(request.text or "", target.words)
    others = _restricted(request, filters, without=[words])
    similar = _similar_query(request, target, pairs, others, 1.0)
    candidates = nearest_by(similar, most_similar(request, target))
    weight = _given(request.weight, target.weight)
    query: Body = {"bool": {"should": [words], "minimum_should_match": 1, **_restricted(request, filters)}}
    if weight > 0:  # at 0 the engine's own order is BM25's to the last bit; s / (s + c) could round two scores to one
        script = score_script(pairs, weight=weight, saturation=target.saturation)
        query = {"script_score": {"query": query, "script": script}}
    body = {"query": query, "from": request.start, "size": request.size, **_shown(target, pairs)}
    return SearchPlan("exact", target.index, candidates, body, weight, target.saturation)


def _by_ranks(request: SearchRequest, target: Target, pairs: Sequence[Pair], filters: Sequence[Body]) -> SearchPlan:
    """Both lists hold the same number of records; those of the codes hold what the words find, too."""
    k = check_length(most_similar(request, target))
    restricted = _restricted(request, filters)
    query: Body = {"bool": {"must": [words_query(request.text or "", target.words)], **restricted}}
    codes = nearest_by(_similar_query(request, target, pairs, restricted, 1.0), k)
    body = {"query": query, "from": request.start, "size": request.size, **_shown(target, pairs)}
    weight = _given(request.weight, target.weight)
    return SearchPlan("exact", target.index, codes, body, weight, target.saturation, listed=found_by(query, k))


def found_by(query: Body, most: int) -> Body:
    """The request for the ids of the `most` best hits."""
    return {"query": query, "size": most, "_source": False, "track_total_hits": False, "sort": ORDER}


def nearest_by(query: Body, most: int) -> Body:
    """The request for the ids of the `most` most similar, where what is not similar enough scores 0."""
    return {**found_by(query, most), **SIMILAR}


def _similar_query(request: SearchRequest, target: Target, pairs: Sequence[Pair], clauses: Body, weight: float) -> Body:
    """Scores documents with a code that is similar enough; the others score 0, and stay out by the body's `SIMILAR`.

    Its inner query scores 0: all its clauses are filters.
    """
    least = least_similar(request, target)
    script = score_script(pairs, weight=weight, saturation=target.saturation, min_similarity=least)
    inner = {"bool": {**clauses, "filter": clauses.get("filter") or [{"match_all": {}}]}}
    return {"script_score": {"query": inner, "script": script}}


def _restricted(request: SearchRequest, filters: Sequence[Body], without: Sequence[Body] = ()) -> Body:
    """The members of a `bool` query that hold for both sides; the record that hits are like is no hit."""
    excluded = [*without, *([{"ids": {"values": [request.like]}}] if request.like is not None else [])]
    return {**({"filter": list(filters)} if filters else {}), **({"must_not": excluded} if excluded else {})}


def _shown(target: Target, pairs: Sequence[Pair]) -> Body:
    """What comes back of each hit of the page, and the order."""
    return {
        "_source": [target.title] if target.title else False,
        "track_total_hits": True,
        "sort": ORDER,
        "script_fields": {BEST: {"script": distance_script(pairs)}},
    }


def _with_similar(query: Body, similar: Body) -> Body:
    """`query` whose BM25 side is widened by the candidates, which add nothing to its score."""
    if "script_score" in query:
        scored = query["script_score"]
        return {"script_score": {**scored, "query": _with_similar(scored["query"], similar)}}
    inner = query["bool"]
    return {"bool": {**inner, "should": [*inner["should"], similar]}}


def _given(asked: float | None, known: float) -> float:
    return known if asked is None else asked
