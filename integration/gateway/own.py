"""Our own endpoints under `/_crosshatch/`: encode, search, similar, status, upload, health, metrics.

But for `health`, a caller needs credentials that the cluster itself takes, and everything of the catalogue is read with
them. No error holds a body or a credential.
"""

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from encoders import catalogue
from encoders.api import Item
from integration import state, status
from integration.engine.client import Cluster, part
from integration.gateway import questions
from integration.gateway.exchange import Exchange
from integration.gateway.refusals import refusal
from integration.gateway.uploads import Uploads
from integration.queries import encode_by_worker
from integration.search.run import Searcher
from integration.settings import Settings
from mappings.errors import (
    CrosshatchError,
    EngineRefused,
    NotAttachedError,
    RequestError,
    Unavailable,
    UnknownIndexError,
)

JSON = [(b"content-type", b"application/json; charset=UTF-8")]
TEXT = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
AT_ONCE = 8  # requests that are worked at; each may hold a picture
BODY = 60.0  # seconds for a whole body: a client that sends it byte by byte would keep others out
TRUSTED = 10.0  # seconds that credentials are believed
CALLER = (b"authorization", b"x-opaque-id", b"securitytenant")
Asked = Callable[[Cluster, bytes, str], Any]
_log = logging.getLogger(__name__)


class Own:
    """The handler. `counters` are what metrics tells, by family; `encode` is a worker's but in tests."""

    def __init__(
        self,
        ours: Cluster,
        anonymous: Cluster,
        settings: Settings,
        broker_url: str,
        counters: Mapping[str, Counter[str]],
        *,
        encode: Callable[..., Any] = encode_by_worker,
        find: Callable[..., Any] = catalogue.find,
    ) -> None:
        self._ours, self._anonymous, self._settings, self._broker = ours, anonymous, settings, broker_url
        self.uploads = Uploads()
        self.answered: Counter[str] = Counter()
        self._counters = {**counters, "own_answers": self.answered}
        self._encode, self._find = encode, find
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="own")
        self._busy = 0
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._asked: dict[tuple[str, str], Asked] = {
            ("POST", "encode"): self._encoded,
            ("POST", "search"): self._searched,
            ("POST", "similar"): self._similar,
            ("POST", "upload"): self._uploaded,
            ("GET", "status"): self._status,
            ("GET", "metrics"): self._metrics,
        }

    @property
    def kinds(self) -> Collection[str]:
        """What lies under `/_crosshatch/`."""
        return {"own"}

    async def handle(self, exchange: Exchange) -> bool:
        """Answer here, always: nothing of ours reaches the cluster."""
        name, _, rest = (exchange.call.id or "").partition("/")
        if name == "health" and exchange.method in ("GET", "HEAD"):
            await self._answer(exchange, name, 200, {"status": "ok"})
            return True
        try:
            asked = self._asked.get((exchange.method, name))
            if asked is None:
                raise _Refused(404, "no such endpoint; there are: encode, search, similar, upload, status, metrics")
            if self._busy >= AT_ONCE:
                raise _Refused(429, f"{AT_ONCE} requests are worked at; try again")
            self._busy += 1
            try:
                answer = await self._worked(exchange, asked, rest)
            finally:
                self._busy -= 1
        except _Refused as error:
            await self._answer(exchange, "other", error.status, _told(error.status, error.kind, str(error)))
        except EngineRefused as error:  # what the caller may not do, or asked wrongly, in the cluster's words
            await self._answer(exchange, name, error.status, _told(error.status, error.kind, str(error)))
        except CrosshatchError as error:
            code, told = refusal(error)
            await self._answer(exchange, name, code, json.loads(told))
        else:
            await self._answer(exchange, name, 200, answer)
        return True

    async def _worked(self, exchange: Exchange, asked: Asked, rest: str) -> Any:
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in exchange.headers if n.lower() in CALLER}
        caller = self._anonymous.acting(headers)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._admit, caller, headers)  # before the body is taken
        raw = b""
        if exchange.method == "POST":
            limit = self._settings.picture_max_bytes * 4 // 3 + 100_000
            try:
                async with asyncio.timeout(BODY):
                    came = await exchange.body(limit)
            except TimeoutError:
                raise _Refused(408, f"the body did not come within {BODY:g} s") from None
            if came is None:
                raise _Refused(413, f"the body is larger than {limit} bytes (CROSSHATCH_PICTURE_MAX_BYTES)")
            raw = came
        return await loop.run_in_executor(self._threads, asked, caller, raw, rest)

    def _admit(self, caller: Cluster, headers: Mapping[str, str]) -> None:
        """Raises _Refused where the settings, or the cluster, do not let this caller in."""
        if self._settings.own_endpoints == "off":
            raise _Refused(403, "these endpoints are switched off (CROSSHATCH_OWN_ENDPOINTS)")
        if self._settings.own_endpoints == "open":
            return
        given = next((value for name, value in headers.items() if name.lower() == "authorization"), None)
        if given is None:
            raise _Refused(401, "credentials that the cluster takes are needed here (CROSSHATCH_OWN_ENDPOINTS)")
        mark = hashlib.blake2b(given.encode(), key=self._key).digest()
        if self._known.get(mark, 0.0) > time.monotonic():
            return
        try:
            caller.request("GET", "/")
        except EngineRefused as error:
            if (error.status, error.kind) != (403, "security_exception"):  # that: known, and allowed other things
                raise _Refused(error.status, "the cluster does not take these credentials") from None
        self._known[mark] = time.monotonic() + TRUSTED
        while len(self._known) > 1000:
            self._known.popitem(last=False)

    def _encoded(self, caller: Cluster, raw: bytes, _: str) -> Any:
        asked = questions.read(questions.Encoded, raw)
        known = self._attached(caller, asked.index) if asked.index is not None else None
        picture = asked.image.read(self._settings, self.uploads) if asked.image else None
        if known is not None:
            bundle, space = known.bundle, known.space
        else:
            card = self._find(self._settings.encoder, data=self._settings.data)
            bundle, space = state.Bundle(self._settings.encoder, card.name, card.bits, card.digest), card.space
        item = Item(asked.text, () if picture is None else (picture,))
        codes = self._encode(item, bundle, self._settings, self._broker).codes
        told = {name: {"base64": code.base64(), "hex": code.packed.hex()} for name, code in codes.items()}
        return {"bits": bundle.bits, "space": space, "codes": told}

    def _searched(self, caller: Cluster, raw: bytes, _: str) -> Any:
        asked = questions.read(questions.Searched, raw)
        self._attached(caller, asked.index)
        request = asked.request(self._settings, self.uploads)
        return self._searcher(caller).search(asked.index, request).listed(explain=asked.explain)

    def _similar(self, caller: Cluster, raw: bytes, _: str) -> Any:
        asked = questions.read(questions.Similar, raw)
        self._attached(caller, asked.index)
        return self._searcher(caller).search(asked.index, asked.request()).listed(explain=asked.explain)

    def _searcher(self, caller: Cluster) -> Searcher:
        return Searcher(self._ours, self._settings, self._broker, self._find, self._encode, caller)

    def _uploaded(self, _: Cluster, raw: bytes, __: str) -> Any:
        if not raw or len(raw) > self._settings.picture_max_bytes:
            raise RequestError(f"a picture of 1 to {self._settings.picture_max_bytes} bytes was expected as the body")
        return {"upload": self.uploads.put(raw)}

    def _status(self, caller: Cluster, _: bytes, index: str) -> Any:
        return status.brief(self._ours, self._attached(caller, index), caller, index)

    def _attached(self, caller: Cluster, index: str) -> state.Attached:
        """What is known of an index, once the cluster has let the caller search it: nothing is told to others."""
        nothing = {"query": {"match_none": {}}, "size": 0, "track_total_hits": False}
        caller.request("POST", f"/{part(index)}/_search", params={"filter_path": "took"}, body=nothing)
        try:
            return state.attached(self._ours, index)
        except (UnknownIndexError, NotAttachedError):
            raise
        except RequestError as error:  # which indices stand behind a name is told to nobody
            raise RequestError(f"{index!r} came; one index was expected, or an alias of one") from error
        except EngineRefused as error:  # our account is, and that is no caller's business
            _log.warning("the gateway's own account: %s", error)
            raise Unavailable("the gateway cannot read its own state; its log tells why") from error

    def _metrics(self, _: Cluster, __: bytes, ___: str) -> str:
        lines = []
        for family, values in self._counters.items():
            lines.append(f"# TYPE crosshatch_gateway_{family} counter")
            lines += [f'crosshatch_gateway_{family}{{kind="{kind}"}} {n}' for kind, n in sorted(values.items())]
        return "\n".join(lines) + "\n"

    async def _answer(self, exchange: Exchange, name: str, code: int, body: Any) -> None:
        self.answered[f"{name} {code}"] += 1
        raw = body.encode() if isinstance(body, str) else json.dumps(body, ensure_ascii=False).encode()
        extra = [(b"www-authenticate", b'Basic realm="OpenSearch"')] if code == 401 else []
        await exchange.respond(code, [*(TEXT if isinstance(body, str) else JSON), *extra], raw)


class _Refused(Exception):
    """What the door itself says."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.kind = status, "security_exception" if status in (401, 403) else "crosshatch_refused"


def _told(code: int, kind: str, reason: str) -> dict[str, Any]:
    """An error as OpenSearch tells one."""
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": code}
