"""Shadow: what another order would have changed in a page that was answered already. Only counts are kept."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from integration.gateway import json_text
from integration.gateway.asking import NOT_PASSED, Ask
from integration.gateway.attachments import Attachment
from integration.gateway.calls import Call
from integration.gateway.exchange import Header
from integration.gateway.failures import GatewayFailure
from integration.gateway.trees import Unreadable
from integration.gateway.widening import answers
from integration.gateway.widening.reranking import reranked
from integration.gateway.widening.rules import Rule
from integration.gateway.widening.scripts import Scripts
from integration.gateway.widening.words import Words
from mappings.errors import CrosshatchError, RequestError

AT_ONCE = 4  # comparisons under way; what comes meanwhile is not compared
READ = 4_000_000  # bytes of an answer that are kept until it is compared
_log = logging.getLogger(__name__)
# of a body and of a URL: what has a say in which hits stand on the page, and in their count
_MEMBERS = ("query", "from", "size", "sort", "post_filter", "track_total_hits", "indices_boost", "timeout")
_PARAMS = (
    "ignore_unavailable", "allow_no_indices", "expand_wildcards", "ignore_throttled", "routing", "preference", "from",
    "size", "track_total_hits", "search_type", "timeout", "rest_total_hits_as_int",
)  # fmt: skip
_FORM = (b"content-type", b"content-encoding", b"accept")


@dataclass(frozen=True, slots=True)
class Search:
    """A search as it came, and what in it would be ranked anew."""

    rule: Rule
    call: Call
    headers: Sequence[Header]
    tree: dict[str, Any]
    words: Words
    reached: Sequence[Attachment]

    @property
    def most(self) -> int:
        """How many records may be added to its hits."""
        return max(one.target.k for one in self.reached) if self.rule.mode == "expand" else 0


class Heard:
    """An answer, read along while it passes; no more than `READ` bytes of it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def __call__(self, piece: bytes) -> None:
        """The next piece."""
        self._size += len(piece)
        if self._size <= READ:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def whole(self) -> bytes:
        """All of it; nothing, where it was too long."""
        return b"".join(self._pieces)


class Shadow:
    """Compares pages. `counts`: by rule, searches compared, hits and what would have become of them."""

    def __init__(self, ask: Ask, scripts: Scripts) -> None:
        self._ask, self._scripts = ask, scripts
        self.counts: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, search: Search, answer: bytes, headers: Sequence[Header]) -> None:
        """Compare, some time from now, unless too many are under way. `answer` is what the caller got."""
        if len(self._tasks) >= AT_ONCE:
            self._count(search, "busy")
            return
        task = asyncio.get_running_loop().create_task(self._compared(search, answer, headers))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compared(self, search: Search, raw: bytes, headers: Sequence[Header]) -> None:
        try:
            before = answers.read(raw, headers)
            if before is None or not before.whole:
                self._count(search, "unreadable")
                return
            after = await self._other(search)
            if after is None or not after.whole:
                self._count(search, "refused")
                return
        except RequestError:
            self._count(search, "settings")
        except CrosshatchError:
            self._count(search, "no_code")
        except (GatewayFailure, Unreadable):
            self._count(search, "refused")
        except Exception as error:  # nobody waits for it, so nobody else would tell
            self._count(search, "failed")
            _log.error("a comparison failed: %s", type(error).__name__)
        else:
            self._tell(search, before, after)

    async def _other(self, search: Search) -> answers.Answer | None:
        script = await self._scripts.score(search.words.text, search.reached)
        tree = {name: body for name, body in search.tree.items() if name in _MEMBERS}
        body = json_text.dumps({**reranked(tree, search.words.path, script), "_source": False})
        index = search.call.index
        path = f"/{quote(index, safe=',*')}/_search" if index else "/_search"
        params = {name: said for name, said in search.call.params.items() if name in _PARAMS}
        own = [one for one in search.headers if one[0].lower() not in (*NOT_PASSED, *_FORM)]
        own.append((b"content-type", b"application/json"))
        told = await self._ask("POST", f"{path}?{urlencode(params)}".encode(), own, body)
        return answers.read(told.body, told.headers) if told.status == 200 else None

    def _tell(self, search: Search, before: answers.Answer, after: answers.Answer) -> None:
        old, new = before.hits, after.hits
        self._count(search, "compared")
        self._count(search, "hits", len(old))
        self._count(search, "hits_kept", len(set(old) & set(new)))
        self._count(search, "hits_in_place", sum(one == other for one, other in zip(old, new, strict=False)))
        self._count(search, "first_kept", int(old[:1] == new[:1]))
        self._count(search, "total_differs", int(before.total != after.total))

    def _count(self, search: Search, what: str, number: int = 1) -> None:
        self.counts[f"{search.rule.pattern} {what}"] += number
