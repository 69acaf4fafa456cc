"""The bands plan, without any input or output: the exact plan, whose similar side looks only at what shares a band.

Terms of the query's bands and of their Hamming neighbours let a few thousand records pass, and our stored script scores
these, so that distance, part, picture and similarity are the exact plan's own. What is farther than the bands' proven
distance may be missed. A fused search whose page lies in the first `PAGE` hits needs no script for every record that
the words match: two lists are asked for at once, each scored by both sides, and merged.

- words: the best `window` by BM25, then scored by both sides (`rescore`);
- codes: of what shares bands the most similar, three times as many, then scored by both sides.

Lost is only what neither finds: a record that ranks behind both windows, or behind that of the words and is less
similar than `min_similarity`. BM25 for all that shares bands would find a little more, and takes half as long again:
only without it does the engine count agreeing bands in bulk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from integration.search.plan import (
    BEST,
    SIMILAR,
    WORDS,
    Body,
    Lists,
    SearchPlan,
    Target,
    least_similar,
    most_similar,
    pairs_of,
    plan,
)
from integration.search.request import SearchRequest
from mappings.bands import Banding, Reach, field_name
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.scripts import Pair, score_script
from mappings.weighted import WeightedCode

TERMS = 20_000  # of one query; the engine takes 65,536, and reading the whole index is faster long before
PAGE = 100  # the last hit that the two lists are asked for
CLOSER = 3  # times the words' window: so many of the codes' list are scored by both sides
COUNTED = 10_000  # hits that are counted exactly where a request does not want them all counted
ROUNDING = 1e-6  # scores are in [0, 1] and of single precision
BOTH = "both"  # the aggregation that counts the codes' hits that the words match, too


def near(pairs: Sequence[Pair], cut: Mapping[str, tuple[Banding, Reach]]) -> Body | None:
    """Records with a code of which as many bands as must agree come near those of a query code it is compared with.

    Of a part with several codes, two bands may be of two of them: the script sorts out what that brings.

    `cut` tells bands and reach by space; None where a space has no bands: then every record must be looked at.
    """
    terms: dict[str, dict[str, None]] = {}
    several: list[Body] = []
    for pair in pairs:
        if pair.space not in cut:
            return None
        banding, reach = cut[pair.space]
        name, own = field_name(pair.space, pair.part), banding.terms(pair.code, reach.radius)
        agree = min(reach.agree, banding.count)
        if agree == 1:
            terms.setdefault(name, {}).update(dict.fromkeys(term for band in own for term in band))
        else:
            each_band = [{"terms": {name: band}} for band in own]
            several.append({"bool": {"should": each_band, "minimum_should_match": agree}})
    each: list[Body] = [*({"terms": {name: list(of_field)}} for name, of_field in terms.items()), *several]
    return each[0] if len(each) == 1 else {"bool": {"should": each}}


def bands_plan(
    request: SearchRequest,
    target: Target,
    codes: Sequence[tuple[str, HashCode]],
    filters: Sequence[Body] = (),
    *,
    reach: Reach | None = None,
) -> SearchPlan:
    """The exact plan with bands. `reach` is the target's own where None. Raises RequestError where it has no bands."""
    pairs = pairs_of(target, codes, request.on, request.part_weights)
    cut = {target.space: (target.bands, reach or target.reach)} if target.bands else {}
    found = near(pairs, cut)
    if found is None:
        raise missing(target)
    exact = plan(request, target, codes, filters)
    whole = exact.among("bands", _narrowed(exact.similar, found))
    # at 0 there is nothing to merge, at 1 no score would tell BM25's share, and ranks are merged elsewhere
    if exact.candidates is None or exact.listed or exact.weight in (0, 1) or request.start + request.size > PAGE:
        return whole
    by_words = _words(request, whole, pairs)
    by_codes = _codes(request, whole, pairs, found, least_similar(request, target))
    k = most_similar(request, target)
    return replace(whole, lists=Lists(by_words, by_codes, request.start, request.size, k, exact.weight))


def window(size: int) -> int:
    """How many of the best by BM25 are scored by both sides. The same for every page of `size` hits, so that pages fit.

    On 100,000 records the best 50 hold all of the fused best 10 that the codes do not find, at w .2, .5 and .8. Of the
    codes' list, on a million, 100 are enough for that, and 300 cost little more.
    """
    return min(1000, max(PAGE, 10 * size))


def missing(target: Target) -> RequestError:
    """What a search is told that wants bands where there are none."""
    return RequestError(
        f"space {target.space} of index {target.index} has no bands; take another plan, or run "
        f"`crosshatch plans add {target.index} bands`"
    )


def _narrowed(body: Body, found: Body) -> Body:
    """A search by codes in which only what `found` lets pass is scored."""
    scored = body["query"]["script_score"]
    inner = scored["query"]["bool"]
    kept = [clause for clause in inner["filter"] if clause != {"match_all": {}}]
    query = {"bool": {**inner, "filter": [*kept, found]}}
    return {**body, "query": {"script_score": {**scored, "query": query}}}


def unseen(pairs: Sequence[Pair], banding: Banding, reach: Reach) -> float:
    """The highest similarity that a record may have which is not found; -1 where there is none."""
    if reach.radius >= banding.width:
        return -1.0
    return max((pair.most_similar(_beyond(pair.code, banding, reach)) for pair in pairs), default=-1.0)


def _beyond(code: HashCode, banding: Banding, reach: Reach) -> float:
    """The smallest distance of a code that is not found: in all bands but those that may agree without being enough,
    more bits differ than the radius.

    Where bits have weights, these are the lightest of their bands, and these the lightest bands.
    """
    if not isinstance(code, WeightedCode):
        return banding.proven(reach) + 1
    each = [code.weights[bit] for bit in banding.order]
    starts, differing = range(0, len(each), banding.width), reach.radius + 1
    lightest = sorted(sum(sorted(each[at : at + banding.width])[:differing]) for at in starts)
    apart = lightest[: banding.apart(reach)]
    return min(code.floor + code.unit * sum(apart), code.bits)


def merged(lists: Lists, answers: Sequence[Mapping[str, Any]]) -> Body:
    """One answer out of those to the lists. Ties by `_id`. Where hits are not all counted, the total is the least."""
    words, codes = (answer["hits"] for answer in answers)
    best = {hit["_id"]: hit for hit in words["hits"]}
    others = 0
    for hit in codes["hits"]:
        if _words_match(hit, lists.weight):
            hit = {**hit, "matched_queries": [WORDS]}
        else:
            others += 1
            if others > lists.k:
                continue
        best.setdefault(hit["_id"], hit)
    ranked = sorted(best.values(), key=lambda hit: (-hit["_score"], hit["_id"]))
    counted = answers[1].get("aggregations")
    similar = codes["total"]["value"] - counted[BOTH]["doc_count"] if counted else others
    total = {"value": words["total"]["value"] + min(lists.k, similar), "relation": "eq" if counted else "gte"}
    return {"hits": {"total": total, "hits": ranked[lists.start : lists.start + lists.size]}}


def _words_match(hit: Mapping[str, Any], weight: float) -> bool:
    """Whether the words match a hit of the codes, too. Few engines name queries of a `rescore`: the score tells it."""
    if WORDS in (hit.get("matched_queries") or {}):
        return True
    [best] = hit["fields"][BEST]
    return float(hit["_score"]) - weight * float(best["similarity"]) > ROUNDING


def _words(request: SearchRequest, whole: SearchPlan, pairs: Sequence[Pair]) -> Body:
    query = whole.fused["query"]["script_score"]["query"]
    return {
        **_shown(request, whole),
        "query": query,
        "rescore": _by_both(query, whole, pairs, window(request.size)),
        "track_total_hits": True if request.count else COUNTED,
    }


def _codes(request: SearchRequest, whole: SearchPlan, pairs: Sequence[Pair], found: Body, least: float) -> Body:
    restricted = whole.fused["query"]["script_score"]["query"]["bool"]
    [words] = restricted["should"]
    limits = {name: restricted[name] for name in ("filter", "must_not") if name in restricted}
    inner = {"bool": {**limits, "filter": [*limits.get("filter", []), found]}}
    script = score_script(pairs, weight=1.0, saturation=whole.saturation, min_similarity=least)
    either = {"bool": {"filter": [{"match_all": {}}], "should": [words]}}
    return {
        **_shown(request, whole),
        "query": {"script_score": {"query": inner, "script": script}},
        **SIMILAR,
        "rescore": _by_both(either, whole, pairs, CLOSER * window(request.size)),
        **({"aggs": {BOTH: {"filter": words}}} if request.count else {}),
        "track_total_hits": True,
    }


def _by_both(query: Body, whole: SearchPlan, pairs: Sequence[Pair], most: int) -> Body:
    """A `rescore` of the best `most` by the score of words and code; `query` gives BM25, or 0."""
    script = score_script(pairs, weight=whole.weight, saturation=whole.saturation)
    both = {"rescore_query": {"script_score": {"query": query, "script": script}}, "query_weight": 0}
    return {"window_size": most, "query": {**both, "rescore_query_weight": 1}}


def _shown(request: SearchRequest, whole: SearchPlan) -> Body:
    """Both lists are read to the end of the page; ties are settled when they are merged, without sorting by `_id`."""
    shown = {name: whole.fused[name] for name in ("_source", "script_fields")}
    return {**shown, "size": request.start + request.size}
