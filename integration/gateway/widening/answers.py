"""What of a search's answer widening reads: whether it is whole, which hits it has and how many it counts. Pure."""

from typing import Any

import msgspec

from integration.gateway import bodies

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


_ANSWER = msgspec.json.Decoder(Answer)


def read(raw: bytes, headers: bodies.Headers) -> Answer | None:
    """An answer in whatever form it came; None where it cannot be read."""
    headers = list(headers)
    found = bodies.unpacked(raw, headers, limit=LIMIT)
    if found is None:
        return None
    plain, form = found
    try:
        if form.media == bodies.JSON:
            return _ANSWER.decode(plain)
        body = bodies.decode(raw, headers, limit=LIMIT)
        return None if body is None else msgspec.convert(body.tree, Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
