"""Which fields are proposed for indexes of known and of made-up systems, with a sample and without, and broken ones."""

import base64
import json
from itertools import islice
from typing import Any

import pytest

from integration.demo.books import books
from integration.demo.catalogue import INDEX as DEMO
from integration.demo.catalogue import _book
from integration.load import FIELDS
from integration.suggest.fields import fields
from integration.suggest.names import match
from integration.suggest.proposal import Proposal, propose
from mappings import profile
from mappings.errors import DataError
from tests.writers import folio, invenio, koha, library

BOOKS = library.records(30)
NAMES = ["metadata.creators.person_or_org.name", "metadata.contributors.person_or_org.name"]


def proposed(mapping: dict[str, Any], documents: list[dict[str, Any]], versions: list[int] | None = None) -> Proposal:
    hits = list(zip(versions or [1] * len(documents), range(100, 100 + len(documents)), strict=True))
    found = propose("My Index.1", fields(mapping, documents), hits)
    assert profile.parse(found.yaml, "it") == found.profile
    return found


def uuid(number: int) -> str:
    return f"c0ffee00-0000-4000-8000-{number:012d}"


@pytest.mark.parametrize("form", ["base64ISO2709", "MARCXML", "ARRAY"])
def test_koha_is_read_out_of_its_marc(form: koha.Form) -> None:
    found = proposed(koha.MAPPING, [koha.document(raw, str(n), form=form) for n, raw in enumerate(BOOKS)])
    place = "marc_data_array" if form == "ARRAY" else "marc_data"
    assert found.profile.marc == profile.MarcField(field=place, format_field="marc_format")
    assert found.profile.text == ()
    assert found.profile.search == ("title^2", "author", "subject", "isbn")
    assert found.profile.title == "title"
    assert "the shipped profile koha fits: consider `--target koha`" in found.notes


def test_folio_is_read_by_its_plain_fields_and_searched_by_all_languages() -> None:
    documents = [folio.document(raw, uuid(n), "diku") for n, raw in enumerate(BOOKS)]
    for mapping in (folio.index_body()["mappings"], folio.PART["mappings"]):
        found = proposed(mapping, documents)
        assert found.profile.text[:3] == ("plain_title", "contributors.name", "subjects.plain_value")
        assert found.profile.search[:3] == ("title.*^2", "contributors.name", "subjects.value.*")
        assert (found.profile.language, found.profile.title) == ("languages", "plain_title")
        assert "the shipped profile folio fits: consider `--target folio`" in found.notes


def test_invenio_by_its_own_mapping_and_revisions() -> None:
    mapping = json.loads(invenio.MODEL.read_text("utf-8")) if invenio.MODEL.is_file() else invenio.PART
    revisions = [1 + n % 4 for n in range(len(BOOKS))]
    documents = [invenio.document(raw, uuid(n), revisions[n]) for n, raw in enumerate(BOOKS)]
    found = proposed(mapping["mappings"], documents, revisions)
    words = ("metadata.title", *NAMES, "metadata.subjects.subject", "metadata.description")
    assert set(found.profile.text) == set(words)
    assert found.profile.html == ("metadata.description",)
    assert found.profile.language == "metadata.languages.id"
    assert found.evidence[0] == ("versioning", "external", "version_id equals _version in every sampled document")


def test_versions_beyond_the_number_of_writes_are_the_owners() -> None:
    documents = [{"title": f"book {n}"} for n in range(3)]
    assert "2 of 3 is higher" in proposed({}, documents, [1, 500, 600]).evidence[0][2]
    assert "above 1,000,000" in propose("x", fields({}, documents[:1]), [(10**7, 10**8)]).evidence[0][2]
    assert "careful choice" in proposed({}, documents, [1, 3, 2]).evidence[0][2]


def test_the_mapping_alone_will_do() -> None:
    found = proposed({"properties": FIELDS}, [])
    assert found.profile.text == ("title", "creators.name", "contributors.name", "subjects", "summary")
    assert found.profile.search[-2:] == ("isbn", "identifiers")


def test_names_in_other_languages_pictures_and_what_must_not_be_shown() -> None:
    packed = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(40)).decode()
    documents = [
        {
            "Titel": f"Buch {n}",
            "Verfasser": [f"Müller, {n}"],
            "Schlagwörter": ["Wale"],
            "Titel_sort": f"buch {n}",
            "umschlag": f"https://user:pw@c.example/{n}.jpg?token=geheim",
            "scan": packed,
            "Ausleiher": {"email": "a@b.example"},
            "patron": {"title": "Dr."},
        }
        for n in range(4)
    ]
    found = proposed({}, documents)
    assert found.profile.text == ("Titel", "Verfasser", "Schlagwörter")
    assert {(one.field, one.kind) for one in found.profile.pictures} == {("umschlag", "url"), ("scan", "base64")}
    assert not any(word in found.yaml for word in ("geheim", "pw@", "a@b", "Dr.", packed))


@pytest.mark.parametrize(
    ("path", "role", "fits"),
    [
        ("title", "title", True),
        ("dc.title", "title", True),
        ("metadata.languages.title.en", "title", False),
        ("title_sort", "title", False),
        ("patron.title", "title", False),
        ("Название", "title", True),
        ("タイトル", "title", True),
        ("mainAuthor", "creators", True),
        ("dc_subject_txt", "subjects", True),
        ("résumé", "summary", True),
        ("holdings.notes", "summary", False),
    ],
)
def test_names(path: str, role: str, fits: bool) -> None:
    assert (match(path, role) >= 0.5) is fits


@pytest.mark.parametrize(
    ("mapping", "documents"),
    [({}, []), ({}, [{}]), ({"properties": {"n": {"type": "long"}}}, [{"n": 1}]), ({}, [{"title": {"a": {}}}])],
)
def test_nothing_to_recognise_is_an_error_that_helps(mapping: dict[str, Any], documents: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError, match=r"write a profile by hand, see docs/library-systems\.md"):
        proposed(mapping, documents)


def test_five_thousand_fields_and_deep_objects() -> None:
    many = {f"field_{n}": {"type": "keyword"} for n in range(5000)} | {"title": {"type": "text"}}
    deep: Any = "x"
    for _ in range(900):
        deep = {"o": [deep]}
    found = proposed({"properties": many}, [{"title": "a", "deep": deep, **dict.fromkeys(many, "v")}] * 3)
    assert found.profile.text == ("title",)


def test_a_name_that_breaks_yaml_or_a_line_is_quoted() -> None:
    found = proposed({}, [{'title: "\n# "': "a\nname: evil"}])
    assert found.profile.text == ('title: "\n# "',)
    assert found.profile.name == "my-index-1"


MADE_UP = {
    "VuFind": (
        {"title": "A", "title_short": "A", "title_sort": "a", "author": ["B"], "topic_facet": ["C"], "topic": ["C"],
         "description": "D", "language": ["English"], "isbn": ["9780142437247"], "thumbnail": "https://c.example/1.jpg"},
        ("title", "author", "topic", "description"), ("thumbnail", "url"),
    ),
    "DSpace": (
        {"dc.title": ["A"], "dc.contributor.author": ["B"], "dc.subject": ["C"], "dc.description.abstract": ["D"],
         "dc.language.iso": "en", "dc.identifier.uri": ["https://r.example/1"], "search.resourceid": "x"},
        ("dc.title", "dc.contributor.author", "dc.subject", "dc.description.abstract"), None,
    ),
    "ElasticHash": ({"image_name": "a.jpg", "image_path": "/p/a.jpg", "r_0": 17, "f": 1}, (), ("image_path", "file")),
}  # fmt: skip


@pytest.mark.parametrize("system", MADE_UP)
def test_documents_like_those_of_other_systems(system: str) -> None:
    document, text, picture = MADE_UP[system]
    found = proposed({}, [document] * 3).profile
    assert found.text == text
    assert picture is None or picture in [(one.field, one.kind) for one in found.pictures]


def test_unimarc_is_not_taken_for_marc21() -> None:
    unimarc = {"leader": "00000nam0 2200000   450 ", "fields": [{"200": {"subfields": [{"a": "Titre"}]}}]}
    found = proposed({}, [{"titre": "Titre", "fullrecord": unimarc}])
    assert (found.profile.marc, found.profile.text) == (None, ("titre",))


def test_the_demo_catalogue() -> None:
    documents = json.loads(json.dumps([_book(book) for book in islice(books(), 30)], default=float))
    found = proposed(DEMO["mappings"], documents).profile
    assert found.text == ("title", "creators.name", "subjects", "summary")
    assert found.search == ("title^2", "creators.name", "subjects", "summary")
    assert [(one.field, one.kind) for one in found.pictures] == [("cover_file", "file")]


def test_what_cannot_be_searched_is_only_encoded() -> None:
    hidden = {"type": "keyword", "index": False}
    nested = {"type": "nested", "properties": {"name": {"type": "text"}}}
    mapping = {"properties": {"title": {"type": "text"}, "subject": hidden, "creators": nested}}
    found = proposed(mapping, [{"title": "a", "subject": "b", "creators": [{"name": "c"}]}]).profile
    assert (found.text, found.search) == (("title", "creators.name", "subject"), ("title^2",))
