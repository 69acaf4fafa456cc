"""Writers meet an engine that is away, busy, blocked, or that refuses; they call the right things errors."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.writers import library
from tests.writers.invenio import InvenioWriter
from tests.writers.koha import KohaWriter
from tests.writers.truth import Held
from tests.writers.writer import Action, Writer

Answer = Callable[[httpx.Request], httpx.Response]


def item(status: int, **more: Any) -> Answer:
    """A bulk answer of one item."""
    return lambda _: httpx.Response(
        200, json={"errors": status >= 300, "items": [{"index": {"status": status, **more}}]}
    )


def away(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("cut", request=request)


def error(status: int, kind: str) -> Answer:
    return lambda _: httpx.Response(status, json={"error": {"type": kind, "reason": "why"}, "status": status})


DONE = item(201, result="created")
BLOCKED = {"type": "cluster_block_exception", "reason": "disk"}


def met(writer: Writer, *answers: Answer) -> list[httpx.Request]:
    """Let the writer meet these answers, one after the other; the requests that it sends are collected."""
    requests: list[httpx.Request] = []
    coming: Iterator[Answer] = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return next(coming)(request)

    writer._http = httpx.Client(base_url="http://engine", transport=httpx.MockTransport(answer))
    return requests


@pytest.fixture
def writer() -> KohaWriter:
    return KohaWriter("http://engine", "koha_biblios", library.records(3))


@pytest.mark.parametrize(
    ("answers", "counts"),
    [
        ([DONE], {}),
        ([away, away, DONE], {"away": 2}),
        ([error(503, "unavailable"), item(429, error={"type": "rejected"}), DONE], {"busy": 2}),
        ([item(403, error=BLOCKED), error(403, "cluster_block_exception"), DONE], {"blocked": 2}),
        ([away, item(200, result="updated")], {"away": 1}),
    ],
)
def test_what_it_would_have_met_without_us_is_sent_again(
    writer: KohaWriter, answers: list[Answer], counts: dict[str, int]
) -> None:
    requests = met(writer, *answers)
    writer.send([Action("koha_biblios", "1", b'{"a":1}')])
    assert len({request.content for request in requests}) == 1
    assert writer.truth.held == {("koha_biblios", "1"): Held(b'{"a":1}')}
    assert (writer.truth.errors, writer.truth.open) == ([], set())
    found = {
        name: number for name, number in writer.truth.counts.items() if number and name in ("away", "busy", "blocked")
    }
    assert found == counts
    assert (writer.truth.counts["found"], writer.truth.counts["missed"]) == (0, 0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (item(409, error={"type": "version_conflict", "reason": "r"}), "koha_biblios/1: 409 version_conflict: r"),
        (item(400, error={"type": "strict_dynamic", "reason": "r"}), "koha_biblios/1: 400 strict_dynamic: r"),
        (error(400, "illegal"), 'bulk: 400 {"error":{"type":"illegal","reason":"why"},"status":400}'),
    ],
)
def test_what_is_refused_is_an_error_and_changes_no_truth(writer: KohaWriter, answer: Answer, said: str) -> None:
    met(writer, answer)
    writer.send([Action("koha_biblios", "1", b"{}")])
    assert writer.truth.errors == [said]
    assert (writer.truth.held, writer.truth.open) == ({}, set())


def test_an_index_that_somebody_made_before_a_rebuild_is_an_error() -> None:
    writer = KohaWriter("http://engine", "koha_biblios", library.records(1))
    met(writer, error(200, ""), error(400, "resource_already_exists_exception"), error(200, ""), DONE)
    writer.rebuild()
    assert [message.split(":")[0] for message in writer.truth.errors] == ["PUT /koha_biblios"]


def test_records_that_were_there_or_not_against_its_knowledge_are_counted(writer: KohaWriter) -> None:
    met(writer, DONE, DONE, item(200, result="deleted"), item(200, result="updated"))
    for body in (b"{}", b"{}", None, b"{}"):
        writer.send([Action("koha_biblios", "1", body)])
    assert (writer.truth.counts["missed"], writer.truth.counts["found"]) == (1, 1)


def test_a_write_that_nobody_answers_stays_open(writer: KohaWriter) -> None:
    met(writer, *[away] * 100)
    writer.start()
    truth = writer.stop(timeout=0.2)
    assert truth.open
    assert truth.errors == []


def test_invenio_writes_labels_at_the_revision_and_edits_above_it() -> None:
    writer = InvenioWriter("http://engine", "p-", library.records(40), seed=3)
    before = {record.uuid: record.revision for record in writer._records}
    actions = [action for _ in range(5) for action in writer.turn(40)]
    assert {action.guard["version_type"] for action in actions} == {"external_gte"}
    rewrites = raised = deletes = 0
    for action in actions:
        version = action.guard["version"]
        assert version in (before[action.id], before[action.id] + 1)
        rewrites += version == before[action.id]
        raised += version > before[action.id]
        deletes += action.body is None
        before[action.id] = version
        assert action.body is None or json.loads(bytes(action.body))["version_id"] == version
    assert min(rewrites, raised, deletes) > 0
