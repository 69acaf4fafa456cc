"""What is known of attached indices: old answers serve searches, but refuse none."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from encoders import catalogue
from integration import state
from integration.gateway import attachments
from integration.gateway.attachments import Attachment, Attachments, check_spaces
from integration.search.plan import Target
from integration.state import Attached, Bundle
from mappings.errors import NotAttachedError, RequestError
from mappings.profile import TargetProfile
from tests.integration.fakes import FakeCluster

CARD = catalogue.known()[0]
PROFILE = TargetProfile(name="mine", text=("title",))
BUNDLE = Bundle(CARD.reference, CARD.name, CARD.bits, CARD.digest)
KNOWN = Attached("biblios", "uuid-biblios", "s", {"s": BUNDLE}, PROFILE, "c2VjcmV0")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    monkeypatch.setattr(attachments, "FRESH", 0.05)
    return FakeCluster(indices={"biblios": {}})


def test_what_was_attached_a_moment_ago_is_not_refused_for_what_was_known_before(
    fake: FakeCluster, tmp_path: Path
) -> None:
    there = Attachments(fake.as_cluster(), tmp_path)

    async def asked() -> str:
        for _ in range(2):
            with pytest.raises(NotAttachedError):
                await there.behind("biblios", {})
        state.save(fake.as_cluster(), KNOWN)
        await asyncio.sleep(0.1)  # older than fresh; far younger than stale
        [one] = await there.behind("biblios", {})
        return one.known.index

    assert asyncio.run(asked()) == "biblios"


def test_an_index_made_anew_is_not_refused_for_its_old_uuid(fake: FakeCluster, tmp_path: Path) -> None:
    there, here = Attachments(fake.as_cluster(), tmp_path), fake.as_cluster()
    state.save(here, replace(KNOWN, uuid="of-before"))

    async def asked() -> str:
        with pytest.raises(NotAttachedError):
            await there.behind("biblios", {})
        before = state.by_name(here, "biblios")
        assert before is not None
        state.save(here, replace(before, uuid="uuid-biblios"))
        await asyncio.sleep(0.1)
        return (await there.behind("biblios", {}))[0].known.uuid

    assert asyncio.run(asked()) == "uuid-biblios"


def test_within_a_second_nobody_is_asked_again(
    fake: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "FRESH", 60.0)
    there = Attachments(fake.as_cluster(), tmp_path)

    async def asked() -> None:
        for _ in range(5):
            with pytest.raises(NotAttachedError):
                await there.behind("biblios", {})

    asyncio.run(asked())
    assert len(fake.asked) == 2


def test_codes_of_two_encoders_under_one_name_are_not_compared() -> None:
    """Administrators may name spaces; the second index fills the same name by another encoder."""
    other = Bundle("other", "other", CARD.bits, "f" * 64)
    here = Attachment(KNOWN, Target("biblios", "s", {}))
    alike = Attachment(replace(KNOWN, index="more"), Target("more", "s", {}))
    filled = {"t": BUNDLE, "s": other}
    beside = Attachment(replace(KNOWN, index="next", space="t", spaces=filled), Target("next", "t", {}))
    check_spaces([here, alike])
    check_spaces([beside])
    with pytest.raises(RequestError, match="space 's' is of different encoders in the indices that are searched"):
        check_spaces([here, beside])
