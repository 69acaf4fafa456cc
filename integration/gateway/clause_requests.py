"""The gateway's part that takes requests with a `crosshatch` clause; all others pass it by untouched."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from integration.gateway import bodies, json_text
from integration.gateway.annotating import annotated, annotated_each
from integration.gateway.calls import Call
from integration.gateway.exchange import Exchange, Header
from integration.gateway.positions import NAME, find
from integration.gateway.refusals import JSON, refusal
from integration.gateway.searching import (
    NOT_PASSED,
    SCORES,
    Native,
    Refused,
    Searching,
    Told,
    Where,
    check_candidates,
    check_clauses,
)
from integration.gateway.trees import Unreadable
from integration.search.plan import Body
from mappings.errors import CrosshatchError, RequestError

DEGRADED = b"x-crosshatch-degraded"
_LOST = b"unable to find script [crosshatch-"
_SINGLE = (
    "search", "async_search", "count", "validate", "explain", "rank_eval",
    "delete_by_query", "update_by_query", "reindex", "aliases", "index-create",
    "index-change", "index-template",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClauseRequests:
    """A `Handler`: it answers what holds a clause in query position, and leaves everything else to the next."""

    searching: Searching
    kinds: tuple[str, ...] = (*_SINGLE, "msearch", "search_template", "msearch_template")

    async def handle(self, exchange: Exchange) -> bool:
        """Answer a request with a clause; False where it holds none, or cannot be decoded."""
        told = await self._told(exchange)
        within = exchange.call.kind in ("msearch", "msearch_template", "async_search")  # an error of a part is a 200
        if told is not None and (told.status in (400, 404) or within) and _LOST in told.body:
            told = await self._told(exchange, mended=True)  # the cluster lost them, and gets them once again
        if told is None:
            return False
        hop = (b"content-length", b"transfer-encoding", b"connection")
        headers = [(name, value) for name, value in told.headers if name.lower() not in hop]
        await exchange.respond(told.status, headers, told.body)
        return True

    async def _told(self, exchange: Exchange, *, mended: bool = False) -> Told | None:
        ways = {"msearch": self._several, "msearch_template": self._several, "search_template": self._template}
        try:
            if mended:
                await self.searching.attachments.mend_scripts()
            return await ways.get(exchange.call.kind, self._single)(exchange)
        except Refused as refused:
            return refused.told
        except CrosshatchError as error:
            status, body = refusal(error)
            return Told(status, JSON, body)

    async def _single(self, exchange: Exchange) -> Told | None:
        call = exchange.call
        raw = await exchange.body(bodies.LIMIT)
        if raw is None:
            return None
        headers, path = list(exchange.headers), exchange.raw_path
        if not raw and "source" in call.params:
            raw, path = call.params["source"].encode(), _without(path, b"source", b"source_content_type")
            headers = [(b"content-type", call.params.get("source_content_type", "").encode())]
            headers += [one for one in exchange.headers if one[0].lower() not in (b"content-type", b"content-encoding")]
        body = _decoded(raw, headers)
        if body is None:
            return None
        native = await self.searching.native(body.tree, call.kind, _where(call, headers), named=not _as_told(exchange))
        if native is None:
            return None
        told = await self._sent(exchange.method, _scored(path, native), headers, body.encode(native.tree))
        return _finished(told, native, exchange, body.tree)

    async def _template(self, exchange: Exchange) -> Told | None:
        """A template is rendered by the engine, as the caller; what comes out is searched for."""
        call = exchange.call
        raw = await exchange.body(bodies.LIMIT)
        body = bodies.decode(raw, exchange.headers) if raw else None
        if body is None or not isinstance(body.tree, dict):
            return None
        may = bodies.may_say(body.plain, NAME, body.form.media)
        tree = await self._rendered(body.tree, exchange.headers, may=may)
        where, named = _where(call, exchange.headers), not _as_told(exchange)
        native = await self.searching.native(tree, "search", where, named=named) if tree else None
        if native is None:
            return None
        more = {name: body.tree[name] for name in ("explain", "profile") if name in body.tree}
        path = exchange.raw_path.replace(b"/_search/template", b"/_search", 1)
        told = await self._sent("POST", _scored(path, native), exchange.headers, body.encode({**native.tree, **more}))
        return _finished(told, native, exchange, tree)

    async def _rendered(self, template: Body, headers: Sequence[Header], *, may: bool) -> Any:
        """The search that a template makes; None where it holds no clause. `may`: it may say one itself."""
        name = template.get("id")
        if not may and not (isinstance(name, str) and await self.searching.attachments.template_says(name, NAME)):
            return None
        asked = {key: template[key] for key in ("id", "source", "params") if key in template}
        own = [one for one in headers if one[0].lower() not in (b"content-type", b"content-encoding", b"accept")]
        own.append((b"content-type", b"application/json"))
        rendered = await self._sent("POST", b"/_render/template", own, json_text.dumps(asked))
        said = bodies.decode(rendered.body, rendered.headers) if rendered.status == 200 else None
        return said.tree.get("template_output") if said is not None else None

    async def _several(self, exchange: Exchange) -> Told | None:
        """Searches of a multi-search are rewritten each where it stands; the lines of all others stay their bytes.

        A template becomes one of the search that it made. The engine tells no scores of named queries here: those of
        BM25 sides are worked out.
        """
        raw = await exchange.body(bodies.LIMIT)
        found = bodies.unpacked(raw, exchange.headers) if raw else None
        templates = exchange.call.kind == "msearch_template"  # a stored one may say it where the request does not
        if raw is None or found is None or not (templates or bodies.may_say(found[0], NAME, found[1].media)):
            return None
        lines = bodies.decode_lines(raw, exchange.headers)
        if lines is None or len(lines.lines) % 2:
            return None
        changed: dict[int, Native] = {}
        clauses = 0
        try:
            for at in range(0, len(lines.lines), 2):
                tree = given = lines.lines[at + 1].tree()
                if templates and isinstance(given, dict):
                    may = bodies.may_say(lines.lines[at + 1].raw, NAME, found[1].media)
                    tree = await self._rendered(given, exchange.headers, may=may)
                if not (places := find(tree, "msearch")):
                    continue
                where = _line_where(lines.lines[at].tree() or {}, exchange)
                check_clauses(clauses := clauses + len(places))
                native = await self._numbered(at // 2, tree, where, named=not _as_told(exchange))
                changed[at + 1] = replace(native, tree=_template_of(native.tree, given)) if templates else native
                check_candidates(sum(one.candidates for one in changed.values()))
        except Unreadable:
            return None
        if not changed:
            return None
        body = lines.encode({at: native.tree for at, native in changed.items()})
        told = await self._sent(exchange.method, exchange.raw_path, exchange.headers, body)
        for native in changed.values():
            told = _marked(told, native)
        if told.status != 200 or _as_told(exchange):
            return told
        explaining = {at // 2: native.share for at, native in changed.items() if native.explains}
        return Told(told.status, told.headers, annotated_each(told.body, told.headers, explaining))

    async def _numbered(self, number: int, tree: Any, where: Where, *, named: bool) -> Native:
        try:
            native = await self.searching.native(tree, "msearch", where, named=named)
        except RequestError as error:
            raise RequestError(f"search {number} of the request: {error}") from error
        if native is None:
            raise TypeError("a line without a clause")
        return native

    async def _sent(self, method: str, path: bytes, headers: Sequence[Header], body: bytes) -> Told:
        passed = [(name, value) for name, value in headers if name.lower() not in NOT_PASSED]
        return await self.searching.ask(method, path, passed, body)


def _decoded(raw: bytes, headers: Sequence[Header]) -> bodies.Body | None:
    """The body, if it may hold a clause at all: a search of somebody else's costs no decoding."""
    found = bodies.unpacked(raw, headers) if raw else None
    if found is None or not bodies.may_say(found[0], NAME, found[1].media):
        return None
    body = bodies.decode(raw, headers)
    return body if body is not None and isinstance(body.tree, dict) else None


def _finished(told: Told, native: Native, exchange: Exchange, tree: Any) -> Told:
    told = _marked(told, native)
    if told.status != 200 or not native.explains or _as_told(exchange):
        return told
    asked = exchange.call.params.get(SCORES)
    scores = None if native.unscored else bool(tree.get(SCORES)) if asked is None else asked in ("", "true")
    return Told(told.status, told.headers, annotated(told.body, told.headers, scores=scores))


def _as_told(exchange: Exchange) -> bool:
    """Whether hits come as the engine tells them: then nothing is added to them, and nothing must be taken out.

    The caller asked for a part of the answer or in a form that is not read here, or its later pages come without us.
    """
    call = exchange.call
    yaml = "yaml" in call.params.get("format", "") or any(
        name.lower() == b"accept" and b"yaml" in value for name, value in exchange.headers
    )
    return yaml or call.kind == "async_search" or "scroll" in call.params or "filter_path" in call.params


def _marked(told: Told, native: Native) -> Told:
    mark = (DEGRADED, (native.degraded or "").encode("ascii", "replace"))
    if native.degraded is None or mark in told.headers:
        return told
    return Told(told.status, [*told.headers, mark], told.body)


def _where(call: Call, headers: Sequence[Header]) -> Where:
    return Where(call.index, call.params, headers)


def _line_where(header: Any, exchange: Exchange) -> Where:
    """Where a search of a multi-search goes: what its own line says, else the path."""
    said = header if isinstance(header, dict) else {}
    index = said.get("index", exchange.call.index)
    named = ",".join(map(str, index)) if isinstance(index, list) else index
    params = {name: _text(value) for name, value in said.items() if name != "index"}
    return Where(named or exchange.call.index, {**exchange.call.params, **params}, exchange.headers)


def _template_of(tree: Body, given: Body) -> Body:
    """A template that makes this search, and asks for what the one in its place asked for."""
    source = json_text.dumps(tree).decode().replace("{{", "{\\u007b")  # in words only: no object begins with an object
    return {"source": source, **{name: given[name] for name in ("explain", "profile") if name in given}}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ",".join(map(str, value)) if isinstance(value, list) else msgspec.json.encode(value).decode()


def _scored(path: bytes, native: Native) -> bytes:
    """The path that makes the engine tell the scores of named queries: of a search it heeds this parameter alone."""
    if not native.named:
        return path
    path = _without(path, SCORES.encode())
    return path + (b"&" if b"?" in path else b"?") + SCORES.encode() + b"=true"


def _without(path: bytes, *names: bytes) -> bytes:
    """Path and query string without these parameters."""
    where, _, query = path.partition(b"?")
    kept = [one for one in query.replace(b";", b"&").split(b"&") if one.partition(b"=")[0] not in names]
    return where + (b"?" + b"&".join(kept) if kept else b"")
