"""Which engine and broker a command gets, and what is kept in the data folder. No engine is started here."""

import json
import os
from pathlib import Path

import pytest

from integration.engine import services as engines
from integration.engine import state
from integration.engine.state import Services
from integration.settings import Settings
from mappings.errors import BrokerUnavailable, EngineUnavailable, SettingsError


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No CROSSHATCH_* of whoever runs the tests, and no crosshatch.toml."""
    for name in [name for name in os.environ if name.startswith("CROSSHATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def here(tmp_path: Path) -> Services:
    return Services("http://127.0.0.1:9200", "redis://127.0.0.1:7000/0", "3.8.0", str(tmp_path), os.getpid())


def test_nothing_found_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as no_engine:
        engines.found(Settings(data=tmp_path))
    assert str(no_engine.value) == (
        "no OpenSearch runs; run `crosshatch engine start` or set CROSSHATCH_OPENSEARCH_URL"
    )
    with pytest.raises(BrokerUnavailable) as no_broker:
        engines.found(Settings(data=tmp_path, opensearch_url="http://search:9200"))
    assert str(no_broker.value) == "no Redis runs; run `crosshatch engine start` or set CROSSHATCH_REDIS_URL"
    assert engines.status(Settings(data=tmp_path)) is None
    assert engines.stop(Settings(data=tmp_path)) is False


def test_what_runs_in_the_folder_is_found_and_a_url_comes_first(tmp_path: Path) -> None:
    folder = state.folder_of(tmp_path)
    with state.held(folder) as mine:
        assert mine
        state.publish(folder, here(tmp_path))
        assert engines.found(Settings(data=tmp_path)) == here(tmp_path)
        mixed = engines.found(Settings(data=tmp_path, opensearch_url="http://search:9200"))
        assert (mixed.url, mixed.broker_url, mixed.version) == ("http://search:9200", here(tmp_path).broker_url, None)
    with pytest.raises(EngineUnavailable):  # the lock is free: whatever engine.json says is of a host that crashed
        engines.found(Settings(data=tmp_path))


def test_a_start_returns_what_runs_already(tmp_path: Path) -> None:
    folder = state.folder_of(tmp_path)
    with state.held(folder):
        state.publish(folder, here(tmp_path))
        assert engines.start(Settings(data=tmp_path), engine="embedded") == here(tmp_path)
        with engines.running(Settings(data=tmp_path)) as services:
            assert services == here(tmp_path)
        assert state.published(folder) == here(tmp_path), "what ran before must be left running"


def test_a_second_host_is_refused(tmp_path: Path) -> None:
    with state.held(tmp_path) as first, state.held(tmp_path) as second:
        assert (first, second) == (True, False)
        assert state.holder(tmp_path) == os.getpid()
    assert state.holder(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": "x"}', json.dumps({"url": 1, "more": 2})])
def test_a_broken_state_file_is_no_engine(tmp_path: Path, text: str) -> None:
    with state.held(tmp_path):
        (tmp_path / "engine.json").write_text(text)
        assert state.published(tmp_path) is None


def test_by_url_only(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--engine url needs CROSSHATCH_OPENSEARCH_URL"):
        engines.start(Settings(data=tmp_path), engine="url")
    dead = Settings(data=tmp_path, opensearch_url="http://me:secret@127.0.0.1:9", redis_url="redis://127.0.0.1:9")
    with pytest.raises(EngineUnavailable, match=r"no OpenSearch answers at 127\.0\.0\.1:9") as caught:
        engines.start(dead, engine="url")
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineUnavailable, match=r"cannot write .*/file/engine.*CROSSHATCH_DATA"):
        engines.start(Settings(data=tmp_path / "file"), engine="embedded")


@pytest.mark.parametrize(
    ("last", "kind", "text"),
    [
        ("BrokerUnavailable: no redis-server found", BrokerUnavailable, "no redis-server found"),
        ("EngineUnavailable: needs Java 21", EngineUnavailable, "needs Java 21"),
        ("java.lang.Boom", EngineUnavailable, "ended with 1 before it answered; its log"),
    ],
)
def test_what_a_failed_host_says_becomes_the_error(tmp_path: Path, last: str, kind: type[Exception], text: str) -> None:
    log = tmp_path / "host.log"
    log.write_text(f"started\n\n{last}\n")
    error = engines._failed(1, log)
    assert type(error) is kind
    assert text in str(error)
