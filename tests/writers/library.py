"""A library's records for the writers: real MARC21 where the data folder lies beside the checkout, else made up."""

import random
from collections.abc import Iterator
from io import BytesIO
from itertools import count, islice

import pymarc

from integration.sources.marc import read_marc
from integration.sources.record import BibRecord
from tests.sources import PROJECT

SHARED = PROJECT.parent / "shared"
REAL = (
    "pymarc/test/marc.dat",
    "ruby-marc/test/batch.dat",
    "traject/test/test_support/test_data.utf8.mrc",
    "traject/test/test_support/hebrew880s.marc",
)
_THINGS = (
    *("whale", "lighthouse", "orchard", "Brücke", "Müller’s garden", "forêt", "œuvre", "žena", "Łódź", "cây cầu"),
    *("море", "книга", "الكتاب", "鯨", "浮世繪", "図書館", "고래", "θάλασσα", "naïve cafe\u0301", "atlas"),
)
_KINDS = ("A history of the {}", "{}: essays", "The {} and other stories", "{} explained", "Zur Geschichte: {}", "{}")
_NAMES = (
    "Melville, Herman",
    "Brontë, Charlotte",
    "Łukasz, Jan",
    "李白",
    "Пушкин, А. С.",
    "Ngô, Sĩ Liên",
    "O’Brien, Flann",
)
_LANGUAGES = ("eng", "ger", "fre", "jpn", "rus")
_SUBJECTS = ("Whaling", "Gardens", "Lighthouses", "Bücher", "Bridges", "書道", "Painting", "Mathematics", "Cookery")


def records(number: int, *, seed: int = 0) -> list[bytes]:
    """So many different records as ISO 2709 in UTF-8, without links to pictures; the same ones for the same seed."""
    rng = random.Random(seed)
    base = list(_real()) or [_made(rng, n) for n in range(500)]
    turns = ((turn, raw) for turn in count() for raw in base)
    return [retitled(raw, f"volume {turn}") if turn else raw for turn, raw in islice(turns, number)]


def retitled(raw: bytes, words: str) -> bytes:
    """The record with another remainder of its title."""
    record = parsed(raw)
    title = record.get("245")
    if title is None:
        record.add_ordered_field(title := pymarc.Field("245", pymarc.Indicators("0", "0"), []))
    title.subfields = [part for part in title.subfields if part.code != "b"]
    title.add_subfield("b", words, min(1, len(title.subfields)))
    return bytes(record.as_marc())


def parsed(raw: bytes) -> pymarc.Record:
    """The record in pymarc's hands."""
    return pymarc.Record(data=raw, force_utf8=True)


def bib(raw: bytes) -> BibRecord:
    """What the fields of the record say."""
    [record] = read_marc(BytesIO(raw))
    assert isinstance(record, BibRecord), record
    return record


def _real() -> Iterator[bytes]:
    """The readable records of the data folder, each once, in UTF-8."""
    seen = set()
    for name in REAL:
        file = SHARED / "data" / "marc" / name
        for record in pymarc.MARCReader(file.read_bytes(), to_unicode=True) if file.is_file() else ():
            if record is None:
                continue
            record.remove_fields("856")
            record.leader = pymarc.Leader(f"{str(record.leader)[:9]}a{str(record.leader)[10:]}")
            raw = bytes(record.as_marc())
            if raw not in seen and bib(raw).words:
                seen.add(raw)
                yield raw


def _made(rng: random.Random, number: int) -> bytes:
    """A record with a language, a title, one name or two, subjects, a summary and an ISBN."""
    record = pymarc.Record(force_utf8=True)
    record.add_field(pymarc.Field("001", data=f"made-{number}"))
    record.add_field(pymarc.Field("008", data=f"850101s1985    xx {'':17}{rng.choice(_LANGUAGES)} d"))
    thing, other = rng.sample(_THINGS, 2)
    said = " ".join(rng.choices(_THINGS, k=rng.randrange(5, 60)))
    for tag, code, value in (
        ("020", "a", f"978014243{number:04d}"),
        ("100", "a", rng.choice(_NAMES)),
        ("245", "a", f"{rng.choice(_KINDS).format(thing)} /"),
        ("520", "a", f"On {thing} and {other}. {said}."),
        *(("650", "a", subject) for subject in rng.sample(_SUBJECTS, 2)),
        *(("700", "a", name) for name in rng.sample(_NAMES, number % 2)),
    ):
        record.add_field(pymarc.Field(tag, pymarc.Indicators(" ", " "), [pymarc.Subfield(code, value)]))
    return bytes(record.as_marc())
