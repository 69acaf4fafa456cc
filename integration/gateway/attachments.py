"""What is attached behind an index expression, read with our own account and kept for a moment.

A search waits for the cluster only the first time: afterwards what is known is used, and read anew behind its back;
where that fails, the old is used on.
"""

import asyncio
import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoders import catalogue
from encoders.api import BundleCard
from integration import state
from integration.engine.client import Cluster, part
from integration.search.abilities import Abilities, recent
from integration.search.plan import Target
from integration.search.planner import BARE, asks_for_abilities
from integration.search.run import target_of
from integration.search.scripts import ensure_scripts
from integration.state import Attached
from mappings.errors import CrosshatchError, EngineRefused, NotAttachedError, RequestError, UnknownIndexError

FRESH = 1.0  # seconds
STALE = 60.0  # seconds without an answer of the cluster after which what is known is not used any more
KEPT = 1000  # expressions
OPTIONS = ("ignore_unavailable", "allow_no_indices", "expand_wildcards")


def check_local(expression: str) -> None:
    """Raises RequestError where an index expression names a remote cluster."""
    if any(":" in name and not name.startswith("<") for name in expression.split(",")):
        raise RequestError(
            f"{expression!r} names an index of a remote cluster, whose codes cannot be read here; search there"
        )


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attached index that a search reaches."""

    known: Attached
    target: Target


def check_spaces(reached: Iterable[Attachment]) -> None:
    """Raises RequestError where a space that is searched has another encoder in another index: its name may be chosen.

    Codes of two encoders say nothing of each other, whichever of them is active there.
    """
    reached = list(reached)
    for name in sorted({one.target.space for one in reached}):
        if len({one.known.spaces[name].digest for one in reached if name in one.known.spaces}) > 1:
            raise RequestError(
                f"space {name!r} is of different encoders in the indices that are searched: search them one by one"
            )


@dataclass(slots=True)
class _Entry:
    at: float
    value: Any
    coming: asyncio.Task[Any] | None = None


class Attachments:
    """The attached indices of a cluster; `cluster` is reached with our own account, in threads."""

    def __init__(self, cluster: Cluster, data: Path) -> None:
        self._cluster, self._data = cluster, data
        self._entries: OrderedDict[tuple[Any, ...], _Entry] = OrderedDict()
        self._cards: dict[tuple[str, str], BundleCard] = {}

    async def behind(self, expression: str | None, params: Mapping[str, str]) -> list[Attachment]:
        """The attached indices behind an expression of the path; `params` are those of the URL.

        Raises RequestError for a remote index, NotAttachedError where none is attached, and UnknownIndexError.
        """
        _, found = await self._behind(expression or "_all", params)
        if not found:  # what was known may be older than the attaching: nobody is refused for that
            _, found = await self._behind(expression or "_all", params, anew=True)
        if not found:
            raise NotAttachedError(
                f"no index behind {expression or '_all'!r} is attached, so a crosshatch clause has nothing to compare "
                "with; run `crosshatch attach` first"
            )
        return found

    async def whole(self, expression: str | None, params: Mapping[str, str]) -> list[Attachment]:
        """The same where every index reached is attached; else NotAttachedError tells that one is not."""
        uuids, found = await self._behind(expression or "_all", params)
        if not found or len(found) < len(uuids):
            raise NotAttachedError(f"not every index behind {expression or '_all'!r} is attached")
        return found

    async def _behind(
        self, expression: str, params: Mapping[str, str], *, anew: bool = False
    ) -> tuple[Mapping[str, str], list[Attachment]]:
        """UUIDs by index of all that is reached, and those of it that are attached."""
        check_local(expression)
        options = tuple((name, params[name]) for name in OPTIONS if name in params)
        uuids = await self._kept(("names", expression, options), lambda: self._uuids(expression, dict(options)), anew)
        return uuids, await self._those(lambda known: uuids.get(known.index) == known.uuid, anew)

    async def of_point_in_time(self, point: str) -> list[Attachment]:
        """The attached indices that a point in time was opened for: its id holds their UUIDs."""
        try:
            said = base64.urlsafe_b64decode(point + "=" * (-len(point) % 4))
        except (binascii.Error, ValueError):
            said = b""
        found = await self._those(lambda known: known.uuid.encode() in said)
        if not found:
            found = await self._those(lambda known: known.uuid.encode() in said, anew=True)
        if not found:
            raise NotAttachedError("no index of this point in time is attached; search without it, or attach first")
        return found

    async def template_says(self, template: str, word: str) -> bool:
        """Whether the stored search template of this id holds `word`; not where there is none."""
        try:
            says: bool = await self._kept(("template", template, word), lambda: word in self._template(template))
        except CrosshatchError:  # what our account cannot know may be any template, and is the cluster's business
            return False
        return says

    async def able(self, plans: Iterable[str], targets: Sequence[Target]) -> Abilities:
        """What the cluster can do, where searches by these plans depend on it."""
        if not any(asks_for_abilities(plan, targets) for plan in plans):
            return BARE
        return await asyncio.to_thread(recent, self._cluster)

    async def mend_scripts(self) -> None:
        """Store the scripts again in a cluster that has lost them. Raises RequestError where its settings forbid it."""
        try:
            await asyncio.to_thread(ensure_scripts, self._cluster)
        except EngineRefused as error:
            if error.status != 400:  # of our account, which is no caller's business
                raise
            raise RequestError(
                f"the cluster lacks the scripts that compare codes, and takes none: {error.reason}"
            ) from error

    async def _those(self, wanted: Callable[[Attached], bool], anew: bool = False) -> list[Attachment]:
        """Those that are wanted. Raises what stands in the way of one of them, and of no other: BundleError."""
        every: list[tuple[Attached, Target | CrosshatchError]] = await self._kept(("every",), self._read, anew)
        found = []
        for known, target in every:
            if wanted(known):
                if isinstance(target, CrosshatchError):
                    raise target
                found.append(Attachment(known, target))
        return found

    async def _kept(self, key: tuple[Any, ...], read: Callable[[], Any], anew: bool = False) -> Any:
        """What is known; `anew`: what was known a moment ago does not do, but what is fresh does."""
        now = time.monotonic()
        entry = self._entries.get(key)
        if entry is not None and now - entry.at < STALE:
            self._entries.move_to_end(key)
            if now - entry.at > FRESH and (entry.coming is None or entry.coming.done()):
                entry.coming = asyncio.create_task(self._renewed(key, read))
            if anew and entry.coming is not None:
                await asyncio.shield(entry.coming)
                entry = self._entries.get(key)
            if entry is not None:
                return entry.value
        return await self._stored(key, asyncio.to_thread(read))

    async def _stored(self, key: tuple[Any, ...], reading: Awaitable[Any]) -> Any:
        value = await reading
        self._entries[key] = _Entry(time.monotonic(), value)
        if len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        return value

    async def _renewed(self, key: tuple[Any, ...], read: Callable[[], Any]) -> None:
        try:
            await self._stored(key, asyncio.to_thread(read))
        except UnknownIndexError:
            self._entries.pop(key, None)
        except CrosshatchError:  # the cluster is busy or away: what is known is used on
            entry = self._entries.get(key)
            if entry is not None:
                entry.coming = None

    def _uuids(self, expression: str, options: dict[str, str]) -> dict[str, str]:
        path = f"/{','.join(part(name) for name in expression.split(','))}/_settings"
        params = {**options, "filter_path": "*.settings.index.uuid"}
        answer = self._cluster.request("GET", path, params=params)
        return {index: str(one["settings"]["index"]["uuid"]) for index, one in answer.items()}

    def _template(self, template: str) -> str:
        try:
            return str(self._cluster.request("GET", f"/_scripts/{part(template)}")["script"]["source"])
        except EngineRefused as error:
            if error.status != 404:
                raise
            return ""

    def _read(self) -> list[tuple[Attached, Target | CrosshatchError]]:
        return [(known, self._target(known)) for known in state.every(self._cluster)]

    def _target(self, known: Attached) -> Target | CrosshatchError:
        try:
            return target_of(known, self._card(known))
        except CrosshatchError as error:
            return error

    def _card(self, known: Attached) -> BundleCard:
        """Proving a bundle reads all its files: once each."""
        key = (known.bundle.reference, known.bundle.digest)
        if key not in self._cards:
            self._cards[key] = catalogue.find(known.bundle.reference, data=self._data)
        return self._cards[key]
