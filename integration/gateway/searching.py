"""One search body with clauses: codes, candidates, the native body. What it reads, it reads as the caller."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from encoders.api import Item
from integration.gateway.asking import NOT_PASSED, Ask, Refused, Told, Where, answer, refused
from integration.gateway.attachments import OPTIONS, Attachment, Attachments, check_local, check_spaces
from integration.gateway.choosing import chosen_first
from integration.gateway.clause import Clause, read
from integration.gateway.positions import SEARCHES, Place, find
from integration.gateway.query_pictures import QueryPictures
from integration.gateway.querycodes import QueryCodes
from integration.gateway.rewriting import (
    Share,
    by_words,
    check_ranking,
    explained,
    rewritten,
    share,
)
from integration.gateway.sides import Coded, Side, side
from integration.gateway.turns import in_turns
from integration.gateway.uploads import Uploads
from integration.pictures import read_base64
from integration.search.plan import Body
from integration.search.run import codes_in
from integration.settings import Settings
from mappings.code import HashCode
from mappings.errors import CodeLengthError, CrosshatchError, RecordError, RequestError, WorkerUnavailable
from mappings.fields import OBJECT

MOST_CLAUSES = 100  # of one request: each may be a query to encode, and a request for its candidates
MOST_CANDIDATES = 40_000  # of all its clauses; they are held here, and go out again in the search
SCORES = "include_named_queries_score"


@dataclass(frozen=True, slots=True)
class Native:
    """A body that the engine understands. `degraded`: why it has no code.

    `explains`: its hits tell their best pair; `named`: the BM25 side has a name, under which they tell its score too;
    `unscored`: there is one, and they cannot; `share`: they tell that it matched, and its score is worked out.
    `candidates` are so many records that it names.
    """

    tree: Body
    explains: bool = False
    named: bool = False
    unscored: bool = False
    share: Share | None = None
    candidates: int = 0
    degraded: str | None = None


@dataclass(frozen=True, slots=True)
class Searching:
    """How clauses become native. `ask` sends a request to the cluster with the headers it is given, and no others.

    `uploads` are those of our own endpoints, which take them.
    """

    ask: Ask
    attachments: Attachments
    codes: QueryCodes
    settings: Settings
    uploads: Uploads = field(default_factory=Uploads)
    pictures: QueryPictures = field(default_factory=QueryPictures)

    async def native(self, tree: Body, kind: str, where: Where, *, named: bool = True) -> Native | None:
        """`tree` with its clauses rewritten; None where it holds none.

        `named`: hits may carry the name of their BM25 side. Raises RequestError and its like for a wrong clause,
        WorkerUnavailable where no code can be had and the settings or the clause allow no search without, and Refused.
        """
        places = find(tree, kind)
        if not places:
            return None
        check_clauses(len(places))
        clauses = [(place, read(place)) for place in places]
        check_local(where.index or "")
        if "q" in where.params and (hidden := next((one for one in places if one.finds), None)):
            raise RequestError(
                f"[{hidden}] is not searched for: `q` in the URL takes the place of the body's query; send one of them"
            )
        if where.index is None:
            where = replace(where, point=tree.get("pit"))
        try:
            return await self._native(tree, kind, clauses, where, named)
        except CrosshatchError:  # of an index that the caller may not search, not even errors are told
            await self._admit(where)
            raise

    async def _native(
        self, tree: Body, kind: str, clauses: Sequence[tuple[Place, Clause]], where: Where, named: bool
    ) -> Native:
        reached = await self._reached(where)
        check_spaces(reached)
        if not all(self._is_known(one, reached) for _, one in clauses):
            await self._admit(where)  # before anybody encodes or fetches for the caller
        try:
            codes = await in_turns([partial(self._codes, place, one, reached, where) for place, one in clauses])
        except WorkerUnavailable as error:
            if self.settings.without_code == "fail" or any(one.query is None for _, one in clauses):
                raise
            return Native(by_words(tree, clauses), degraded=str(error))
        targets = [one.target for one in reached]
        able = await self.attachments.able({one.plan for _, one in clauses}, targets)
        sides = [side(place, one, targets, made, able) for (place, one), made in zip(clauses, codes, strict=True)]
        check_ranking(tree, sides)
        return await self._written(tree, kind, sides, where, named)

    async def _written(self, tree: Body, kind: str, sides: Sequence[Side], where: Where, named: bool) -> Native:
        chosen = [one for one in sides if one.chosen]
        together = check_candidates(sum(one.most for one in chosen))
        shown = next((one for one in sides if one.place.finds), None) if kind in SEARCHES else None
        worded = shown if shown is not None and shown.clause.query is not None else None
        told = worded if named and worded is not None and not worded.place.is_of_others else None
        worked_out = share(tree, told) if told is not None and kind == "msearch" else None
        if kind == "msearch" and worked_out is None:
            told = None
        tree = rewritten(tree, [one for one in sides if not one.chosen], {}, told)
        found = await in_turns([partial(chosen_first, self.ask, tree, one, where) for one in chosen])
        by_path = {one.place.path: hits for one, hits in zip(chosen, found, strict=True)}
        tree = rewritten(tree, chosen, by_path, told)
        if shown is None:
            return Native(tree, candidates=together)
        return Native(
            explained(tree, shown, where.params),
            explains=True,
            named=told is not None,
            unscored=told is None and worded is not None,
            share=worked_out,
            candidates=together,
        )

    async def _admit(self, where: Where) -> None:
        """Raises Refused, with the cluster's own words, where the caller may not search there."""
        told = await refused(self.ask, where.index, where.params, where.headers, pit=where.point)
        if told is not None:
            raise Refused(told)

    def _is_known(self, clause: Clause, reached: Sequence[Attachment]) -> bool:
        """Whether nobody has to be asked for the clause's codes."""
        if clause.image is not None or clause.text is None:
            return clause.image is None
        item = Item(clause.text)
        return all(self.codes.remembered(item, one.known.bundle) is not None for one in reached)

    async def _reached(self, where: Where) -> list[Attachment]:
        if isinstance(where.point, dict) and isinstance(where.point.get("id"), str):
            return await self.attachments.of_point_in_time(where.point["id"])
        return await self.attachments.behind(where.index, where.params)

    async def _codes(
        self, place: Place, clause: Clause, reached: Sequence[Attachment], where: Where
    ) -> dict[str, list[tuple[str, HashCode]]]:
        """The codes of a clause by space."""
        picture = await self._picture(place, clause)
        codes: dict[str, list[tuple[str, HashCode]]] = {}
        for space, one in {one.target.space: one for one in reached}.items():
            mine = codes[space] = list(_given(place, clause, space, one))
            if clause.text is not None or picture is not None:
                item = Item(clause.text, () if picture is None else (picture,))
                bundle = one.known.bundle
                made = self.codes.remembered(item, bundle) or await self.codes.codes(item, bundle)
                mine += [(part, code) for part, code in made.items() if part in ("text", "image")]
        if clause.like is not None:
            known, alike = await self._alike(place, clause, reached, where)
            codes[known] += alike
        if clause.code is not None and clause.code.space not in codes:
            raise RequestError(
                f"[{place}.code.space] is {clause.code.space!r}; the indices searched have: {', '.join(sorted(codes))}"
            )
        return codes

    async def _picture(self, place: Place, clause: Clause) -> bytes | None:
        if clause.image is None:
            return None
        try:
            if clause.image.url is not None:
                return await self.pictures.by_url(clause.image.url, self.settings)
            if clause.image.upload is not None:
                return self.uploads.get(clause.image.upload)
            packed = clause.image.base64 or ""
            if isinstance(packed, bytes):  # CBOR and SMILE can say bytes as they are
                packed = base64.b64encode(packed).decode()
            return read_base64(packed, self.settings)
        except (RecordError, RequestError) as error:
            raise RequestError(f"[{place}.image] cannot be used: {error}") from error

    async def _alike(
        self, place: Place, clause: Clause, reached: Sequence[Attachment], where: Where
    ) -> tuple[str, Coded]:
        """The space and codes of the record that hits are like, found by search: its routing may not be known."""
        like = clause.like
        if like is None:
            raise TypeError("no like")
        fields = [f"{OBJECT}.{one.target.space}" for one in reached]
        body: Body = {"query": {"ids": {"values": [like.id]}}, "_source": fields, "size": 2}
        if like.index is None and where.point is not None:
            body["pit"] = where.point
        params = {} if like.index else {name: where.params[name] for name in OPTIONS if name in where.params}
        found = await answer(self.ask, like.index or where.index, body, params, where.headers)
        hits = found["hits"]["hits"]
        by_name = {one.known.index: one for one in reached}
        if len(hits) != 1 or hits[0]["_index"] not in by_name:
            several = "several records" if len(hits) > 1 else "no record that you may see"
            raise RequestError(
                f"[{place}.like] is {several} of the attached indices searched; give `_index` and `_id` of one"
            )
        one = by_name[hits[0]["_index"]]
        try:
            return one.target.space, codes_in(hits[0].get("_source", {}), one.known, like.id)
        except (RequestError, CodeLengthError) as error:
            raise type(error)(f"[{place}.like] {error}") from error


def check_candidates(number: int) -> int:
    """The number. Raises RequestError where it is more than may be looked for."""
    if number > MOST_CANDIDATES:
        raise RequestError(f"the k of all clauses and searches together is {number}; the most is {MOST_CANDIDATES}")
    return number


def check_clauses(number: int) -> None:
    """Raises RequestError for more clauses than one request may hold."""
    if number > MOST_CLAUSES:
        raise RequestError(f"{number} crosshatch clauses came in one request; at most {MOST_CLAUSES} may")


def _given(place: Place, clause: Clause, space: str, one: Attachment) -> Coded:
    """The code that the caller has already, if it is of this space. Raises RequestError where it cannot be."""
    if clause.code is None or clause.code.space != space:
        return []
    try:
        code = HashCode.from_base64(clause.code.base64)
    except CodeLengthError as error:
        raise RequestError(f"[{place}.code.base64] {error}") from error
    bits = one.known.bundle.bits
    if code.bits != bits:
        raise RequestError(f"[{place}.code.base64] has {code.bits} bits; the codes of space {space} have {bits}")
    return [(clause.code.part, code)]


__all__ = ["NOT_PASSED", "SCORES", "Ask", "Native", "Refused", "Searching", "Told", "Where"]
