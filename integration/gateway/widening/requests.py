"""The gateway's part that widens an OPAC's own searches by the administrator's rules; all others pass it by."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from integration.gateway import bodies
from integration.gateway.asking import NOT_PASSED, Ask, Told, refused, shared
from integration.gateway.asking import search as asked_for
from integration.gateway.attachments import Attachment, Attachments
from integration.gateway.calls import Call
from integration.gateway.exchange import Exchange, Header
from integration.gateway.failures import TooLarge
from integration.gateway.querycodes import QueryCodes
from integration.gateway.searching import check_candidates
from integration.gateway.trees import Unreadable
from integration.gateway.turns import in_turns
from integration.gateway.widening import answers
from integration.gateway.widening.decision import Untouched, look
from integration.gateway.widening.expanding import expanded, expansion
from integration.gateway.widening.lines import searches
from integration.gateway.widening.reranking import reranked, script_for
from integration.gateway.widening.rules import ANSWERING, Rule, rule_for
from integration.gateway.widening.scripts import PAUSE, Scripts
from integration.gateway.widening.shadow import Heard, Search, Shadow
from integration.gateway.widening.strings import Unsure
from integration.gateway.widening.words import Fields
from integration.search.plan import Body
from integration.search.ranks import Record
from integration.settings import Settings
from mappings.errors import CrosshatchError, EngineRefused, RequestError, Unavailable, WorkerUnavailable

DEGRADED, WIDENED = b"x-crosshatch-degraded", b"x-crosshatch-widened"
_REFUSED = "the cluster did not rank by codes"
MOST_SEARCHES = 100  # of one multi-search that are widened; one with more comes as it is
_log = logging.getLogger(__name__)
_LOST = b"unable to find script [crosshatch-"


class Widening:
    """A `Handler`. `counts`: by rule, what became of the searches that it is for."""

    def __init__(self, ask: Ask, attachments: Attachments, codes: QueryCodes, settings: Settings) -> None:
        self._ask, self._attachments, self._rules = ask, attachments, settings.widen
        self._timeout = settings.widen_timeout
        self._scripts = Scripts(codes, timeout=self._timeout)
        self.shadow = Shadow(ask, self._scripts)
        self.counts: Counter[str] = Counter()
        self._unknown = 0.0  # until when nobody asks what is attached
        self._refused: dict[str, float] = {}  # by rule: until when the engine is not asked again

    @property
    def kinds(self) -> Collection[str]:
        """Searches, where a rule wants any."""
        return ("search", "msearch") if any(rule.mode != "off" for rule in self._rules) else ()

    @property
    def counters(self) -> dict[str, Counter[str]]:
        """What metrics tells, by family."""
        return {"widening": self.counts, "widening_shadow": self.shadow.counts}

    async def handle(self, exchange: Exchange) -> bool:
        """Answer a search that a rule widens; False for every other."""
        if exchange.call.kind == "msearch":
            return await self._several(exchange)
        ruled = await self._ruled(exchange.call)
        if ruled is None:
            return False
        raw = await exchange.body(bodies.LIMIT)
        body = bodies.decode(raw, exchange.headers) if raw else None
        if raw is None or body is None:
            return False
        search = self._search(exchange, exchange.call, body.tree, *ruled)
        if search is None:
            return False
        if search.rule.mode == "shadow":
            await self._shadowed(exchange, search)
            return True
        return await self._reranked(exchange, [search], raw, lambda trees: body.encode(trees[0]))

    async def _several(self, exchange: Exchange) -> bool:
        """A multi-search: `rerank` and `expand` in the lines that a rule wants; all others stay their bytes."""
        raw = await exchange.body(bodies.LIMIT)
        lines = bodies.decode_lines(raw, exchange.headers) if raw else None
        if raw is None or lines is None:
            return False
        found: dict[int, Search] = {}
        try:
            for at, call in searches(lines, exchange.call):
                ruled = await self._ruled(call)
                if ruled is None or ruled[0].mode not in ANSWERING:
                    continue
                search = self._search(exchange, call, lines.lines[at].tree(), *ruled)
                if search is not None:
                    found[at] = search
        except Unreadable:
            return False
        if not found or len(found) > MOST_SEARCHES:
            return False
        numbers = [at // 2 for at in found]
        return await self._reranked(
            exchange,
            list(found.values()),
            raw,
            lambda trees: lines.encode(dict(zip(found, trees, strict=True))),
            numbers,
        )

    async def _ruled(self, call: Call) -> tuple[Rule, Sequence[Attachment]] | None:
        """The rule of a search and the indices it reaches, before its body is read.

        What is attached is known mostly. Where the cluster does not tell it in time, no search waits for a while.
        """
        if time.monotonic() < self._unknown:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                reached = await self._attachments.whole(call.index, call.params)
        except (Unavailable, EngineRefused, TimeoutError):
            self._unknown = time.monotonic() + PAUSE
            return None
        except CrosshatchError:  # not attached, not there, or by another bundle
            return None
        rule = rule_for(self._rules, call.index, [one.known.index for one in reached])
        return None if rule is None or rule.mode == "off" else (rule, reached)

    def _search(
        self, exchange: Exchange, call: Call, tree: Any, rule: Rule, reached: Sequence[Attachment]
    ) -> Search | None:
        words = look(tree, call.params, fields_of(reached))
        if isinstance(words, Untouched):
            self.counts[f"{rule.pattern} passed {words.kind}"] += 1
            return None
        return Search(rule, call, list(exchange.headers), tree, words, reached)

    async def _shadowed(self, exchange: Exchange, search: Search) -> None:
        answer = await exchange.pass_on()
        heard = Heard()
        self.counts[f"{search.rule.pattern} shadow"] += 1
        if answer.status == 200:
            exchange.after(lambda: self.shadow.begin(search, heard.whole(), answer.headers))
        await answer.relay(heard)

    async def _reranked(
        self,
        exchange: Exchange,
        found: Sequence[Search],
        raw: bytes,
        write: Callable[[list[Any]], bytes],
        numbers: Sequence[int] | None = None,
    ) -> bool:
        """Whether it was answered: by the other order, else as it came with a header that says why.

        `write` makes the request of the changed bodies; `numbers` are theirs among the answers of a multi-search.
        """
        try:
            told, said = await self._in_order(exchange, found, write, numbers)
            if told is not None:
                mark = (WIDENED, said.encode())
            else:
                self._count(found, "degraded")
                told = await self._sent(exchange, raw)
                # the search itself is sound: no other fares better, but where only its own limit of time was too short
                limited = any("timeout" in one.tree or "timeout" in one.call.params for one in found)
                if said == _REFUSED and not limited and answers.whole(told, numbers):
                    until = time.monotonic() + PAUSE
                    self._refused.update({search.rule.pattern: until for search in found})
                mark = (DEGRADED, said.encode("ascii", "replace"))
        except TooLarge:  # nothing was answered yet, so it can stream through
            self._count(found, "passed too_large")
            return False
        await exchange.respond(told.status, [*told.headers, mark], told.body)
        return True

    async def _in_order(
        self,
        exchange: Exchange,
        found: Sequence[Search],
        write: Callable[[list[Any]], bytes],
        numbers: Sequence[int] | None,
    ) -> tuple[Told | None, str]:
        """The answer in the other order, and what was done; or none that is whole, and why."""
        now = time.monotonic()
        if any(now < self._refused.get(search.rule.pattern, 0.0) for search in found):
            return None, f"{_REFUSED} just now"
        unknown = {
            (one.call.index, tuple(one.call.params.items()))
            for one in found
            if not self._scripts.knows(one.words.text, one.reached)
        }
        if not await self._may(unknown, exchange.headers):  # nobody encodes for whom the cluster refuses
            return None, "the cluster does not let the caller search"
        try:
            check_candidates(sum(one.most for one in found))
            made = await in_turns([partial(self._widened, one) for one in found])
            asked = write([tree for tree, _ in made])
        except (WorkerUnavailable, RequestError) as error:
            return None, str(error)
        except Unreadable:
            return None, "the search cannot be written anew"
        told = await self._sent(exchange, asked)
        if not answers.whole(told, numbers) and _LOST in told.body and await self._mended():
            told = await self._sent(exchange, asked)
        if not answers.whole(told, numbers):
            return None, _REFUSED
        return told, self._done(found, [added for _, added in made])

    def _done(self, found: Sequence[Search], added: Sequence[int | None]) -> str:
        """What the header says, and what is counted; `added` is None where a search was only ranked anew."""
        for search, number in zip(found, added, strict=True):
            self._count([search], "rerank" if number is None else "expand")
            if number:
                self.counts[f"{search.rule.pattern} added"] += number
        numbers = [number for number in added if number is not None]
        return f"expand; added={sum(numbers)}" if numbers else "rerank"

    async def _widened(self, one: Search) -> tuple[Body, int | None]:
        """A search's body in the other order, and how many records were added to what it finds; None: it is no matter.

        Raises WorkerUnavailable and RequestError.
        """
        codes = await self._scripts.codes(one.words.text, one.reached)
        targets = [each.target for each in one.reached]
        script = script_for(targets, codes)
        if one.rule.mode == "expand":
            try:
                more = expansion(one.tree, one.words, fields_of(one.reached), targets, codes)
            except Unsure:
                self._count([one], "expand_unsure")
            else:
                found = await self._similar(one, more.request)
                if found is not None:
                    return expanded(one.tree, one.words, script, more.limits, found), len(found)
                self._count([one], "expand_failed")
        return reranked(one.tree, one.words.path, script), None

    async def _similar(self, one: Search, body: Body) -> list[Record] | None:
        """The records that may be added, asked as the caller; None where the cluster does not tell all of them."""
        params = shared(one.call.params, "timed_out,_shards.failed,hits.max_score,hits.hits._i*")
        if "timeout" in one.call.params:
            body = {**body, "timeout": one.call.params["timeout"]}
        told = await asked_for(self._ask, one.call.index, body, params, one.headers)
        if told.status != 200 and _LOST in told.body and await self._mended():
            told = await asked_for(self._ask, one.call.index, body, params, one.headers)
        answer = answers.read(told.body, told.headers) if told.status == 200 else None
        return [(hit.index, hit.id) for hit in answer.hits] if answer is not None and answer.whole else None

    async def _mended(self) -> bool:
        """Whether the cluster, which had lost the scripts, has them once again."""
        try:
            await self._attachments.mend_scripts()
        except CrosshatchError as error:
            _log.warning("the cluster has lost the scripts that compare codes, and takes none: %s", error)
            return False
        return True

    async def _may(
        self, places: Iterable[tuple[str | None, Iterable[tuple[str, str]]]], headers: Sequence[Header]
    ) -> bool:
        told = await in_turns([partial(refused, self._ask, index, dict(params), headers) for index, params in places])
        return not any(told)

    def _count(self, found: Sequence[Search], what: str) -> None:
        for search in found:
            self.counts[f"{search.rule.pattern} {what}"] += 1

    async def _sent(self, exchange: Exchange, body: bytes) -> Told:
        passed: list[Header] = [one for one in exchange.headers if one[0].lower() not in NOT_PASSED]
        return await self._ask(exchange.method, exchange.raw_path, passed, body)


def fields_of(reached: Sequence[Attachment]) -> Fields:
    """The fields whose words count: those that the profiles search or encode."""
    profiles = [one.known.profile for one in reached]
    return Fields.of(*(names for profile in profiles for names in (profile.searched, profile.text)))
