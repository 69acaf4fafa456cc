"""What a record says to learn from, by its target profile."""

import pytest

from integration.learning import Read, _record
from mappings import profile as profiles
from mappings.profile import TargetProfile

MARC = (
    '<record><datafield tag="245"><subfield code="a">Kaiin</subfield><subfield code="b">a novel</subfield></datafield>'
    '<datafield tag="520"><subfield code="a">Two whales\nmeet.</subfield></datafield>'
    '<datafield tag="650"><subfield code="a">Whales</subfield><subfield code="x">Fiction.</subfield></datafield>'
    '<datafield tag="880"><subfield code="6">245-01</subfield><subfield code="a">海員</subfield></datafield>'
    '<datafield tag="856"><subfield code="u">https://example.org/cover.jpg</subfield></datafield></record>'
)


def test_marc_gives_titles_summary_and_headings_by_itself() -> None:
    one = _record("1", {"marc_data": MARC, "title": "not read"}, profiles.load("koha"))
    assert one.captions == ("Kaiin a novel", "海員", "Two whales meet.")
    assert one.headings == ("Whales -- Fiction",)
    assert [picture.value for picture in one.pictures] == ["https://example.org/cover.jpg"]


def test_fields_that_the_profile_names() -> None:
    document = {
        "title": "Whales = Wale",
        "summary": "A = B.",
        "subjects": ["Whales", "Whales", "Sea"],
        "creators": [{"name": "Ann"}],
        "picture_urls": ["https://example.org/1.png"],
    }
    one = _record("1", document, profiles.load("catalogue"))
    assert one.captions == ("Whales", "Wale", "A = B.")
    assert one.headings == ("Whales", "Sea")


@pytest.mark.parametrize(
    ("profile", "captions"),
    [
        (TargetProfile(name="mine", text=("a", "b"), title="b"), ("two",)),
        (TargetProfile(name="mine", text=("a", "b")), ("one", "two")),
        (TargetProfile(name="mine", text=("a", "b"), html=("a",), captions=("c", "a")), ("three", "one")),
    ],
)
def test_a_profile_without_captions_gives_title_or_text(profile: TargetProfile, captions: tuple[str, ...]) -> None:
    a = "<b>one</b>" if profile.html else "one"
    assert _record("1", {"a": a, "b": "two", "c": "three"}, profile).captions == captions


def test_what_was_read_is_told() -> None:
    done = Read(3)
    assert done.message() == "3 records read; left out: none; pictures skipped: none"
    done.skipped["picture-missing"] += 2
    assert done.message().endswith("pictures skipped: 2 picture-missing")
