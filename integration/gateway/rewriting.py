"""From `crosshatch` clauses to native queries with the stored scripts. Pure: every rewritten search can be printed.

At the top, or in `should` up to it, a clause finds what its BM25 side finds and, of the others, the `k` most similar:
`candidates` is the request for those, inside every restriction that stands around the clause; their ids go into
`rewritten`. Where ranks are fused, `listed` is the request for what its BM25 side finds, beside it. Elsewhere one
`script_score` with `min_similarity` says it all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration.gateway.clause import Clause
from integration.gateway.positions import Path, Place
from integration.gateway.sides import Side
from integration.search import knn
from integration.search.hits import worked_out
from integration.search.plan import BEST, Body, found_by, nearest_by
from integration.search.ranks import Ranks, Record
from mappings.errors import RequestError
from mappings.scripts import SMALLEST, Pair, distance_script, score_script

Found = Sequence[Record]
WORDS = "crosshatch:bm25"  # the name of the BM25 side, under which the engine tells its score
_NOTHING: Body = {"match_none": {}}
_ALL: Body = {"match_all": {}}
# what of a search body has a say in what its query means
_CONTEXT = ("pit", "derived", "timeout", "runtime_mappings")


@dataclass(frozen=True, slots=True)
class Share:
    """How the BM25 score of a hit is worked out where the engine does not tell it: the clause alone ranks."""

    weight: float
    saturation: float
    boost: float

    def bm25(self, score: float, similarity: float) -> float | None:
        """Of a hit that the words match, from its score and the similarity of its best pair."""
        return worked_out(score / self.boost, similarity, weight=self.weight, saturation=self.saturation)


def candidates(tree: Body, one: Side) -> Body:
    """The request for the `k` most similar, of those that the BM25 side does not find unless ranks are fused.

    Clauses that stand among the restrictions in the body `tree` must have been rewritten there already.
    """
    filters, excluded = restrictions(tree, one.place.path)
    if one.near is not None:
        filters.append(one.near)
    if one.clause.query is not None and not one.ranked:
        excluded.append(one.clause.query)
    excluded += _likes([one])
    query = similar_query(one.pairs, filters, excluded, least=one.least)
    if one.plugin == "knn":
        query = knn.narrowed(query, one.pairs, one.k)
    elif one.plugin == "knn-score":
        query = knn.hammingbit(one.pairs[0], query["script_score"]["query"], one.least)
    return {**_context(tree, one.place.path), **nearest_by(query, one.k)}


def similar_query(pairs: Sequence[Pair], filters: Sequence[Body], excluded: Sequence[Body], *, least: float) -> Body:
    """What is at least so similar, by similarity alone; all of `filters` hold, and none of `excluded`.

    What is not scores 0, and stays out by `nearest_by`.
    """
    inner = {"bool": {"filter": list(filters) or [_ALL], **({"must_not": list(excluded)} if excluded else {})}}
    script = score_script(pairs, weight=1.0, saturation=1.0, min_similarity=least)
    return {"script_score": {"query": inner, "script": script}}


def listed(tree: Body, one: Side) -> Body:
    """The request for the `k` best that the BM25 side finds, likewise."""
    filters, excluded = restrictions(tree, one.place.path)
    excluded += _likes([one])
    query = {"bool": {"must": [one.clause.query], "filter": filters, "must_not": excluded}}
    return {**_context(tree, one.place.path), **found_by(query, one.k)}


def counted(tree: Body, one: Side, most: int) -> Body:
    """The request that counts the records that a clause may find; beyond `most` it need not go on."""
    filters, excluded = restrictions(tree, one.place.path)
    query = {"bool": {"filter": filters or [_ALL], "must_not": [*excluded, *_likes([one])]}}
    return {**_context(tree, one.place.path), "query": query, "size": 0, "track_total_hits": most + 1}


def restrictions(tree: Body, path: Path) -> tuple[list[Body], list[Body]]:
    """What must hold, and what must not, around the query object at `path`: the other members of its bool queries."""
    filters: list[Body] = []
    excluded: list[Body] = []
    node: Any = tree
    for step in path:
        if step == "should":
            filters += [*_listed(node.get("must")), *_listed(node.get("filter"))]
            excluded += _listed(node.get("must_not"))
        node = node[step]
    return filters, excluded


def rewritten(
    tree: Body, sides: Iterable[Side], found: Mapping[Path, Found | Ranks], named: Side | None = None
) -> Body:
    """`tree` with each clause as a native query; `found` are the candidates, or the ranks, of those chosen first.

    The BM25 side of `named` gets a name, so that the engine tells its score. What is not on the way to a clause is the
    same object as before.
    """
    for one in sides:
        query = native(one, found.get(one.place.path, ()), WORDS if one is named else None)
        tree = replaced(tree, one.place.path, query)
    return tree


def native(one: Side, found: Found | Ranks = (), name: str | None = None) -> Body:
    """The native query of a clause."""
    clause = one.clause
    if one.place.role == "highlight":
        return clause.query or _NOTHING
    words = {"bool": {"must": [clause.query], "_name": name}} if name else clause.query
    if isinstance(found, Ranks):
        return {"bool": {"must": [found.query(words or _NOTHING)], "must_not": _likes([one]), **_said(clause)}}
    should = [words] if words is not None else []
    similar = these(found) if one.chosen else _ALL
    should.append({"constant_score": {"filter": similar, "boost": 0}})
    excluded = _likes([one])
    inner = {"bool": {"should": should, "minimum_should_match": 1, **({"must_not": excluded} if excluded else {})}}
    least = None if one.chosen else one.least
    script = score_script(one.pairs, weight=one.weight, saturation=one.saturation, min_similarity=least)
    score: Body = {"query": inner, "script": script}
    if least is not None:
        score["min_score"] = SMALLEST
    return {"script_score": {**score, **_said(clause)}}


def _said(clause: Clause) -> Body:
    """What every query may say."""
    boost = {} if clause.boost == 1.0 else {"boost": float(clause.boost)}
    return boost if clause.name is None else {**boost, "_name": clause.name}


def share(tree: Body, one: Side) -> Share | None:
    """None where something else has a say in a hit's score, or the words have none."""
    if one.ranked or one.weight == 1 or not one.clause.boost or {"rescore", "indices_boost"} & set(tree):
        return None
    return Share(one.weight, one.saturation, float(one.clause.boost)) if _ranks_alone(tree, one.place) else None


def check_ranking(tree: Body, sides: Iterable[Side]) -> None:
    """Raises RequestError where the scores of ranks, none above 1/60, would be added to those of other queries."""
    for one in sides:
        if one.ranked and not _ranks_alone(tree, one.place):
            raise RequestError(
                f"[{one.place}.fusion] rrf has scores that those of queries beside it would drown; put what only "
                "restricts into filter, and what ranks into the clause's `query`"
            )


def _ranks_alone(tree: Body, place: Place) -> bool:
    """Whether nothing else in the query has a say in the score of a hit."""
    node: Any = tree
    for step in place.path:
        if step == "should" and (len([*_listed(node.get("must")), *_listed(node[step])]) > 1 or "boost" in node):
            return False
        node = node[step]
    return place.role == "top"


def by_words(tree: Body, places: Iterable[tuple[Place, Clause]]) -> Body:
    """`tree` with each clause replaced by its BM25 side: what is left where no code can be had."""
    for place, clause in places:
        tree = replaced(tree, place.path, clause.query or _NOTHING)
    return tree


def explained(tree: Body, one: Side, params: Mapping[str, str]) -> Body:
    """`tree` whose hits tell their best pair. `_source` stays what the request, with its URL `params`, asked for.

    Raises RequestError where a script field of the caller's has our name.
    """
    own = tree.get("script_fields") or {}
    if BEST in own:
        raise RequestError(f"[script_fields.{BEST}] is the name under which each hit explains itself; use another")
    more: Body = {"script_fields": {**own, BEST: {"script": distance_script(one.pairs)}}}
    says = {"_source", "_source_includes", "_source_excludes", "stored_fields"} & set(params)
    if not says and not own and "_source" not in tree and "stored_fields" not in tree:
        more["_source"] = True  # a script field switches it off where nothing else is said
    return {**tree, **more}


def replaced(tree: Any, path: Path, query: Body) -> Any:
    """A copy of `tree`, shallow but along `path`, with `query` there."""
    if not path:
        return query
    step, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [replaced(held, rest, query) if at == step else held for at, held in enumerate(tree)]
    return {name: replaced(held, rest, query) if name == step else held for name, held in tree.items()}


def _likes(sides: Iterable[Side]) -> list[Body]:
    """The records that hits are like are no hits."""
    likes = [one.clause.like for one in sides if one.clause.like is not None]
    return [these([(like.index or "", like.id)]) for like in likes]


def these(found: Found) -> Body:
    """Just these documents; the same id may stand in several indices."""
    by_index: dict[str, list[str]] = {}
    for index, record in found:
        by_index.setdefault(index, []).append(record)
    if not by_index or "" in by_index:
        return {"ids": {"values": [record for _, record in found]}}
    each = [{"bool": {"filter": [{"term": {"_index": i}}, {"ids": {"values": r}}]}} for i, r in by_index.items()]
    if len(each) == 1:
        return each[0]
    return {"bool": {"should": each}}


def _context(tree: Body, path: Path) -> Body:
    """What of a search body has a say in the query that a path leads to: of its request, in a ranking evaluation."""
    root = tree["requests"][path[1]]["request"] if path[:1] == ("requests",) else tree
    return {key: root[key] for key in _CONTEXT if key in root}


def _listed(node: Any) -> list[Body]:
    return [] if node is None else list(node) if isinstance(node, list) else [node]
