"""Why a record, or a part of it, has no code: kept in the state until its source changes or somebody retries."""

import datetime
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from integration import state
from integration.counts import Counts
from integration.engine.client import Cluster, part
from integration.writer import Key
from mappings.errors import EngineUnavailable, UnknownIndexError

PAGE = 1000
MAYBE_OVERWRITTEN = (
    "maybe-overwritten",
    "while Crosshatch wrote, the library system did so too, perhaps to this record at the same version; if so, that "
    "write is lost: index the record again from the library system. `update --retry` drops this notice",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One record's trouble. `reason` is the first of `parts`, which says per part (`record`, `text`, `image 0`) why.

    `failed` tells whether the record has no code at all; else the other parts have theirs. `source` is the digest
    that was tried.
    """

    record: str
    routing: str | None
    source: str
    failed: bool
    parts: Mapping[str, tuple[str, str]]

    @property
    def reason(self) -> str:
        """The reason that is counted."""
        return next(iter(self.parts.values()))[0]

    @property
    def reasons(self) -> set[str]:
        """All of them."""
        return {reason for reason, _ in self.parts.values()}


def update(cluster: Cluster, known: state.Attached, problems: Iterable[Problem], solved: Iterable[str]) -> None:
    """Keep `problems`, and drop those of the records `solved`. Raises EngineUnavailable."""
    lines: list[bytes] = []
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    for problem in problems:
        body = {
            "kind": "problem",
            "index": known.index,
            "uuid": known.uuid,
            "space": known.space,
            "record": problem.record,
            "failed": problem.failed,
            "reason": problem.reason,
            "at": now,
            "body": {"routing": problem.routing, "source": problem.source, "parts": dict(problem.parts)},
        }
        lines += [msgspec.json.encode({"index": {"_id": _key(known, problem.record)}}), msgspec.json.encode(body)]
    lines += [msgspec.json.encode({"delete": {"_id": _key(known, record)}}) for record in solved]
    if lines:
        answer = cluster.bulk(f"/{state.STATE}", b"\n".join(lines) + b"\n")
        refused = [item["error"] for entry in answer["items"] for item in entry.values() if "error" in item]
        if refused:
            raise EngineUnavailable(f"problems of {known.index} cannot be written down: {refused[0].get('reason')}")


def give_up(cluster: Cluster, known: state.Attached, keys: Sequence[Key], why: str) -> Counts:
    """Write down records whose job could not be ended; the next `update` tries them again, as their source is none."""
    update(cluster, known, [Problem(k.id, k.routing, "", True, {"record": ("gave-up", why)}) for k in keys], [])
    counts = Counts()
    counts.failed["gave-up"] = len(keys)
    return counts


def of_records(cluster: Cluster, known: state.Attached, records: Sequence[str]) -> dict[str, Problem]:
    """The problems of these records, by id."""
    if not records:
        return {}
    keys = [_key(known, record) for record in records]
    try:
        answer = cluster.request("POST", f"/{state.STATE}/_mget", body={"ids": keys})
    except UnknownIndexError:
        return {}
    found = [_problem(entry["_source"]) for entry in answer["docs"] if entry.get("found")]
    return {problem.record: problem for problem in found}


def every(cluster: Cluster, known: state.Attached) -> Iterator[Problem]:
    """All problems of an index and space, ordered by record."""
    cluster.request("POST", f"/{state.STATE}/_refresh")
    after: list[Any] | None = None
    while True:
        body = {"size": PAGE, "query": _query(known), "sort": [{"record": "asc"}]} | (
            {"search_after": after} if after else {}
        )
        hits = cluster.request("POST", f"/{state.STATE}/_search", body=body)["hits"]["hits"]
        yield from (_problem(hit["_source"]) for hit in hits)
        if len(hits) < PAGE:
            return
        after = hits[-1]["sort"]


def counts(cluster: Cluster, known: state.Attached) -> dict[str, dict[str, int]]:
    """Numbers of records by reason: `{"failed": {reason: n}, "partial": {reason: n}}`."""
    cluster.request("POST", f"/{state.STATE}/_refresh")
    reasons = {"reasons": {"terms": {"field": "reason", "size": 100}}}
    body = {"size": 0, "query": _query(known), "aggs": {"failed": {"terms": {"field": "failed"}, "aggs": reasons}}}
    answer = cluster.request("POST", f"/{state.STATE}/_search", body=body)
    result: dict[str, dict[str, int]] = {"failed": {}, "partial": {}}
    for bucket in answer["aggregations"]["failed"]["buckets"]:
        name = "failed" if bucket["key"] else "partial"
        result[name] = {entry["key"]: entry["doc_count"] for entry in bucket["reasons"]["buckets"]}
    return result


def inherit(cluster: Cluster, before: state.Attached, known: state.Attached) -> None:
    """Give `known` the problems of the index it goes on from: what failed with the same content is not tried again."""
    for space in known.spaces:
        old, new = before.in_space(space), known.in_space(space)
        found = every(cluster, old)
        while page := list(islice(found, PAGE)):
            update(cluster, new, page, ())
    if before.index == known.index:
        gone = {"bool": {"filter": [{"term": {"kind": "problem"}}, {"term": {"uuid": before.uuid}}]}}
        _delete(cluster, gone)


def forget_gone(cluster: Cluster, known: state.Attached) -> None:
    """Drop the problems of records that are no longer there: no scan and no job meets them again."""
    found = every(cluster, known)
    while page := list(islice(found, PAGE)):
        cluster.request("POST", f"/{part(known.index)}/_refresh")
        ids = {"ids": {"values": [problem.record for problem in page]}}
        body = {"size": 10 * PAGE, "query": ids, "_source": False}
        hits = cluster.request("POST", f"/{part(known.index)}/_search", body=body)["hits"]["hits"]
        there = {hit["_id"] for hit in hits}
        update(cluster, known, [], [problem.record for problem in page if problem.record not in there])


def forget(cluster: Cluster, known: state.Attached, *, space: str | None = None) -> None:
    """Drop every problem of an index, in one space or in all."""
    terms = {"kind": "problem", "index": known.index} | ({"space": space} if space else {})
    _delete(cluster, {"bool": {"filter": [{"term": {name: value}} for name, value in terms.items()]}})


def _delete(cluster: Cluster, query: dict[str, Any]) -> None:
    params = {"refresh": "true", "conflicts": "proceed"}
    cluster.request("POST", f"/{state.STATE}/_refresh")  # what a worker has just written goes too
    cluster.request("POST", f"/{state.STATE}/_delete_by_query", params=params, body={"query": query})


def _query(known: state.Attached) -> dict[str, Any]:
    terms = {"kind": "problem", "uuid": known.uuid, "space": known.space}
    return {"bool": {"filter": [{"term": {name: value}} for name, value in terms.items()]}}


def _key(known: state.Attached, record: str) -> str:
    return hashlib.sha256(f"{known.uuid}\0{known.space}\0{record}".encode("utf-8", "surrogatepass")).hexdigest()


def _problem(document: Mapping[str, Any]) -> Problem:
    body = document["body"]
    parts = {name: (why[0], why[1]) for name, why in body["parts"].items()}
    return Problem(document["record"], body["routing"], body["source"], document["failed"], parts)
