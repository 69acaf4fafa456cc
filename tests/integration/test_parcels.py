"""Which stale records travel together."""

from integration.parcels import MOST_BYTES, RESTORED, Mode, Stale, batches
from integration.state import Attached, Bundle
from integration.writer import Key
from mappings.profile import TargetProfile

KNOWN = Attached("biblios", "u", "s", {"s": Bundle("b", "b", 64, "d")}, TargetProfile(name="t", text=("title",)), "")


def sizes(records: list[Stale], *, size: int = 3) -> list[int]:
    """Records in each job; every record is in one, in order within its kind."""
    jobs = list(batches(records, KNOWN, size, Mode(retry=True)))
    assert {(job.index, job.uuid, job.space, job.force, job.retry) for job in jobs} == {
        ("biblios", "u", "s", False, True)
    }
    sent = [key for job in jobs for key in job.keys]
    assert sorted(sent, key=lambda key: key.id) == sorted((one.key for one in records), key=lambda key: key.id)
    return [len(job.keys) for job in jobs]


def stale(count: int, *, kept: bool, size: int = 100) -> list[Stale]:
    return [Stale(Key(f"{kept}{n}", "r" if n % 2 else None), size, kept) for n in range(count)]


def test_what_needs_no_encoder_travels_in_large_jobs() -> None:
    mixed = [one for pair in zip(stale(7, kept=False), stale(7, kept=True), strict=True) for one in pair]
    assert sizes(mixed) == [3, 3, 7, 1]
    assert sizes(stale(RESTORED + 1, kept=True)) == [RESTORED, 1]
    assert sizes(stale(RESTORED + 1, kept=True), size=RESTORED * 2) == [RESTORED + 1]


def test_large_documents_travel_in_few() -> None:
    """A worker holds every document of its job; one that is larger than a job may be goes alone."""
    assert sizes(stale(5, kept=True, size=MOST_BYTES // 2)) == [2, 2, 1]
    assert sizes(stale(3, kept=False, size=MOST_BYTES * 2)) == [1, 1, 1]
