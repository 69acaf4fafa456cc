"""From `crosshatch` clauses to native queries with the stored scripts. Pure: every rewritten search can be printed.

At the top, or in `should` up to it, a clause finds what its BM25 side finds and, of the others, the `k` most similar:
`candidates` is the request for those, inside every restriction that stands around the clause; their ids go into
`rewritten`. Elsewhere one `script_score` with `min_similarity` says it all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration.gateway.clause import Clause
from integration.gateway.positions import NAME, Path, Place
from integration.search.bands import missing, near
from integration.search.hits import worked_out
from integration.search.plan import BEST, ORDER, Target, pairs_of
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.fields import PARTS
from mappings.scripts import SMALLEST, Pair, distance_script, score_script

Body = dict[str, Any]
Found = Sequence[tuple[str, str]]  # (index, id)
Coded = Sequence[tuple[str, HashCode]]  # (query part, code)
WORDS = "crosshatch:bm25"  # the name of the BM25 side, under which the engine tells its score
_NOTHING: Body = {"match_none": {}}
_ALL: Body = {"match_all": {}}
# what of a search body has a say in what its query means
_CONTEXT = ("pit", "derived", "timeout", "runtime_mappings")


@dataclass(frozen=True, slots=True)
class Side:
    """A clause that is ready to be written: what is compared, and by which numbers."""

    place: Place
    clause: Clause
    pairs: tuple[Pair, ...]
    weight: float
    saturation: float
    least: float
    k: int
    near: Body | None = None  # what its candidates are among; all records where None

    @property
    def chosen(self) -> bool:
        """Whether its hits by code are chosen first, by a request of their own."""
        return self.place.role == "top"


@dataclass(frozen=True, slots=True)
class Share:
    """How the BM25 score of a hit is worked out where the engine does not tell it: the clause alone ranks."""

    weight: float
    saturation: float
    boost: float

    def bm25(self, score: float, similarity: float) -> float | None:
        """Of a hit that the words match, from its score and the similarity of its best pair."""
        return worked_out(score / self.boost, similarity, weight=self.weight, saturation=self.saturation)


def side(place: Place, clause: Clause, targets: Sequence[Target], codes: Mapping[str, Coded]) -> Side:
    """Bring a clause, what is searched and the query's codes together.

    `codes` are (query part, code) by space: each is compared with the stored codes of its own. Raises RequestError
    where nothing can be compared, or where the indices searched have different numbers and the clause gives none.
    """
    spaces = {target.space: target for target in targets if codes.get(target.space)}
    given = clause.part_weights
    try:
        check_part_weights(targets, given)
        pairs = [pair for space, one in spaces.items() for pair in pairs_of(one, codes[space], clause.on, given)]
    except RequestError as error:
        raise RequestError(f"[{place}] {error}") from error

    def number(name: str) -> Any:
        asked = getattr(clause, name)
        known = {getattr(target, name) for target in targets}
        if asked is None and len(known) > 1:
            raise RequestError(
                f"[{place}.{name}] is {sorted(known)} in the indices that are searched; say in the clause which counts"
            )
        return known.pop() if asked is None else asked

    weight, least, k = float(number("weight")), float(number("min_similarity")), int(number("k"))
    if clause.query is None:
        weight = weight or 1.0  # nothing else is left to rank by
    found = _near(place, clause, pairs, list(spaces.values()))
    return Side(place, clause, tuple(pairs), weight, float(number("saturation")), least, k, found)


def check_part_weights(targets: Sequence[Target], asked: Mapping[str, float]) -> None:
    """Raises RequestError where one field's codes would count differently from index to index."""
    for part in PARTS:
        for space in {target.space for target in targets}:
            known = {target.part_weight(part, asked) for target in targets if target.space == space}
            if len(known) > 1:
                raise RequestError(
                    f"the weight of part {part} is {sorted(known)} in the indices that are searched; say in "
                    "part_weights which counts, or search them one by one"
                )


def _near(place: Place, clause: Clause, pairs: Sequence[Pair], targets: Sequence[Target]) -> Body | None:
    """What shares a band with the query, where the clause leaves or wants it so."""
    if clause.plan == "exact" or place.role != "top":
        return None
    found = near(pairs, {one.space: (one.bands, one.radius) for one in targets if one.bands})
    if found is None and clause.plan == "bands":
        raise missing(next(one for one in targets if one.bands is None))
    return found


def candidates(tree: Body, one: Side) -> Body:
    """The request for the `k` most similar that the BM25 side does not find, in the body `tree`.

    Clauses that stand among the restrictions must have been rewritten there already.
    """
    filters, excluded = restrictions(tree, one.place.path)
    if one.near is not None:
        filters.append(one.near)
    if one.clause.query is not None:
        excluded.append(one.clause.query)
    excluded += _likes([one])
    inner = {"bool": {"filter": filters or [_ALL], **({"must_not": excluded} if excluded else {})}}
    script = score_script(one.pairs, weight=1.0, saturation=one.saturation, min_similarity=one.least)
    body = {
        "query": {"script_score": {"query": inner, "script": script, "min_score": SMALLEST}},
        "size": one.k,
        "_source": False,
        "track_total_hits": False,
        "sort": ORDER,
    }
    root = _root(tree, one.place.path)
    return {**{key: root[key] for key in _CONTEXT if key in root}, **body}


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


def rewritten(tree: Body, sides: Iterable[Side], found: Mapping[Path, Found], named: Side | None = None) -> Body:
    """`tree` with each clause as a native query; `found` are the candidates of those that are chosen first.

    The BM25 side of `named` gets a name, so that the engine tells its score. What is not on the way to a clause is the
    same object as before.
    """
    for one in sides:
        query = native(one, found.get(one.place.path, ()), WORDS if one is named else None)
        tree = replaced(tree, one.place.path, query)
    return tree


def native(one: Side, found: Found = (), name: str | None = None) -> Body:
    """The native query of a clause."""
    clause = one.clause
    if one.place.role == "highlight":
        return clause.query or _NOTHING
    should: list[Body] = []
    if clause.query is not None:
        should.append({"bool": {"must": [clause.query], "_name": name}} if name else clause.query)
    similar = _these(found) if one.chosen else _ALL
    should.append({"constant_score": {"filter": similar, "boost": 0}})
    excluded = _likes([one])
    inner = {"bool": {"should": should, "minimum_should_match": 1, **({"must_not": excluded} if excluded else {})}}
    least = None if one.chosen else one.least
    script = score_script(one.pairs, weight=one.weight, saturation=one.saturation, min_similarity=least)
    score: Body = {"query": inner, "script": script}
    if least is not None:
        score["min_score"] = SMALLEST
    if clause.boost != 1.0:
        score["boost"] = float(clause.boost)
    if clause.name is not None:
        score["_name"] = clause.name
    return {"script_score": score}


def share(tree: Body, one: Side) -> Share | None:
    """None where something else has a say in a hit's score, or the words have none."""
    if one.place.role != "top" or one.weight == 1 or not one.clause.boost or {"rescore", "indices_boost"} & set(tree):
        return None
    node: Any = tree
    for step in one.place.path:
        if step == "should" and (len([*_listed(node.get("must")), *_listed(node[step])]) > 1 or "boost" in node):
            return None
        node = node[step]
    return Share(one.weight, one.saturation, float(one.clause.boost))


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
    return [_these([(like.index or "", like.id)]) for like in likes]


def _these(found: Found) -> Body:
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


def _root(tree: Body, path: Path) -> Body:
    """The search body that a path leads into: that of its request, in a ranking evaluation."""
    if path[:1] != ("requests",):
        return tree
    root: Body = tree["requests"][path[1]]["request"]
    return root


def _listed(node: Any) -> list[Body]:
    return [] if node is None else list(node) if isinstance(node, list) else [node]


__all__ = [
    "NAME",
    "Share",
    "Side",
    "by_words",
    "candidates",
    "check_part_weights",
    "explained",
    "native",
    "replaced",
    "rewritten",
    "share",
    "side",
]
