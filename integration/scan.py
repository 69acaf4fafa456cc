"""Read through an index and tell, record by record, what is stale: digests are compared, nothing is written."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from integration import problems, records, state
from integration.engine.answers import decoded, document, parsed
from integration.engine.client import Cluster, part
from integration.primaries import asked
from integration.stored import beside_of, stored_beside, stored_codes, stored_members
from integration.writer import Key
from mappings.errors import EngineRefused, EngineUnavailable

PAGE = 500  # documents, where they are small
PAGE_BYTES = 8_000_000  # of documents, on average
KEEP = "5m"  # a page is judged in well under a second; nothing waits for a worker between two pages


class Hit(msgspec.Struct):
    """One document of a scroll page; `_source` stays the bytes that the engine holds."""

    id: str = msgspec.field(name="_id")
    held: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b"{}"))
    routing: str | None = msgspec.field(name="_routing", default=None)
    version: int = msgspec.field(name="_version", default=-1)
    seq_no: int = msgspec.field(name="_seq_no", default=-1)
    primary_term: int = msgspec.field(name="_primary_term", default=-1)

    @property
    def source(self) -> bytes:
        """The bytes of the document."""
        return document(self.held)

    @property
    def key(self) -> Key:
        """Where the document lies."""
        return Key(self.id, self.routing)


class _Hits(msgspec.Struct):
    hits: list[Hit]


class _Page(msgspec.Struct):
    hits: _Hits
    scroll_id: str = msgspec.field(name="_scroll_id")


_reader = msgspec.json.Decoder(_Page)


@dataclass(frozen=True, slots=True)
class Judged:
    """One record of a scan: of so many `bytes`; `problem` is known of it from an earlier try with the same content.

    `coded`: a stale one that has its codes and lacks their bands or vectors alone.
    """

    key: Key
    digest: str
    verdict: Literal["stale", "unchanged", "failed"]
    problem: problems.Problem | None = None
    bytes: int = 0
    coded: bool = False


def pages(
    cluster: Cluster, index: str, *, query: dict[str, Any] | None = None, shard: int | None = None, **more: Any
) -> Iterator[list[Hit]]:
    """Every document of `index` (a concrete name), a page at a time, as one point in time shows it.

    `shard` is the one whose primary is read, where not all are; `more` goes into the body of the search. Raises
    EngineUnavailable where that point is lost: the index was dropped, or the engine started anew.
    """
    size = PAGE if more.get("_source") is False else more.pop("size", None) or page_size(cluster, index)
    body = {"sort": ["_doc"], "query": query or {"match_all": {}}, "_source": True, **more, "size": size}
    whole = {"scroll": KEEP, "allow_partial_search_results": "false"}  # a shard that is away is an error, not empty
    path = f"/{part(index)}/_search"
    first = (
        cluster.raw("POST", path, params=whole, body=body)
        if shard is None
        else asked(cluster, path, shard, body, **whole)
    )
    page = decoded(_reader, first)
    try:
        while page.hits.hits:
            yield page.hits.hits
            body = {"scroll": KEEP, "scroll_id": page.scroll_id}
            page = decoded(_reader, cluster.raw("POST", "/_search/scroll", body=body))
    except EngineRefused as error:
        if error.kind != "search_context_missing_exception":
            raise
        raise EngineUnavailable(
            f"the scan of {index} cannot go on: the index was dropped, or the engine started anew; run again"
        ) from error
    finally:
        with contextlib.suppress(EngineRefused):  # it ended by itself
            cluster.request("DELETE", "/_search/scroll", body={"scroll_id": page.scroll_id})


def page_size(cluster: Cluster, index: str) -> int:
    """How many documents of `index` a page may hold, so that one of large documents stays within memory."""
    total = cluster.request("GET", f"/{part(index)}/_stats/docs,store")["_all"]["primaries"]
    each = int(total["store"]["size_in_bytes"]) * 4 // max(int(total["docs"]["count"]), 1)  # it is compressed
    return max(1, min(PAGE, PAGE_BYTES // max(each, 1)))


def judged(cluster: Cluster, known: state.Attached) -> Iterator[Judged]:
    """Judge every record of an attached index against its profile and bundle."""
    cluster.request("POST", f"/{part(known.index)}/_refresh")
    troubled = any(sum(by_reason.values()) for by_reason in problems.counts(cluster, known).values())
    for page in pages(cluster, known.index):
        yield from judged_page(cluster, known, page) if troubled else (judge(hit, known, None) for hit in page)


def judged_page(cluster: Cluster, known: state.Attached, page: Sequence[Hit]) -> list[Judged]:
    """Judge the documents of one page, with what is known of those that failed before."""
    before = problems.of_records(cluster, known, [hit.id for hit in page])
    return [judge(hit, known, before.get(hit.id)) for hit in page]


def judge(hit: Hit, known: state.Attached, problem: problems.Problem | None) -> Judged:
    """Judge one document by its digest; `problem` is what is known of it from an earlier try."""
    size = len(bytes(hit.held))
    try:
        content = parsed(hit.source)
    except (ValueError, RecursionError):
        tried = problem is not None and problem.source == ""  # by a worker, which said what is wrong with it
        return Judged(hit.key, "", "failed" if tried else "stale", problem if tried else None, size)
    digest = records.read(content, known.profile).digest(known.profile, known.bundle.digest)
    same = problem if problem and problem.source == digest else None
    codes = stored_codes(stored_members(content, known.space), digest, known.bundle.bits)
    if codes and stored_beside(content, known.space) == beside_of(codes, known.bundle):
        return Judged(hit.key, digest, "unchanged", same, size)
    return Judged(hit.key, digest, "failed" if same and same.failed else "stale", same, size, codes is not None)
