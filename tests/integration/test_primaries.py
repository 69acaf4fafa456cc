"""Shards are asked on their primary, also where the engine has another word for it."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from integration import carry, scan, watermarks, window
from integration.engine.client import Cluster
from integration.primaries import asked
from mappings.errors import EngineRefused

HIT = b'{"_id":"a","_seq_no":7,"_source":{}}'
PAGE = b'{"count":1,"_scroll_id":"s","hits":{"hits":[%s]}}'


class Elasticsearch:
    """It knows no `_primary`; on one shard lies one document."""

    def __init__(self) -> None:
        self.preferences: list[str] = []

    def raw(self, _: str, path: str, *, params: Any = None, body: Any = None) -> bytes:
        if path == "/_search/scroll":
            return PAGE % b""
        self.preferences.append(params["preference"])
        if "_primary" in params["preference"]:
            raise EngineRefused(400, "illegal_argument_exception", "no Preference for [_primary]", "POST")
        return PAGE % HIT

    def request(self, *_: object, **__: object) -> Any:
        return {}


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (lambda it: [hit.id for hit in watermarks.changes(it, "i", 3, 0, 9)[0]], ["a"]),
        (lambda it: [hit.id for page in scan.pages(it, "i", shard=3, size=1) for hit in page], ["a"]),
        (lambda it: list(window._alive(it, "/i", "3", 0, 9)), [(7, "a")]),
        (lambda it: carry.Source._count(_source(it), 3, 0, 9), 1),
    ],
)
def test_a_shard_is_read_where_no_primary_can_be_named(ask: Callable[[Any], Any], found: Any) -> None:
    engine = Elasticsearch()
    assert ask(engine) == found
    assert engine.preferences == ["_shards:3|_primary", "_shards:3"]


def test_any_other_refusal_is_raised() -> None:
    class Refuses:
        def raw(self, *_: object, **__: object) -> bytes:
            raise EngineRefused(403, "security_exception", "no", "POST")

    with pytest.raises(EngineRefused, match="security_exception"):
        asked(cast(Cluster, Refuses()), "/i/_search", 0, {})


def _source(engine: Any) -> carry.Source:
    source = carry.Source.__new__(carry.Source)
    source._cluster, source.alias = engine, "i"
    return source
