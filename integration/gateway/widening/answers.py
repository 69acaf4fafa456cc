"""What of a search's answer widening reads: whether it is whole, which hits it has and how many it counts. Pure."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from integration.gateway import bodies
from integration.gateway.searching import Told

Read = TypeVar("Read")

LIMIT = 100_000_000  # bytes; no more of an answer is taken whole


class _Shards(msgspec.Struct):
    failed: int = 0


class Hit(msgspec.Struct, frozen=True):
    """A hit's name, and nothing of the record."""

    index: str = msgspec.field(name="_index", default="")
    id: str = msgspec.field(name="_id", default="")


class _Hits(msgspec.Struct):
    hits: list[Hit] = msgspec.field(default_factory=list)
    total: Any = None


class Answer(msgspec.Struct):
    """A search's answer; all else in it is skipped."""

    timed_out: bool = False
    shards: _Shards = msgspec.field(name="_shards", default_factory=_Shards)
    found: _Hits | None = msgspec.field(name="hits", default=None)

    @property
    def whole(self) -> bool:
        """Whether every shard answered, to its end."""
        return self.found is not None and not self.timed_out and not self.shards.failed

    @property
    def hits(self) -> list[Hit]:
        """In their order."""
        return self.found.hits if self.found else []

    @property
    def total(self) -> Any:
        """As the engine counts, an object or a number."""
        return self.found.total if self.found else None


class _Answers(msgspec.Struct):
    responses: list[Answer]


_ANSWERS = msgspec.json.Decoder(_Answers)
_ANSWER = msgspec.json.Decoder(Answer)


def read(raw: bytes, headers: bodies.Headers) -> Answer | None:
    """An answer in whatever form it came; None where it cannot be read."""
    return _read(raw, headers, _ANSWER)


def whole(told: Told, numbers: Sequence[int] | None = None) -> bool:
    """Whether every shard answered to its end: a script that fails on one would hide that one's hits.

    `numbers`: it is a multi-search, of which these searches count.
    """
    if told.status != 200:
        return False
    if numbers is None:
        answer = read(told.body, told.headers)
        return answer is not None and answer.whole
    each = _read(told.body, told.headers, _ANSWERS)
    return each is not None and all(at < len(each.responses) and each.responses[at].whole for at in numbers)


def _read(raw: bytes, headers: bodies.Headers, decoder: msgspec.json.Decoder[Read]) -> Read | None:
    headers = list(headers)
    found = bodies.unpacked(raw, headers, limit=LIMIT)
    if found is None:
        return None
    plain, form = found
    try:
        if form.media == bodies.JSON:
            return decoder.decode(plain)
        body = bodies.decode(raw, headers, limit=LIMIT)
        return None if body is None else msgspec.convert(body.tree, decoder.type)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
