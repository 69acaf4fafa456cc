"""No worker encodes for whom the cluster does not let search, and no client can switch the other order off for all."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from integration.engine.client import Cluster
from integration.gateway.asking import Told
from integration.gateway.attachments import Attachment, Attachments
from integration.gateway.calls import read
from integration.gateway.exchange import Header
from integration.gateway.querycodes import QueryCodes
from integration.gateway.widening.requests import MOST_SEARCHES, Widening
from integration.gateway.widening.rules import Rule
from integration.settings import Settings
from tests.integration.gateway.widening.test_waiting import BOOKS, Worker

WORDS = {"query": {"match": {"title": "cats"}}}
FORBIDDEN = b'{"error":{"type":"security_exception"},"status":403}'
WHOLE = b'{"timed_out":false,"_shards":{"failed":0},"hits":{"total":1,"hits":[]}}'
LATE = WHOLE.replace(b"false", b"true")


class Known(Attachments):
    """Every index is attached."""

    async def whole(self, *_: Any) -> list[Attachment]:
        """Books."""
        return [BOOKS]


class Opac:
    """Searches as `reader`, or as nobody. `asked` is what reached the cluster; what is ranked anew takes too long."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.late = False
        self.worker = Worker()
        known = Known(cast("Cluster", None), Path())
        settings = Settings(widen=(Rule("books", "rerank"),))
        self.part = Widening(self._ask, known, QueryCodes(self.worker, timeout=5), settings)

    async def _ask(self, method: str, path: bytes, headers: Sequence[Header], body: bytes) -> Told:
        self.asked.append(body)
        if (b"authorization", b"reader") not in headers:
            return Told(403, [(b"content-type", b"application/json")], FORBIDDEN)
        late = self.late and b"script_score" in body
        return Told(200, [(b"content-type", b"application/json")], LATE if late else WHOLE)

    def send(self, raw: bytes, user: bytes, path: bytes = b"/books/_search") -> tuple[int, dict[bytes, bytes]] | None:
        said: list[tuple[int, dict[bytes, bytes]]] = []

        class Exchange:
            method, raw_path, call = "POST", path, read("POST", path)
            headers = ((b"content-type", b"application/json"), (b"authorization", user))

            async def body(self, _: int) -> bytes:
                return raw

            async def respond(self, status: int, headers: Any, _: bytes) -> None:
                said.append((status, dict(headers)))

        answered = asyncio.run(self.part.handle(cast("Any", Exchange())))
        assert answered is bool(said)
        return said[0] if said else None


def test_nobody_encodes_for_whom_the_cluster_refuses() -> None:
    opac = Opac()
    answer = opac.send(json.dumps(WORDS).encode(), b"nobody")
    assert answer is not None
    assert (answer[0], opac.worker.asked) == (403, 0)
    answer = opac.send(json.dumps(WORDS).encode(), b"reader")
    assert answer is not None
    assert (answer[0], answer[1][b"x-crosshatch-widened"], opac.worker.asked) == (200, b"rerank", 1)
    before = len(opac.asked)
    opac.send(json.dumps(WORDS).encode(), b"reader")
    assert len(opac.asked) == before + 1  # the words are known: one request, as ever


@pytest.mark.parametrize(("more", "widened"), [({"timeout": "1ms"}, True), ({}, False)])
def test_a_limit_of_time_that_a_caller_sets_is_his_own_trouble(more: dict[str, str], widened: bool) -> None:
    opac = Opac()
    opac.late = True
    assert opac.send(json.dumps({**WORDS, **more}).encode(), b"reader")
    opac.late = False
    answer = opac.send(json.dumps(WORDS).encode(), b"reader")
    assert answer is not None
    assert (b"x-crosshatch-widened" in answer[1]) is widened


def test_a_multi_search_of_very_many_comes_as_it_is() -> None:
    lines = b"{}\n" + json.dumps(WORDS).encode() + b"\n"
    assert Opac().send(lines * (MOST_SEARCHES + 1), b"reader", b"/books/_msearch") is None
