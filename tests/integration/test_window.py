"""What others wrote, by sequence numbers; what needs a real engine is in tests/live."""

from typing import Any, cast

import pytest

from integration import watermarks, window
from integration.engine.client import Cluster
from mappings.errors import EngineUnavailable

NUMBERS = {"local_checkpoint": 3, "max_seq_no": 4}
COUNTS = {"index_total": 5, "delete_total": 6}


class Answers:
    """A cluster that gives the same answer to everything."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def request(self, *_: object, **__: object) -> Any:
        return self._answer


def test_a_shard_that_is_being_recovered_is_waited_for() -> None:
    """It stands in the answer, without its numbers: no record is at fault."""
    ready = [{"routing": {"primary": True}, "seq_no": NUMBERS, "indexing": COUNTS}]
    starting = [{"routing": {"primary": True}}]
    assert window.marks(_stats({"0": ready}), "/i") == {"0": window.Mark(3, 4, 5, 6)}
    with pytest.raises(EngineUnavailable, match="shard 1 is being recovered"):
        window.marks(_stats({"0": ready, "1": starting}), "/i")


def test_a_refresh_that_failed_on_a_shard_shows_nothing() -> None:
    answer = {"_shards": {"total": 2, "successful": 1, "failed": 1}}
    with pytest.raises(EngineUnavailable, match="1 of 2 shards of biblios were not refreshed"):
        watermarks.refresh(cast(Cluster, Answers(answer)), "biblios")


def _stats(shards: dict[str, Any]) -> Cluster:
    return cast(Cluster, Answers({"indices": {"i": {"shards": shards}}}))
