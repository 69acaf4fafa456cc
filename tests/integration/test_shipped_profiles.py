"""The profiles of library systems against documents as those systems write them: words, pictures, what is broken."""

import base64
import json
from typing import Any

import pytest

from integration import records
from integration.pictures import PictureReference
from mappings import profile
from mappings.profile import TargetProfile
from tests.integration.sources.test_marc import field, record
from tests.writers import folio, invenio, koha, library

MOBY = record(
    "m1",
    field("020", "a 0-14-243724-7 (pbk.)"),
    field("100", "a Melville, Herman,", indicators="1 "),
    field("245", "a Moby-Dick :", "b Čeština 鯨 /", indicators="10"),
    field("520", "a A captain & a <whale>."),
    field("650", "a Whaling", "v Fiction."),
    field("856", "u https://c.example/moby.jpg", "3 Cover image", indicators="42"),
    field("856", "u https://c.example/show?id=1", "q image/png"),
    field("856", "u https://c.example/toc.pdf", "3 Table of contents"),
    field("856", "u https://c.example/online", "y Full text"),
    field("856", "u ftp://c.example/cover.jpg"),
)
RAW = bytes(MOBY.as_marc())
WORDS = "Moby-Dick : Čeština 鯨. Melville, Herman. Whaling -- Fiction. A captain & a <whale>."
LINKS = ("https://c.example/moby.jpg", "https://c.example/show?id=1")
XML = koha.marc_inside(RAW, "MARCXML")["marc_data"]
KOHA = profile.load("koha")
WITH_ISBN = TargetProfile.model_validate(
    {
        **KOHA.model_dump(),
        "pictures": [
            {"marc": "856$u", "kind": "url"},
            {"marc": "020$a", "kind": "isbn", "template": "https://c.example/{isbn}"},
        ],
    }
)


def urls(content: records.Content) -> tuple[str, ...]:
    assert all(reference.kind == "url" for reference in content.pictures)
    return tuple(reference.value for reference in content.pictures)


@pytest.mark.parametrize(
    "inside",
    [
        koha.marc_inside(RAW),
        koha.marc_inside(RAW, "ARRAY"),
        koha.marc_inside(RAW, "MARCXML"),
        {"marc_data": base64.b64encode(RAW).decode()},
        {"marc_data": [base64.encodebytes(RAW).decode()], "marc_format": ["base64ISO2709"]},
        {"marc_data_array": json.dumps(MOBY.as_dict()), "marc_format": "ARRAY"},
    ],
    ids=["base64", "array", "xml", "one line", "in lists", "array as text"],
)
def test_koha_reads_words_pictures_and_isbn_out_of_the_marc_in_every_form(inside: dict[str, Any]) -> None:
    content = records.read({"title": ["renamed or not"], **inside}, KOHA)
    assert (content.text, content.problem) == (WORDS, None)
    assert urls(content) == LINKS
    assert urls(records.read(inside, WITH_ISBN)) == (*LINKS, "https://c.example/9780142437247")


def test_the_same_record_has_the_same_digest_in_every_form() -> None:
    forms = [koha.marc_inside(RAW), koha.marc_inside(RAW, "ARRAY"), koha.marc_inside(RAW, "MARCXML")]
    assert len({records.read(form, KOHA).digest(KOHA, "b") for form in forms}) == 1


def test_base64_has_line_breaks_as_koha_writes_it() -> None:
    lines = koha.marc_inside(RAW)["marc_data"].split("\n")
    assert len(lines) > 2
    assert max(map(len, lines)) == 76


@pytest.mark.parametrize(
    "inside",
    [
        {"marc_data": base64.encodebytes(RAW[: len(RAW) // 2]).decode(), "marc_format": "base64ISO2709"},
        {"marc_data": "!!", "marc_format": "base64ISO2709"},
        {"marc_data": XML[:300], "marc_format": "MARCXML"},
        {"marc_data_array": {"fields": [{"245": 3}]}, "marc_format": "ARRAY"},
    ],
    ids=["cut", "no base64", "cut xml", "no fields"],
)
def test_broken_marc_is_a_problem_of_its_record(inside: dict[str, Any]) -> None:
    content = records.read({"title": ["still here"], **inside}, WITH_ISBN)
    assert (content.text, content.pictures) == (None, ())
    assert content.problem is not None
    assert content.problem.reason == "text-unreadable"


@pytest.mark.parametrize("inside", [{}, {"marc_data": "", "marc_data_array": None}, {"marc_format": "ARRAY"}])
def test_a_document_without_marc_has_nothing_to_encode(inside: dict[str, Any]) -> None:
    assert records.read({"title": ["x"], **inside}, WITH_ISBN) == records.Content(None, ())


def test_folio_reads_the_plain_fields_and_no_note_of_the_staff() -> None:
    document = {
        **folio.document(RAW, "c0ffee00-0000-4000-8000-000000000001", "diku"),
        "alternativeTitles": [{"alternativeTitle": {"src": "The whale"}, "plain_alternativeTitle": "The whale"}],
        "notes": [{"note": {"src": "secret"}, "plain_note": "secret", "staffOnly": True}],
    }
    content = records.read(document, profile.load("folio"))
    assert content == records.Content(
        "Moby-Dick : Čeština 鯨. The whale. Melville, Herman. Whaling -- Fiction. A captain & a <whale>.", ()
    )


def test_invenio_reads_descriptions_without_their_tags() -> None:
    document = invenio.document(RAW, "c0ffee00-0000-4000-8000-000000000001")
    document["metadata"]["description"] = "<p>A <b>captain</b> &amp; a&nbsp;whale, 2 < 3.<br/>End</p>"
    content = records.read(document, profile.load("invenio"))
    assert content.text == (
        "Moby-Dick : Čeština 鯨. Melville, Herman. Whaling -- Fiction. A captain & a whale, 2 < 3. End"
    )
    again = invenio.document(RAW, "c0ffee00-0000-4000-8000-000000000001", 7, label="Renamed")
    again["metadata"]["description"] = document["metadata"]["description"]
    assert records.read(again, profile.load("invenio")) == content


@pytest.mark.parametrize(
    ("held", "digits"),
    [
        (9780142437247, "9780142437247"),
        (142437247, "9780142437247"),
        (9780142437248, None),
        (0, None),
        (5, None),
        (True, None),
        (9780142437247.0, None),
        (10**40, None),
        (-142437247, None),
    ],
)
def test_an_isbn_may_be_a_number_that_lost_its_leading_zeros(held: Any, digits: str | None) -> None:
    """0-14-243724-7 is 978-0-14-243724-7."""
    place = {"field": "isbn", "kind": "isbn", "template": "https://c.example/{isbn}"}
    wanted = TargetProfile.model_validate({"name": "t", "pictures": [place]})
    found = records.read({"isbn": [held]}, wanted).pictures
    assert found == ((PictureReference("url", f"https://c.example/{digits}"),) if digits else ())


@pytest.mark.parametrize("name", ["koha", "folio", "invenio"])
def test_generated_and_real_records_can_all_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = {
        "koha": lambda raw: koha.document(raw, "1"),
        "folio": lambda raw: folio.document(raw, "c0ffee00-0000-4000-8000-000000000001", "diku"),
        "invenio": lambda raw: invenio.document(raw, "c0ffee00-0000-4000-8000-000000000001"),
    }
    for _ in range(2):
        for raw in library.records(300):
            content = records.read(documents[name](raw), profile.load(name))
            assert content.text
            assert (content.problem, content.pictures) == (None, ())
        monkeypatch.setattr(library, "SHARED", library.SHARED / "none")
