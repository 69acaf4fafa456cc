"""The answer to a rewritten search: each hit explains itself, and what we added for that is taken out again.

JSON is opened no further than to the hits: documents stay the bytes that the engine sent.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from integration.gateway import bodies
from integration.gateway.rewriting import WORDS, Share
from integration.search.plan import BEST

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_HITS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_NO_CODE = {"distance": None, "part": None, "picture": None, "similarity": None}


def annotated(answer: bytes, headers: bodies.Headers, *, scores: bool | None) -> bytes:
    """A search's answer with `fields.crosshatch` in each hit.

    `scores`: the caller asked for the scores of named queries, which make `matched_queries` an object; else it is a
    list; None: no name in it is ours. What is no answer of hits, an error say, stays as it is.
    """
    try:
        if _is_packed(headers):
            body = bodies.decode(answer, headers)
            return answer if body is None else body.encode(_tree(body.tree, scores))
        return msgspec.json.encode(_response(_OBJECT.decode(answer), scores))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return answer


def annotated_each(answer: bytes, headers: bodies.Headers, which: Mapping[int, Share | None]) -> bytes:
    """The same for the answers of a multi-search of these numbers, which tell no scores of named queries.

    Each with how that of its BM25 side is worked out, None where it cannot be.
    """
    try:
        if _is_packed(headers):
            if (body := bodies.decode(answer, headers)) is None:
                return answer
            for at, share in which.items():
                _tree(body.tree["responses"][at], share)
            return body.encode(body.tree)
        whole = _OBJECT.decode(answer)
        each: list[Any] = list(_LIST.decode(whole["responses"]))
        for at, share in which.items():
            each[at] = _response(_OBJECT.decode(each[at]), share)
        return msgspec.json.encode({**whole, "responses": each})
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):  # filtered by the caller
        return answer


def _is_packed(headers: bodies.Headers) -> bool:
    """Whether an answer is no plain JSON, and has to be decoded whole."""
    form = bodies.form_of(headers)
    return form is not None and (form.media != bodies.JSON or bool(form.packing))


def _response(answer: dict[str, Any], scores: bool | Share | None) -> dict[str, Any]:
    if "hits" not in answer:
        return answer
    outer: dict[str, Any] = dict(_OBJECT.decode(answer["hits"]))
    if "hits" in outer:
        outer["hits"] = [_opened(hit, scores) for hit in _HITS.decode(outer["hits"])]
    return {**answer, "hits": outer}


def _opened(hit: dict[str, Any], scores: bool | Share | None) -> dict[str, Any]:
    if "matched_queries" in hit:
        hit["matched_queries"] = msgspec.json.decode(hit["matched_queries"])
    fields: dict[str, Any] = dict(_OBJECT.decode(hit["fields"])) if "fields" in hit else {}
    if BEST in fields:
        fields[BEST] = msgspec.json.decode(fields[BEST])
    return _explained({**hit, "fields": fields}, scores)


def _tree(answer: Any, scores: bool | Share | None) -> Any:
    hits = answer.get("hits", {}).get("hits", []) if isinstance(answer, dict) else []
    hits[:] = [_explained(hit, scores) for hit in hits]
    return answer


def _explained(hit: dict[str, Any], scores: bool | Share | None) -> dict[str, Any]:
    """`scores` None: nothing in it is of ours, and the score of the BM25 side is not known; a share works it out."""
    fields = hit.get("fields") or {}
    best = next(iter(fields.get(BEST) or ()), None) or _NO_CODE
    if scores is None:
        return {**hit, "fields": {**fields, BEST: [best]}}
    named = hit.pop("matched_queries", None) or {}
    bm25 = named.get(WORDS) if isinstance(named, dict) else None
    if isinstance(scores, Share):
        bm25, scores = _worked_out(hit, scores, best) if WORDS in named else None, False
    others = [name for name in named if name != WORDS]
    if others:
        hit["matched_queries"] = {name: named[name] for name in others} if scores else others
    hit["fields"] = {**fields, BEST: [{**best, "bm25": bm25}]}
    return hit


def _worked_out(hit: dict[str, Any], share: Share, best: Mapping[str, Any]) -> float | None:
    score = hit.get("_score")
    if isinstance(score, msgspec.Raw):
        score = msgspec.json.decode(score)
    return None if score is None else share.bm25(score, best["similarity"] or 0.0)
