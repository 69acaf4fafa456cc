"""ISO 2709: encodings, fields, and what a broken record does to its neighbours."""

import base64
from io import BytesIO

import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.sources.marc import read_marc
from integration.sources.record import Agent, BadRecord, BibRecord


def record(number: str = "m1", *fields: pymarc.Field) -> pymarc.Record:
    """A record with 001 and these fields."""
    made = pymarc.Record()
    made.add_field(pymarc.Field("001", data=number), *fields)
    return made


def field(tag: str, *parts: str, indicators: str = "  ") -> pymarc.Field:
    """A data field; each part is `a text`."""
    return pymarc.Field(tag, pymarc.Indicators(*indicators), [pymarc.Subfield(p[0], p[2:]) for p in parts])


def read(raw: bytes) -> list[BibRecord | BadRecord]:
    return list(read_marc(BytesIO(raw)))


def one(*fields: pymarc.Field) -> BibRecord:
    [result] = read(record("m1", *fields).as_marc())
    assert isinstance(result, BibRecord)
    return result


def marc8(number: str, title: bytes) -> bytes:
    """A record whose leader does not claim UTF-8, with a title in raw bytes."""
    raw = record(number, field("245", "a " + "x" * len(title), indicators="10")).as_marc()
    return raw[:9] + b" " + raw[10:].replace(b"x" * len(title), title)


def test_a_record_becomes_fields_without_cataloguing_punctuation() -> None:
    moby = one(
        pymarc.Field("008", data="850101s1851    nyu           000 1 eng d"),
        field("020", "a 0-14-243724-7 (pbk.) :", "z 9999999999"),
        field("035", "a (OCoLC)1234"),
        field("100", "a Melville, Herman,", "d 1819-1891.", indicators="1 "),
        field("245", "a Moby-Dick, or,", "b The whale /", "c Herman Melville.", indicators="10"),
        field("260", "a New York :", "b Harper & Brothers,", "c c1851."),
        field("520", "a A captain hunts a whale."),
        field("650", "a Whaling", "v Fiction.", indicators=" 0"),
        field("700", "a Kent, Rockwell,", "d 1882-1971,", "e illustrator.", indicators="1 "),
    )
    assert moby.document() == {
        "title": "Moby-Dick, or, The whale",
        "creators": [{"name": "Melville, Herman"}],
        "contributors": [{"name": "Kent, Rockwell", "role": "illustrator"}],
        "subjects": ["Whaling -- Fiction"],
        "summary": "A captain hunts a whale.",
        "published": "1851",
        "publisher": "Harper & Brothers",
        "language": ["eng"],
        "isbn": ["0142437247"],
        "identifiers": ["m1", "(OCoLC)1234"],
        "marc": moby.marc,
    }
    assert moby.id == "m1"


def test_marc_is_the_record_itself() -> None:
    raw = marc8("m1", b"caf\xe2e")
    [result] = read(raw)
    assert isinstance(result, BibRecord)
    assert base64.b64decode(result.marc or "") == raw


def test_vernacular_forms_follow_the_field_they_are_linked_to() -> None:
    war = one(
        field("100", "6 880-01", "a Tolstoĭ, Lev,", indicators="1 "),
        field("245", "6 880-02", "a Voĭna i mir /", indicators="10"),
        field("880", "6 100-01/(N", "a Толстой, Лев,", indicators="1 "),
        field("880", "6 245-02/(N", "a Война и мир /", indicators="10"),
    )
    assert war.title == "Voĭna i mir = Война и мир"
    assert war.creators == (Agent("Tolstoĭ, Lev"), Agent("Толстой, Лев"))


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param(b"caf\xe2e", "café", id="MARC-8: the accent comes before its letter"),
        pytest.param("café".encode(), "café", id="UTF-8 whose leader does not say so"),
        pytest.param(b"\x1b(NwOJNA\x1b(B", "Война", id="MARC-8: Cyrillic behind an escape"),
    ],
)
def test_encodings(title: bytes, expected: str) -> None:
    [result] = read(marc8("m1", title))
    assert isinstance(result, BibRecord)
    assert result.title == expected


@pytest.mark.parametrize(
    ("parts", "is_picture"),
    [
        (["u https://x.org/cover.JPG"], True),
        (["u https://x.org/7", "3 Cover image"], True),
        (["u https://x.org/7", "q image/jpeg"], True),
        (["u https://x.org/7", "q jpg"], True),
        (["u https://x.org/7", "3 Table of contents"], False),
        (["u https://x.org/7.pdf", "3 Cover to cover scan"], False),
        (["u ftp://x.org/cover.jpg"], False),
        (["u javascript:alert(1).jpg"], False),
        (["u http://[x/cover.jpg"], False),
    ],
)
def test_which_links_are_pictures(parts: list[str], is_picture: bool) -> None:
    assert bool(one(field("856", *parts)).picture_urls) is is_picture


@pytest.mark.parametrize(
    ("date", "expected"),
    [("c1851.", "1851"), ("[1999?]", "1999"), ("MDCCLII", "MDCCLII"), ("昭和 52 [1977]", "1977")],
)
def test_published_is_a_year_where_there_is_one(date: str, expected: str) -> None:
    assert one(field("264", f"c {date}", indicators=" 1")).published == expected


def test_a_record_without_001_has_the_same_id_at_every_load() -> None:
    made = pymarc.Record()
    made.add_field(field("245", "a Untitled"))
    assert read(made.as_marc()) == read(made.as_marc())


GOOD, OTHER = record("m1", field("245", "a First")).as_marc(), record("m2", field("245", "a Second")).as_marc()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        pytest.param(b"99999" + GOOD[5:], "the leader says 99999 bytes, ", id="length too large"),
        pytest.param(b"abcde" + GOOD[5:], "the leader has no length", id="length no number"),
        pytest.param(GOOD[:40], "ends after 40 bytes", id="cut off inside the directory"),
        pytest.param(GOOD[:12] + b"99999" + GOOD[17:], "no valid MARC record: Base address", id="base address"),
        pytest.param(GOOD.replace(b"First", b"Fir\xff\xfe"), "not UTF-8 as its leader says", id="bad UTF-8"),
        pytest.param(b"garbage" * 9 + b"\x1d", "the leader has no length", id="garbage"),
    ],
)
def test_a_broken_record_leaves_its_neighbours_alone(broken: bytes, why: str) -> None:
    results = read(OTHER + broken + OTHER)
    assert [r.id for r in results if isinstance(r, BibRecord)] == ["m2", "m2"]
    [bad] = [r for r in results if isinstance(r, BadRecord)]
    assert (bad.position, bad.offset) == (2, len(OTHER))
    assert bad.why.startswith(why)


def test_a_broken_record_is_named_where_its_001_can_be_read() -> None:
    [bad] = read(GOOD.replace(b"First", b"Fir\xff\xfe"))
    assert isinstance(bad, BadRecord)
    assert bad.id == "m1"


def test_line_ends_between_records_and_a_missing_last_terminator() -> None:
    results = read(GOOD + b"\r\n" + OTHER[:-1])
    assert isinstance(results[0], BibRecord)
    assert results[1] == BadRecord(
        2,
        f"ends after {len(OTHER) - 1} bytes without a record terminator (hex 1D): the record is cut off",
        "m2",
        len(GOOD) + 2,
    )


def test_a_directory_that_repeats_one_long_text_is_refused() -> None:
    text = b"x" * 9000 + b"\x1e"
    directory = b"".join(b"500%04d00000" % len(text) for _ in range(2000)) + b"\x1e"
    base = 24 + len(directory)
    raw = b"%05dnam  22%05d   4500" % (base + len(text) + 1, base) + directory + text + b"\x1d"
    [bad] = read(raw)
    assert isinstance(bad, BadRecord)
    assert bad.why.startswith("the directory lists more text")


def test_endless_bytes_without_a_terminator_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration.sources.marc.MAX_RECORD", 1000)
    results = read(b"0" * 500_000 + b"\x1d" + GOOD)
    assert [type(r) for r in results] == [BadRecord, BibRecord]


@given(st.binary(max_size=400), st.integers(0, len(GOOD)))
def test_no_bytes_crash_it(noise: bytes, at: int) -> None:
    for result in read(GOOD[:at] + noise + GOOD[at:] + noise):
        assert isinstance(result, BibRecord | BadRecord)
