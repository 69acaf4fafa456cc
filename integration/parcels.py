"""Stale records become jobs: small ones where an encoder must work, large ones where the code store has the codes.

Of a job that only restores, the time goes into its requests: five, whether it has 64 records or 500.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from integration import scan, state
from integration.engine.client import Cluster
from integration.jobs import Job
from integration.store import CodeStore
from integration.writer import Key

RESTORED = 500  # records in a job that needs no encoder
MOST_BYTES = 16_000_000  # of documents in one job: a worker holds them all, and so does the engine


@dataclass(frozen=True, slots=True)
class Mode:
    """`force` encodes anew what is up to date; `retry` tries again what failed with the same content."""

    force: bool = False
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """A record that a worker must look at; `kept` tells that the code store, or the record itself, has its codes."""

    key: Key
    bytes: int
    kept: bool


@dataclass(slots=True)
class _Parcel:
    keys: list[Key] = field(default_factory=list)
    bytes: int = 0


def looked_up(cluster: Cluster, known: state.Attached, records: Sequence[scan.Judged], mode: Mode) -> list[Stale]:
    """Ask the code store for the codes of `records`; one request."""
    store = CodeStore(cluster, known.store, known.secret, space=known.space, bits=known.bundle.bits)
    lack = [record for record in records if not record.problem and not record.coded]
    kept = set() if mode.force else store.has([record.digest for record in lack])
    return [Stale(one.key, one.bytes, one.digest in kept or has_codes(one, mode)) for one in records]


def has_codes(record: scan.Judged, mode: Mode) -> bool:
    """Whether a record is done with the codes that it has."""
    return record.coded and not mode.force and not (mode.retry and record.problem)


def batches(records: Iterable[Stale], known: state.Attached, size: int, mode: Mode) -> Iterator[Job]:
    """The jobs that do `records`: at most `size` each of those to be encoded, and of no more than `MOST_BYTES`."""
    open_: dict[bool, _Parcel] = {}
    for record in records:
        parcel = open_.setdefault(record.kept, _Parcel())
        if parcel.keys and parcel.bytes + record.bytes > MOST_BYTES:
            yield _job(parcel, known, mode)
            parcel = open_[record.kept] = _Parcel()
        parcel.keys.append(record.key)
        parcel.bytes += record.bytes
        if len(parcel.keys) == (max(size, RESTORED) if record.kept else size):
            yield _job(open_.pop(record.kept), known, mode)
    for parcel in open_.values():
        yield _job(parcel, known, mode)


def _job(parcel: _Parcel, known: state.Attached, mode: Mode) -> Job:
    return Job(uuid.uuid4().hex, known.index, known.uuid, known.space, tuple(parcel.keys), mode.force, mode.retry)
