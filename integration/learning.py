"""The catalogue itself as a data set: what its records say, and their pictures, read once and only read.

Records come through the attached index's target profile, pictures through all limits that hold for workers. A picture
lies in a file of its own as it came, so that no catalogue is held in memory.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from encoders.data.api import DataSet
from encoders.data.catalogued import Catalogued, dataset
from encoders.pictures import decode
from encoders.training.duplicates import difference_hash
from integration import pictures, records, scan, state
from integration.engine.answers import parsed
from integration.engine.client import Cluster
from integration.pictures import Fetched, PictureReference
from integration.settings import Settings
from mappings.errors import DataError, RecordError, RequestError
from mappings.profile import TargetProfile

PAGE = 16  # records whose pictures are held in memory at once, and fetched before the scan goes on
HINT = 448  # pixels, the shorter side of what is decoded to see whether a picture can be


@dataclass
class Read:
    """What came of the records, to be told: those read, those left out by reason, and pictures that were skipped."""

    records: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def message(self) -> str:
        """In words."""
        left = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(self.skipped.items()))
        return f"{self.records} records read; left out: {left or 'none'}; pictures skipped: {skipped or 'none'}"


@dataclass(frozen=True, slots=True)
class _Told:
    """One record, before its picture is fetched."""

    id: str
    captions: tuple[str, ...]
    headings: tuple[str, ...]
    pictures: tuple[PictureReference, ...]


def read(cluster: Cluster, name: str, folder: Path, settings: Settings, *, seed: int) -> tuple[DataSet, Read]:
    """The data set `index:name`, its pictures in `folder`, which has to stay as long as the set is used.

    Raises NotAttachedError, RequestError where its profile names no pictures, DataError where no picture can be had or
    fewer records are left than are needed; each says what came of the records.
    """
    known = state.attached(cluster, name)
    if not known.profile.pictures:
        raise RequestError(
            f"index {known.index} has no pictures: its target profile {known.profile.name} names none, so there is "
            "nothing to learn from; name them in a profile and attach with it"
        )
    done = Read()
    pages = scan.pages(cluster, known.index, size=PAGE)
    told = ([one for hit in page for one in _told(hit, known.profile, done)] for page in pages)
    found = [one for some in told for one in _pictured(some, folder, settings, done)]
    if not found:
        raise DataError(f"index {known.index} has no pictures that can be learnt from: {done.message()}")
    try:
        return dataset(f"index:{name}", found, seed=seed), done
    except DataError as error:
        raise DataError(f"{error}. Of index {known.index}: {done.message()}") from error


def _told(hit: scan.Hit, profile: TargetProfile, done: Read) -> Iterator[_Told]:
    """The record, if it says something and names a picture."""
    done.records += 1
    try:
        one = _record(hit.id, parsed(hit.source), profile)
    except (RecordError, ValueError, RecursionError):
        done.left_out["unreadable"] += 1
        return
    if one.captions and one.pictures:
        yield one
    else:
        done.left_out["without picture" if one.captions else "without text"] += 1


def _record(record: str, document: dict[str, Any], profile: TargetProfile) -> _Told:
    """What a document says, by its profile. Raises RecordError."""
    marc = records.marc_record(document, profile.marc) if profile.marc else None
    fields = profile.captions or (() if marc else (profile.title,) if profile.title else profile.text)
    own = [*(marc.title or "").split(" = "), records.normalised(marc.summary or "")] if marc else []
    captions = [*own, *_values(document, fields, profile)]
    headings = [*(marc.subjects if marc else ()), *_values(document, profile.subjects, profile)]
    return _Told(record, _distinct(captions), _distinct(headings), records.read(document, profile).pictures)


def _values(document: dict[str, Any], fields: Iterable[str], profile: TargetProfile) -> Iterator[str]:
    """Every value of these fields; of the title, every one of its parallel forms, which ` = ` parts (ISBD)."""
    for name in fields:
        for text in records.lines(document, name, html=name in profile.html):
            yield from text.split(" = ") if name == profile.title else (text,)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


def _pictured(told: Sequence[_Told], folder: Path, settings: Settings, done: Read) -> Iterator[Catalogued]:
    """Each record with the first of its pictures that can be fetched and decoded."""
    waiting, turn = dict(enumerate(told)), 0  # by number: under routing two records may have one id
    while asked := {number: one for number, one in waiting.items() if turn < len(one.pictures)}:
        fetched = pictures.fetch_all([one.pictures[turn] for one in asked.values()], settings)
        for (number, one), came in zip(asked.items(), fetched, strict=True):
            kept = _kept(one, came, folder, settings, done)
            if kept:
                del waiting[number]
                yield kept
        turn += 1
    done.left_out.update(["without a picture that can be read"] * len(waiting))


def _kept(one: _Told, came: Fetched | RecordError, folder: Path, settings: Settings, done: Read) -> Catalogued | None:
    """The record with its picture in `folder`; None, and counted, where the picture is none."""
    try:
        if isinstance(came, RecordError):
            raise came
        picture = decode(came.data, max_pixels=settings.picture_max_pixels, hint=HINT)
    except RecordError as error:
        done.skipped[error.reason] += 1
        return None
    path = folder / came.sha256  # records of one picture share its file
    path.write_bytes(came.data)
    return Catalogued(one.id, one.captions, one.headings, path, difference_hash(picture))
