"""Ask the engine what a plan says: one request, two in turn, or two lists at once that are merged by score or rank."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from integration.engine.client import Cluster, part
from integration.search.bands import merged
from integration.search.plan import NAMED_SCORES, PLUGIN, SearchPlan, guards
from integration.search.proving import Round
from integration.search.scripts import ensure_scripts
from mappings.errors import EngineRefused, RequestError


def answered(cluster: Cluster, searched: SearchPlan, ours: Cluster | None = None) -> Any:
    """The answer that holds the page's hits. `ours` is the cluster with our own account, where `cluster` is a caller's.

    Where the two lists are refused (an account that may not send `_msearch`, an engine that cannot rescore), the plan's
    other form answers the same. Raises RequestError, EngineRefused, EngineUnavailable.
    """
    if searched.lists:
        try:
            return merged(searched.lists, _together(cluster, searched, ours))
        except EngineRefused:
            searched = replace(searched, lists=None)
    return _ask(cluster, searched, final_body(cluster, searched, ours), searched.params, ours)


def proven(cluster: Cluster, rounds: Iterable[Round], ours: Cluster | None = None) -> tuple[SearchPlan, Any]:
    """Ask rounds until one proves its answer: the plan of that one, and the answer that holds the page's hits."""
    for one in rounds:
        searched = replace(one.plan, lists=None)
        alone = searched.candidates is None
        answer = _ask(cluster, searched, searched.similar, searched.params if alone else {}, ours)
        if not one.proves(answer):
            continue
        if searched.listed:
            words = _ask(cluster, searched, searched.listed, {}, ours)
            searched = searched.ranked(_ids(words), _ids(answer))
        if not alone:
            answer = _ask(cluster, searched, searched.body(_ids(answer)), searched.params, ours)
        return replace(searched, name="bands-exact"), answer
    raise AssertionError("the last round is the exact plan, which looks at every record")


def in_ranks(cluster: Cluster, searched: SearchPlan, ours: Cluster | None = None) -> SearchPlan:
    """A plan that fuses ranks, once both its lists were asked for; every other as it is.

    Raises RequestError, EngineRefused, EngineUnavailable.
    """
    if not searched.listed:
        return searched
    try:
        words, codes = _together(cluster, searched, ours)
    except EngineRefused as error:
        raise _told(error, searched.name) from error
    return searched.ranked(_ids(words), _ids(codes))


def _together(cluster: Cluster, searched: SearchPlan, ours: Cluster | None) -> Any:
    """The answers to both lists, in one request. Raises EngineRefused where either is refused."""
    path = f"/{part(searched.index)}/_msearch"
    lines = list_lines(searched)
    answers = cluster.request("POST", path, body=lines)["responses"]
    if any("unable to find script" in json.dumps(one["error"]) for one in answers if "error" in one):
        ensure_scripts(ours or cluster)
        answers = cluster.request("POST", path, body=lines)["responses"]
    for one in answers:
        if "error" in one:
            error = one["error"]
            raise EngineRefused(
                int(one.get("status", 500)), str(error.get("type")), str(error.get("reason")), "_msearch"
            )
    return answers


def list_lines(searched: SearchPlan) -> bytes:
    """The body of the `_msearch` for the plan's lists."""
    bodies = searched.lists.bodies if searched.lists else (searched.listed, searched.candidates)
    lines = [line for body in bodies for line in (guards(searched.name), body)]
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def final_body(cluster: Cluster, searched: SearchPlan, ours: Cluster | None = None) -> dict[str, Any]:
    """The body that gives the hits; where the plan has a first step, it is taken here."""
    searched = in_ranks(cluster, searched, ours)
    if searched.candidates is None:
        return searched.body()
    answer = _ask(cluster, searched, searched.candidates, {}, ours)
    return searched.body(_ids(answer))


def _ids(answer: Mapping[str, Any]) -> list[str]:
    return [hit["_id"] for hit in answer["hits"]["hits"]]


def _ask(
    cluster: Cluster,
    searched: SearchPlan,
    body: Mapping[str, Any],
    params: Mapping[str, str],
    ours: Cluster | None = None,
) -> Any:
    """Send one request. Raises RequestError where the engine says that the request itself is wrong.

    `attach` stored the scripts; they are looked for again only where the cluster has lost them, since an account that
    searches need not be allowed to read or store scripts.
    """
    path = f"/{part(searched.index)}/_search"
    sent = {**params, **guards(searched.name)}
    try:
        return cluster.request("POST", path, params=sent, body=body)
    except EngineRefused as error:
        if params and f"unrecognized parameter: [{NAMED_SCORES}]" in error.reason:  # Elasticsearch before 8.8
            return _ask(cluster, searched, body, {})
        if error.kind != "resource_not_found_exception" or "unable to find script" not in error.reason:
            raise _told(error, searched.name) from error
    ensure_scripts(ours or cluster)
    return cluster.request("POST", path, params=sent, body=body)


def _told(error: EngineRefused, plan: str) -> Exception:
    """The refusals that a caller or an administrator can do something about, in our words."""
    if plan in PLUGIN and "knn" in error.reason.lower():
        reason = f"the plan {plan} failed ({error.reason}); take another plan, or `auto`"
        return EngineRefused(error.status, error.kind, reason, "a search")
    if "too_many" in error.kind or "maxClauseCount" in error.reason:
        return RequestError(f"the text has too many words for this index ({error.reason}); search for fewer")
    if "id_field_data" in error.reason:
        return EngineRefused(
            error.status, error.kind, f"{error.reason}; hits are ordered by score and then `_id`, which needs this "
            "cluster setting: set indices.id_field_data.enabled to true", "a search"
        )  # fmt: skip
    if error.status == 400 and "failed to create query" in error.reason:
        return RequestError(f"a filter's value does not fit its field: {error.reason}")
    return error


def printable(cluster: Cluster, searched: SearchPlan) -> str:
    """The plan's requests as JSON; each `body` can be sent by any client to its `path`.

    Where the last one names what the first one finds, that one is sent.
    """
    params = "&".join(f"{name}={value}" for name, value in searched.params.items())
    path = f"/{part(searched.index)}/_search"
    requests: list[Mapping[str, Any]] = []
    if searched.lists or searched.listed:
        body = list_lines(searched).decode()
        requests.append({"method": "POST", "path": f"/{part(searched.index)}/_msearch", "body": body})
    elif searched.candidates is not None:
        requests.append({"method": "POST", "path": path, "body": searched.candidates})
    if not searched.lists:
        requests.append({"method": "POST", "path": f"{path}?{params}", "body": final_body(cluster, searched)})
    return json.dumps({"plan": searched.name, "requests": requests}, ensure_ascii=False)
