"""One search, from request to hits: find out what is searched, encode the query, plan, ask the engine."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from encoders import catalogue
from encoders.api import PARTS, BundleCard, Item
from integration import state
from integration.documents import count
from integration.engine.client import Cluster, part
from integration.queries import QueryCodes, encode_query
from integration.search import abilities
from integration.search.asking import answered, in_ranks, proven
from integration.search.filters import clauses
from integration.search.hits import SearchResult, read_hits, read_total
from integration.search.plan import SearchPlan, Target
from integration.search.planner import BARE, asks_for_abilities, choose, counts
from integration.search.proving import Round, rounds
from integration.search.request import SearchRequest
from integration.search.scoring import scored
from integration.settings import Settings
from mappings.code import HashCode
from mappings.errors import BundleError, CodeLengthError, EngineRefused, RequestError
from mappings.fields import OBJECT, StoredCodes

LIKE_PICTURES = 8  # pictures of a record that others are compared with: each is a pair for the script to read


@dataclass(frozen=True, slots=True)
class Prepared:
    """A search that is ready to be sent, and who encoded its query: `worker`, `process`, or `record` for like.

    Where there are `rounds`, these are asked one after the other until one proves its answer; `plan` is the first.
    `otherwise` is the plan that is taken where the engine refuses this one.
    """

    plan: SearchPlan
    title: str | None
    encoded_by: str
    rounds: Iterator[Round] | None = None
    otherwise: SearchPlan | None = None


@dataclass(frozen=True, slots=True)
class Searcher:
    """Where searches go, and who encodes queries: a worker at `broker_url`, else this process.

    `find` gives the card of a bundle, `encode` the codes of a query; both are the project's own but in tests. `caller`
    is the cluster asked with the credentials of whoever searches: all that is read of the catalogue is read with them.
    """

    cluster: Cluster
    settings: Settings
    broker_url: str | None = None
    find: Callable[..., BundleCard] = catalogue.find
    encode: Callable[[Item, state.Bundle, Settings, str | None], QueryCodes] = encode_query
    caller: Cluster | None = None

    def search(self, index: str, request: SearchRequest) -> SearchResult:
        """Search an attached index.

        Raises RequestError (NotAttachedError and UnknownIndexError among them), EngineUnavailable, EngineRefused.
        """
        began = time.perf_counter()
        prepared = self.prepare(index, request)
        searched, answer = self._answer(prepared)
        took = round((time.perf_counter() - began) * 1000, 1)
        hits = read_hits(answer, searched, prepared.title)
        return SearchResult(took, searched, read_total(answer, searched), hits, prepared.encoded_by)

    @property
    def _reader(self) -> Cluster:
        return self.caller or self.cluster

    def prepare(self, index: str, request: SearchRequest) -> Prepared:
        """Everything of a search but its requests: what is searched, the query's codes, the plan."""
        known = state.attached(self.cluster, index)
        target = target_of(known, self.find(known.bundle.reference, data=self.settings.data))
        target = replace(target, index=index)  # as it was asked: an alias may hold a filter
        filters = clauses(request.filters, _properties(self._reader, index) if request.filters else {})
        codes, by = self.codes_of(known, request, index)
        if request.plan == "bands-exact":
            further = rounds(request, target, codes, filters)
            first = next(further)
            return Prepared(first.plan, target.title, by, itertools.chain([first], further))
        matching = self._matching(index, filters) if counts(request, target) else None
        able = abilities.recent(self.cluster) if asks_for_abilities(request.plan, [target]) else BARE
        chosen = choose(request, target, codes, filters, matching=matching, able=able)
        otherwise = None
        if request.plan == "auto" and chosen.name == "knn":
            otherwise = choose(request, replace(target, vectors=False), codes, filters, matching=matching)
        return Prepared(chosen, target.title, by, otherwise=otherwise)

    def _matching(self, index: str, filters: Sequence[Mapping[str, Any]]) -> int:
        """How many records pass the filters."""
        return count(self._reader, index, {"bool": {"filter": list(filters) or [{"match_all": {}}]}})

    def _answer(self, prepared: Prepared) -> tuple[SearchPlan, Any]:
        if prepared.rounds is not None:
            return proven(self._reader, prepared.rounds, self.cluster)
        try:
            return self._asked(prepared.plan)
        except (EngineRefused, RequestError) as error:
            if prepared.otherwise is None:
                raise
            return self._asked(replace(prepared.otherwise, why=f"the plan {prepared.plan.name} was refused: {error}"))

    def _asked(self, searched: SearchPlan) -> tuple[SearchPlan, Any]:
        searched = in_ranks(self._reader, searched, self.cluster)
        return searched, answered(self._reader, searched, self.cluster)

    def codes_of(
        self, known: state.Attached, request: SearchRequest, index: str
    ) -> tuple[list[tuple[str, HashCode]], str]:
        """(query part, code) of everything that is asked for, and who encoded it. Raises RequestError."""
        codes: list[tuple[str, HashCode]] = []
        by = "record"
        if request.text is not None or request.image is not None:
            pictures = () if request.image is None else (request.image,)
            answer = self.encode(Item(request.text, pictures), known.bundle, self.settings, self.broker_url)
            codes += [(name, answer.codes[name]) for name in PARTS if name in answer.codes]
            by = answer.by
        if request.like is not None:
            codes += _codes_of_record(self._reader, known, index, request.like)
        return scored(codes, request.scoring), by


def search(
    cluster: Cluster, index: str, request: SearchRequest, settings: Settings, broker_url: str | None = None
) -> SearchResult:
    """Search an attached index: `Searcher.search` as one call."""
    return Searcher(cluster, settings, broker_url).search(index, request)


def target_of(known: state.Attached, card: BundleCard) -> Target:
    """What is searched. Raises BundleError where the bundle is no longer the one that made the stored codes."""
    if card.digest != known.bundle.digest:
        raise BundleError(
            f"index {known.index} was encoded with {known.bundle.name} {known.bundle.digest[:12]}, but "
            f"{known.bundle.reference} is now {card.digest[:12]}; install the release that attached it, or run "
            f"`crosshatch spaces add {known.index} --encoder {known.bundle.reference}` and fill and activate that space"
        )
    weights = known.settings
    return Target(
        index=known.index,
        space=known.space,
        tables={(query, stored): card.table(query, stored) for query in PARTS for stored in card.parts},
        words=known.profile.searched,
        title=known.profile.shown,
        weight=weights.weight,
        saturation=weights.saturation,
        k=weights.k,
        min_similarity=weights.min_similarity,
        part_weights=known.bundle.part_weights,
        bands=known.bundle.bands,
        documents=known.bundle.learnt.documents if known.bundle.learnt else 0,
        vectors=known.bundle.vectors_ready,
    )


def _codes_of_record(cluster: Cluster, known: state.Attached, index: str, record: str) -> list[tuple[str, HashCode]]:
    """The stored codes of a record, found by search and not by GET, since the caller may not know its routing.

    `index` is the name that was asked for, which may be an alias that does not show every record.
    """
    field = f"{OBJECT}.{known.space}"
    body = {"query": {"ids": {"values": [record]}}, "_source": [field], "size": 1}
    found = cluster.request("POST", f"/{part(index)}/_search", body=body)["hits"]["hits"]
    if not found:
        raise RequestError(f"index {index} has no record {record!r}; give the id of one that it holds")
    return codes_in(found[0].get("_source", {}), known, record)


def codes_in(source: Mapping[str, Any], known: state.Attached, record: str) -> list[tuple[str, HashCode]]:
    """(part, code) of what a record's `_source` holds. Raises CodeLengthError if damaged, RequestError if none."""
    try:
        members = source.get(OBJECT, {}).get(known.space) or {}
        stored = StoredCodes.read(members, known.bundle.bits)
    except (
        CodeLengthError,
        AttributeError,
        TypeError,
    ) as error:  # somebody else wrote there: not even the form is sure
        raise CodeLengthError(f"record {record!r} holds damaged codes: {error}; run `crosshatch reindex`") from error
    singles = [(name, code) for name, code in (("text", stored.text), ("record", stored.record)) if code]
    codes = [*singles, *(("image", code) for _, code in stored.image[:LIKE_PICTURES])]
    if not codes:
        raise RequestError(
            f"record {record!r} has no codes yet; run `crosshatch update {known.index}` and see its problems"
        )
    return codes


def _properties(cluster: Cluster, index: str) -> Mapping[str, Any]:
    answer = cluster.request("GET", f"/{part(index)}/_mapping")
    [held] = answer.values()
    properties: Mapping[str, Any] = held["mappings"].get("properties", {})
    return properties
