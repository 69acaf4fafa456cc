"""Letting go of documents; what needs a real engine is in tests/live."""

import pytest

from integration import emptying
from integration.emptying import _empty_piece
from integration.splice import take_out
from integration.writer import GuardedIndex, Key, Outcome
from mappings.errors import EngineUnavailable, WriteRefused
from tests.integration.fakes import FakeCluster


def test_a_document_that_cannot_be_read_does_not_stop_a_detach() -> None:
    odd = {
        "twice": b'{"crosshatch":{},"crosshatch":{"s":{}}}',
        "foreign": b'{"crosshatch":"a red pattern"}',
        "digits": b'{"crosshatch":{"n":%s}}' % (b"9" * 5000),
    }
    cluster = FakeCluster()
    for record, source in {**odd, "ours": b'{"a":813.50,"crosshatch":{"s":{"text":"AA==","source":"0f"}}}'}.items():
        cluster.put("biblios", record, source)
    guarded = GuardedIndex(cluster.as_cluster(), "biblios", "internal")
    keys = [Key(record) for record in [*odd, "ours", "gone"]]
    assert _empty_piece(guarded, keys, take_out) == (1, 0, 0)
    assert _empty_piece(guarded, keys, take_out) == (0, 0, 0)
    assert {record: cluster.source("biblios", record) for record in odd} == odd
    assert cluster.source("biblios", "ours") == b'{"a":813.50}'


@pytest.mark.parametrize(
    ("outcome", "error", "said"),
    [
        (Outcome.BUSY, EngineUnavailable, "too busy to take 1 documents of biblios"),
        (Outcome.CONFLICT, WriteRefused, "1 documents of biblios changed at every try"),
    ],
)
def test_a_busy_engine_is_waited_for_and_is_no_fast_catalogue(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, error: type[Exception], said: str
) -> None:
    cluster, waited = FakeCluster(), list[float]()
    cluster.put("biblios", "1", b'{"crosshatch":{"s":{"text":"AA==","source":"0f"}}}')
    monkeypatch.setattr(emptying.time, "sleep", waited.append)
    guarded = GuardedIndex(cluster.as_cluster(), "biblios", "internal")
    monkeypatch.setattr(guarded, "write", lambda puts: [outcome] * len(puts))
    with pytest.raises(error, match=said):
        emptying.empty(cluster.as_cluster(), "biblios", guarded, "crosshatch", take_out)
    assert sum(waited) > 60


def test_manners_are_asked_for_a_few_documents_at_a_time() -> None:
    """At a slow rate the turn of a whole page would come later than anybody waits."""
    cluster, admitted = FakeCluster(), list[int]()
    for number in range(emptying.PIECE + 1):
        cluster.put("biblios", str(number), b'{"crosshatch":{"s":{"text":"AA==","source":"0f"}}}')
    guarded = GuardedIndex(cluster.as_cluster(), "biblios", "internal")
    changed = emptying.empty(cluster.as_cluster(), "biblios", guarded, "crosshatch", take_out, admit=admitted.append)
    assert (changed, admitted) == (emptying.PIECE + 1, [emptying.PIECE, 1])
