"""What is kept of an attached index, and that two commands at once cannot overwrite each other."""

from dataclasses import replace

import pytest

from integration import state
from integration.state import Attached, Bundle, Learnt, Weights
from mappings.bands import Banding
from mappings.errors import NotAttachedError, RequestError, UnknownIndexError
from mappings.profile import TargetProfile
from tests.integration.fakes import FakeCluster

PROFILE = TargetProfile(name="mine", text=("title",), versioning="internal", language="lang")
KNOWN = Attached(
    "biblios",
    "uuid-biblios",
    "s_1",
    {"s_1": Bundle("default-128", "default-128", 128, "ab" * 32), "s_2": Bundle("/srv/b", "b", 64, "cd" * 32)},
    PROFILE,
    "c2VjcmV0",
    Weights(0.3, 4.0, 50, 0.1),
)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(indices={"biblios": {}})


def test_what_is_saved_is_read_back(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    assert state.by_name(here, "biblios") is None
    state.save(here, KNOWN)
    read = state.attached(here, "biblios")
    assert replace(read, version=None) == KNOWN
    assert read.version is not None
    state.save(here, replace(read, space="s_2"))
    assert state.attached(here, "biblios").bundle.bits == 64
    state.forget(here, state.attached(here, "biblios"))
    assert state.by_name(here, "biblios") is None


def test_bands_are_saved_and_read_back(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    order = tuple(reversed(range(60)))
    for change in (
        {"bands": Banding(64, 10, order), "learnt": Learnt(5000, 400, (("recall@10", 0.99),))},
        {"filling": Banding(64, 12), "learnt": Learnt(5000, 400)},
    ):
        bundle = replace(KNOWN.spaces["s_2"], **change)
        version = state.get(here, "index:biblios") and state.attached(here, "biblios").version
        state.save(here, replace(KNOWN, spaces={**KNOWN.spaces, "s_2": bundle}, version=version))
        read = state.attached(here, "biblios")
        assert read.spaces["s_2"] == bundle
        assert read.spaces["s_2"].cut == next(iter(change.values()))
        assert read.spaces["s_1"].cut is None


def test_weights_of_parts_are_saved_and_read_back_by_space(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    weighed = replace(KNOWN.spaces["s_2"], part_weights={"image": 0.5})
    state.save(here, replace(KNOWN, spaces={**KNOWN.spaces, "s_2": weighed}))
    read = state.attached(here, "biblios").spaces
    assert (read["s_2"], read["s_1"].part_weights) == (weighed, {})


def test_vectors_are_saved_and_read_back(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    graphed = replace(KNOWN.spaces["s_2"], vectors="lucene", vectors_ready=True)
    state.save(here, replace(KNOWN, spaces={**KNOWN.spaces, "s_2": graphed}))
    read = state.attached(here, "biblios").spaces
    assert (read["s_2"], read["s_1"].vectors) == (graphed, None)


def test_a_state_from_before_there_were_bands_is_read(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    state.save(here, KNOWN)
    document = state.get(here, "index:biblios")["_source"]
    old = {"reference": "b", "name": "b", "bits": 64, "digest": "cd" * 32, "was_active": True}
    document["body"]["spaces"]["s_2"] = old
    state.put(here, "index:biblios", document)
    assert state.attached(here, "biblios").spaces["s_2"] == Bundle("b", "b", 64, "cd" * 32, was_active=True)


def test_the_slower_of_two_commands_is_refused(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    state.save(here, KNOWN)
    one = two = state.attached(here, "biblios")
    state.save(here, replace(one, space="s_2"))
    with pytest.raises(RequestError) as raised:
        state.save(here, replace(two, settings=Weights()))
    assert str(raised.value) == "the state of index:biblios was changed by another command meanwhile; run it again"
    with pytest.raises(RequestError, match="another command"):
        state.save(here, KNOWN)  # of a command that saw no state
    assert state.attached(here, "biblios").space == "s_2"


def test_not_attached_and_rebuilt_say_which_command_helps(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    with pytest.raises(NotAttachedError) as none:
        state.attached(here, "biblios")
    assert str(none.value) == "index biblios is not attached; run `crosshatch attach biblios` first"
    state.save(here, replace(KNOWN, uuid="of-before"))
    with pytest.raises(
        NotAttachedError, match="dropped and made anew since it was attached; run `crosshatch update bi"
    ):
        state.attached(here, "biblios")


def test_one_index_without_wildcards() -> None:
    here = FakeCluster(indices={"biblios": {}}).as_cluster()
    assert state.concrete(here, "biblios") == ("biblios", "uuid-biblios")
    with pytest.raises(UnknownIndexError):
        state.concrete(here, "none")
    for wrong in ("", "a*", "a,b", "<a-{now}>"):
        with pytest.raises(RequestError, match="one index or alias was expected, without wildcards"):
            state.concrete(here, wrong)


def test_an_alias_of_several_indices_lists_them(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    both = {name: {"settings": {"index": {"uuid": name}}} for name in ("b2", "b1")}
    monkeypatch.setattr(FakeCluster, "request", lambda *_, **__: both)
    with pytest.raises(RequestError) as raised:
        state.concrete(cluster.as_cluster(), "all")
    assert str(raised.value) == "all stands for 2 indices (b1, b2); name one of them"


def test_a_noted_profile_is_replaced_by_the_next(cluster: FakeCluster) -> None:
    here = cluster.as_cluster()
    assert state.noted_profile(here, "biblios") is None
    state.note_profile(here, "biblios", "catalogue")
    state.note_profile(here, "biblios", "demo")
    assert state.noted_profile(here, "biblios") == "demo"
    assert state.noted_profile(here, "other") is None


def test_names_follow_from_index_and_uuid() -> None:
    assert KNOWN.alias == "crosshatch-w-uuid-biblios"
    assert KNOWN.store.startswith(".crosshatch-codes-")
    assert KNOWN.store == replace(KNOWN, uuid="other").store, "a rebuilt index keeps its codes"
    assert KNOWN.store != replace(KNOWN, index="other").store
    assert KNOWN.in_space("s_2").bundle.name == "b"
    with pytest.raises(RequestError) as raised:
        KNOWN.in_space("s_3")
    assert str(raised.value) == "index biblios has no space 's_3'; there are: s_1, s_2"
