"""Off is off, at once and cleanly, and on again nothing was lost; against the real engine."""

import json
from collections.abc import Callable, Iterator, Sequence

import pytest
from click.testing import CliRunner

from encoders.api import Codes, Item
from integration import attach as attaching
from integration import reindex, spaces, state, status, switch
from integration.cli import cli
from integration.engine.client import Cluster, part
from integration.engine.services import Services
from integration.parcels import Mode
from integration.settings import Settings
from mappings.errors import RequestError, SwitchedOff, UnknownIndexError
from tests.live.fakes import CARD, FakeEncoder
from tests.live.test_writing import PROFILE, STRICT, encode, put, source


@pytest.fixture
def attached(cluster: Cluster, index: Callable[..., str], settings: Settings) -> Iterator[state.Attached]:
    """An attached index of 40 records; everything is on before and after."""
    file = settings.data / "switch.yaml"
    file.write_text(PROFILE.format(versioning="internal"))
    known = attaching.attach(cluster, attaching.plan(cluster, index(STRICT), str(file), CARD))
    for number in range(40):
        put(cluster, known, str(number), b'{"title":"number %d"}' % number)
    yield known
    switch.on(cluster, None)


class OffInTheMiddle(FakeEncoder):
    """An administrator switches off while the second chunk is encoded."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        super().__init__()
        self._cluster, self._index = cluster, index

    def encode(self, items: Sequence[Item]) -> list[Codes]:
        """One result an item."""
        if self.encoded:
            switch.off(self._cluster, self._index)
        return super().encode(items)


def test_off_in_the_middle_of_a_job_leaves_nothing_half_done(
    cluster: Cluster, attached: state.Attached, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "FRESH", 0.0)
    encoder = OffInTheMiddle(cluster, attached.index)
    with pytest.raises(SwitchedOff, match=rf"{attached.index} was switched off by .+ at .+; `crosshatch on"):
        encode(cluster, attached, settings, encoder)
    assert len(encoder.encoded) == 32, "the third chunk must not be encoded"
    assert all(b"crosshatch" not in source(cluster, attached, str(number)) for number in range(40))
    stands = status.of_index(cluster, attached)
    assert (stands["stale"], stands["failed"], stands["off"]["by"] != "") == (40, {}, True)
    switch.on(cluster, attached.index)
    assert encode(cluster, attached, settings, FakeEncoder()).documents == 40
    stands = status.of_index(cluster, attached)
    assert (stands["stale"], stands["encoded"]["text"], stands["off"]) == (0, 40, None)


def test_what_was_encoded_is_not_written_once_it_is_off(
    cluster: Cluster, attached: state.Attached, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restored codes are looked after just before the write, too: there is no chunk to encode."""
    monkeypatch.setattr(switch, "FRESH", 0.0)
    encode(cluster, attached, settings, FakeEncoder())
    put(cluster, attached, "7", b'{"title":"number 7"}')
    switch.off(cluster, None)
    with pytest.raises(SwitchedOff, match=r"every index was switched off .*; `crosshatch on` switches on"):
        encode(cluster, attached, settings, FakeEncoder())
    assert b"crosshatch" not in source(cluster, attached, "7")
    switch.on(cluster, None)
    assert encode(cluster, attached, settings, FakeEncoder()).restored == 1


def test_commands_that_write_refuse_and_detach_goes(
    cluster: Cluster, attached: state.Attached, services: Services, settings: Settings, index: Callable[..., str]
) -> None:
    encode(cluster, attached, settings, FakeEncoder())
    switch.off(cluster, attached.index)
    with pytest.raises(SwitchedOff):
        reindex.run(cluster, attached, services.broker_url, settings, Mode(), None)  # type: ignore[arg-type]
    plan = attaching.plan(cluster, attached.index, None, CARD)
    with pytest.raises(SwitchedOff):
        attaching.attach(cluster, plan)
    with pytest.raises(SwitchedOff):
        spaces.add(cluster, attached, CARD)
    with pytest.raises(SwitchedOff):
        spaces.drop(cluster, attached)
    assert attaching.detach(cluster, state.attached(cluster, attached.index), drop_codes=True) == 40
    plan = attaching.plan(cluster, index(STRICT), str(settings.data / "switch.yaml"), CARD)
    assert attaching.attach(cluster, plan).index == plan.index, "another index stays on"


def test_the_switch_of_one_index_and_of_all(cluster: Cluster, attached: state.Attached) -> None:
    first = switch.off(cluster, attached.index)
    assert switch.off(cluster, attached.index) == first, "it stays off since it was first"
    switch.off(cluster, None)
    with pytest.raises(RequestError, match=f"`crosshatch on` switches {attached.index} on with the others"):
        switch.on(cluster, attached.index)
    assert len(switch.on(cluster, None)) == 2
    assert switch.is_off(cluster, attached.index) is None
    assert switch.on(cluster, attached.index) == []
    with pytest.raises(UnknownIndexError):
        switch.off(cluster, "no-such-index")


def test_an_index_that_is_being_rebuilt_can_be_switched_off(cluster: Cluster, attached: state.Attached) -> None:
    cluster.request("DELETE", f"/{part(attached.index)}")
    switch.off(cluster, attached.index)
    assert switch.is_off(cluster, attached.index) is not None


def test_the_commands(attached: state.Attached, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", services.url)
    monkeypatch.setenv("CROSSHATCH_REDIS_URL", services.broker_url)
    monkeypatch.setattr(switch, "FRESH", 0.0)
    done = CliRunner().invoke(cli, ["off", attached.index, "--json"])
    assert json.loads(done.stdout)["off"]["index"] == attached.index
    ended = CliRunner().invoke(cli, ["update", attached.index, "--json"])
    assert isinstance(ended.exception, SwitchedOff)
    assert ended.exception.exit_code == 75
    assert f"crosshatch on {attached.index}" in CliRunner().invoke(cli, ["off", attached.index]).stdout
    assert "switched off" in CliRunner().invoke(cli, ["status", attached.index]).stdout
    findings = json.loads(CliRunner().invoke(cli, ["doctor", "--json"]).stdout)["findings"]
    assert attached.index in next(one for one in findings if one["name"] == "switch")["found"]
    done = CliRunner().invoke(cli, ["on", "--json"])
    assert [one["index"] for one in json.loads(done.stdout)["on"]] == [attached.index]
    assert CliRunner().invoke(cli, ["on"]).stdout == "nothing was off\n"
