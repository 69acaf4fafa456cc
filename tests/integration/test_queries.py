"""The code of a query: from a worker where one answers, else from this process."""

import base64
from typing import Any

import pytest
from celery.exceptions import TimeoutError as NoAnswer
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as NoRedis

from encoders import loading
from encoders.api import BundleCard, Codes, Item
from integration import jobs, queries
from integration.settings import Settings
from integration.state import Bundle
from mappings.code import HashCode
from mappings.errors import BrokerUnavailable, CodeLengthError, RecordError, RequestError
from mappings.weighted import WeightedCode

BUNDLE = Bundle("b-16", "b-16", 16, "ab" * 32)
ONE, TWO = HashCode(16, b"ab"), HashCode(16, b"cd")


class App:
    """A Celery application with one worker, which answers `answer`; an answer that is an error is raised."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.sent: list[dict[str, Any]] = []

    def send_task(self, name: str, *, kwargs: dict[str, Any], **options: Any) -> "App":
        assert name == jobs.ENCODE_QUERY
        assert options["expires"], "a query that nobody waits for any more must not be encoded"
        self.sent.append(kwargs)
        if isinstance(self.answer, OperationalError):
            raise self.answer
        return self

    def get(self, **_: Any) -> Any:
        if isinstance(self.answer, NoAnswer | NoRedis):
            raise self.answer
        return self.answer

    def successful(self) -> bool:
        return isinstance(self.answer, dict)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    """What this process encoded itself."""
    items: list[Item] = []

    def encode(item: Item, *_: object) -> dict[str, Any]:
        items.append(item)
        return queries.answer_of(Codes(text=TWO))

    monkeypatch.setattr(queries, "_in_process", encode)
    return items


def asked(
    monkeypatch: pytest.MonkeyPatch, answer: Any, *, workers: int = 1, item: Item | None = None
) -> tuple[App, Any]:
    app = App(answer)
    monkeypatch.setattr(jobs, "check_broker", lambda _: None)
    monkeypatch.setattr(jobs, "queue_app", lambda _: app)
    monkeypatch.setattr(jobs, "live_workers", lambda *_, **__: ["w"] * workers)
    return app, queries.encode_query(item or Item("whale", (b"\xff\0",)), BUNDLE, Settings(), "redis://x")


def test_a_worker_encodes(monkeypatch: pytest.MonkeyPatch, here: list[Item]) -> None:
    app, found = asked(monkeypatch, queries.answer_of(Codes(text=ONE, image=(None, TWO))))
    assert (found.by, found.codes) == ("worker", {"text": ONE, "image": TWO})
    assert here == []
    picture = base64.b64encode(b"\xff\0").decode()
    assert app.sent == [{"reference": "b-16", "digest": "ab" * 32, "text": "whale", "pictures": [picture]}]


def test_weights_come_along(monkeypatch: pytest.MonkeyPatch, here: list[Item]) -> None:
    sure = WeightedCode(16, ONE.packed, bytes([15, 3] * 8))
    _, found = asked(monkeypatch, queries.answer_of(Codes(text=sure, image=(None, TWO))))
    assert found.codes == {"text": sure, "image": TWO}


def test_a_worker_of_an_older_release_answers_without_weights(
    monkeypatch: pytest.MonkeyPatch, here: list[Item]
) -> None:
    _, found = asked(monkeypatch, {"codes": {"text": ONE.base64()}, "problem": None})
    assert found.codes == {"text": ONE}


@pytest.mark.parametrize("weights", ["AAA=", "", "?", WeightedCode(32, b"abcd", bytes([15] * 32)).weights_base64()])
def test_weights_that_do_not_fit_the_code_are_told(
    monkeypatch: pytest.MonkeyPatch, here: list[Item], weights: str
) -> None:
    with pytest.raises(CodeLengthError, match="weights"):
        asked(monkeypatch, {"codes": {"text": ONE.base64()}, "weights": {"text": weights}, "problem": None})


@pytest.mark.parametrize(
    "answer", [ValueError("the task failed"), NoAnswer("late"), OperationalError("gone"), NoRedis("gone")], ids=repr
)
def test_this_process_encodes_where_the_worker_does_not(
    monkeypatch: pytest.MonkeyPatch, here: list[Item], answer: Exception
) -> None:
    _, found = asked(monkeypatch, answer)
    assert (found.by, found.codes, len(here)) == ("process", {"text": TWO}, 1)


def test_nobody_is_asked_where_no_worker_answers(monkeypatch: pytest.MonkeyPatch, here: list[Item]) -> None:
    app, found = asked(monkeypatch, {}, workers=0)
    assert (found.by, app.sent) == ("process", [])


def test_no_broker(monkeypatch: pytest.MonkeyPatch, here: list[Item]) -> None:
    def refuse(_: str) -> None:
        raise BrokerUnavailable("down")

    monkeypatch.setattr(jobs, "check_broker", refuse)
    assert queries.encode_query(Item("x"), BUNDLE, Settings(), "redis://x").by == "process"
    assert queries.encode_query(Item("x"), BUNDLE, Settings(), None).by == "process"
    assert len(here) == 2


def test_an_unusable_query_is_the_callers(monkeypatch: pytest.MonkeyPatch, here: list[Item]) -> None:
    broken = Codes(text=ONE, image=(None,), problems={0: RecordError("picture-unreadable", "no picture format")})
    with pytest.raises(RequestError) as picture:
        asked(monkeypatch, queries.answer_of(broken))
    assert str(picture.value) == "the query's picture cannot be used: no picture format"
    with pytest.raises(RequestError) as nothing:
        asked(monkeypatch, queries.answer_of(Codes()), item=Item())
    assert str(nothing.value) == "the query holds neither words nor a picture; give --text, --image or --like"


def test_this_process_loads_its_encoder_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    class Loaded:
        card = BundleCard("b-16", 16, "ab" * 32, ("text",), {}, "b-16")

        def encode_query(self, _: Item) -> Codes:
            return Codes(text=TWO)

    def load(reference: str, **_: Any) -> Loaded:
        loaded.append(reference)
        return Loaded()

    monkeypatch.setattr(loading, "load", load)
    queries._loaded.cache_clear()
    try:
        found = [queries.encode_query(Item("whale"), BUNDLE, Settings(), None) for _ in range(3)]
    finally:
        queries._loaded.cache_clear()
    assert [(one.by, one.codes) for one in found] == [("process", {"text": TWO})] * 3
    assert loaded == ["b-16"]
