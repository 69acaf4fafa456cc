"""What would become of a search body: for the administrator, before any rule is set."""

import asyncio
from collections.abc import Callable
from typing import Any

from encoders.api import Item
from integration.engine.client import Cluster
from integration.gateway import json_text
from integration.gateway.attachments import Attachment, Attachments, check_spaces
from integration.gateway.positions import written
from integration.gateway.trees import Unreadable
from integration.gateway.widening.decision import Untouched, look
from integration.gateway.widening.expanding import expanded, expansion
from integration.gateway.widening.requests import fields_of
from integration.gateway.widening.reranking import reranked, script_for
from integration.gateway.widening.rules import rule_for
from integration.gateway.widening.strings import Unsure
from integration.queries import QueryCodes, encode_query
from integration.settings import Settings
from integration.state import Bundle
from mappings.errors import NotAttachedError, RequestError

Encode = Callable[[Item, Bundle, Settings, str | None], QueryCodes]


def explain(
    cluster: Cluster,
    settings: Settings,
    broker_url: str | None,
    index: str,
    raw: bytes,
    *,
    encode: Encode = encode_query,
) -> dict[str, Any]:
    """The decision on the search body `raw` (JSON) for an index expression, and the body that would be sent.

    With `expand`, `adds` holds the request for what is added; its ids stand in the body then, where here are none.
    Raises RequestError for a body that is no JSON object, UnknownIndexError, and what stands in the way of a code.
    """
    try:
        tree = json_text.loads(raw)
    except Unreadable as error:
        raise RequestError(f"the body is no JSON that the gateway reads, so it would pass as it is: {error}") from error
    try:
        reached = asyncio.run(Attachments(cluster, settings.data).whole(index, {}))
    except NotAttachedError as error:
        return _told(index, [], settings, Untouched("not_attached", str(error)))
    found = look(tree, {}, fields_of(reached))
    told = _told(index, reached, settings, found if isinstance(found, Untouched) else None)
    if isinstance(found, Untouched):
        return told
    codes, by = {}, ""
    for space, one in {one.target.space: one for one in reached}.items():
        made = encode(Item(found.text), one.known.bundle, settings, broker_url)
        codes[space], by = [(part, code) for part, code in made.codes.items() if part == "text"], made.by
    told |= {"words": list(found.texts), "limits": list(found.limits), "place": written(found.path)}
    try:
        check_spaces(reached)
        targets = [one.target for one in reached]
        script = script_for(targets, codes)
        body = reranked(tree, found.path, script)
        if told["mode"] == "expand":
            more = expansion(tree, found, fields_of(reached), targets, codes)
            told["adds"] = {"k": more.k, "min_similarity": more.least, "request": more.request, "reason": None}
            body = expanded(tree, found, script, more.limits, ())
    except Unsure as unsure:
        told["adds"] = {"k": 0, "min_similarity": None, "request": None, "reason": str(unsure)}
    except RequestError as error:
        return {**told, "widened": False, "kind": "settings", "reason": str(error)}
    return {**told, "encoded_by": by, "body": body}


def _told(index: str, reached: list[Attachment], settings: Settings, why: Untouched | None) -> dict[str, Any]:
    indices = [one.known.index for one in reached]
    rule = rule_for(settings.widen, index, indices)
    return {
        "index": index,
        "indices": indices,
        "rule": str(rule) if rule else None,
        "mode": rule.mode if rule else "off",
        "widened": why is None,
        "kind": why.kind if why else None,
        "reason": why.reason if why else None,
    }
