"""Target profiles: what is refused and in which words, and what makes every record stale."""

import time
from pathlib import Path
from typing import Any

import pytest

from mappings import profile
from mappings.errors import ProfileError
from mappings.profile import TargetProfile

BASE: dict[str, Any] = {
    "name": "mine",
    "text": ["title", "creators.name"],
    "marc": {"field": "marc_data"},
    "pictures": [{"field": "cover", "kind": "url"}],
    "language": "language",
}


def made(**changes: Any) -> TargetProfile:
    return TargetProfile.model_validate({**BASE, **changes})


def refusal(text: str) -> str:
    with pytest.raises(ProfileError) as raised:
        profile.parse(text, "mine.yaml")
    return str(raised.value)


@pytest.mark.parametrize("name", profile.shipped())
def test_every_shipped_profile_loads_under_its_own_name(name: str) -> None:
    found = profile.load(name)
    assert found.name == name
    assert found.searched
    assert found.title


def test_defaults_are_the_careful_ones() -> None:
    bare = profile.parse("name: mine\ntext: [title, note]\n", "mine.yaml")
    assert (bare.versioning, bare.marc, bare.pictures) == ("external", None, ())
    assert bare.searched == ("title", "note")
    assert made(search=["isbn"]).searched == ("isbn",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: mine\ntitel: x\ntext: [a]", "target profile mine.yaml is wrong: titel: Extra inputs are not permitted"),
        ("name: mine", "profile: Value error, a profile names at least one of `text`, `marc`, `pictures`"),
        ("text: [a]", "name: Field required"),
        ("name: Mine Own\ntext: [a]", "name: String should match pattern"),
        ("name: mine\ntext: a", "text: Input should be a valid tuple"),
        ("name: mine\ntext: [a]\nversioning: both", "versioning: Input should be 'internal' or 'external'"),
        ("name: mine\npictures: [{field: a, kind: ftp}]", "pictures.0.kind: Input should be 'url', 'file', 'base64'"),
        ("name: mine\npictures: [{field: a, kind: url, size: 3}]", "pictures.0.size: Extra inputs"),
        ("name: mine\nmarc: {form: a}", "marc.field: Field required; marc.form: Extra inputs"),
        ("name: mine\npictures: [{kind: url}]", "a picture names either `field` or `marc`"),
        ("name: mine\npictures: [{field: a, marc: 856$u, kind: url}]", "a picture names either `field` or `marc`"),
        ("name: mine\npictures: [{marc: 856$u, kind: url}]", "pictures out of MARC need `marc`, which says where"),
        ("name: mine\npictures: [{marc: 856$u, kind: file}]", "marc 856$u holds pictures of kind url; file came"),
        ("name: mine\npictures: [{marc: 020$a, kind: url}]", "marc 020$a holds pictures of kind isbn; url came"),
        ("name: mine\npictures: [{marc: 245$a, kind: url}]", "pictures.0.marc: Input should be '856$u' or '020$a'"),
        ("name: mine\ntext: [a]\nhtml: [b]", "`html` names fields that are not in `text`"),
        ("- a\n- b", "target profile mine.yaml must be a mapping of keys; list came"),
        ("", "target profile mine.yaml must be a mapping of keys; NoneType came"),
        ("a: [b", "target profile mine.yaml is no YAML: while parsing"),
        ("a: !!python/object/apply:os.getcwd []", "target profile mine.yaml is no YAML: could not determine a constr"),
        ("name: mine\ntext: [a]\ntitle: 2024-99-99", "target profile mine.yaml is no YAML: month must be in 1..12"),
        ("[" * 1000, "target profile mine.yaml is no YAML: "),
        ("? [a, [b]]\n: 1", "target profile mine.yaml "),
    ],
    ids=lambda text: text[:30],
)
def test_refusals(text: str, why: str) -> None:
    assert why in refusal(text)


@pytest.mark.parametrize("kind", ["url", "file", "base64", "isbn"])
@pytest.mark.parametrize("template", [None, "", "https://covers.example/x.jpg", "https://covers.example/{isbn}.jpg"])
def test_a_template_goes_with_isbn_and_with_nothing_else(kind: str, template: str | None) -> None:
    right = template is None if kind != "isbn" else template is not None and "{isbn}" in template
    field = {"field": "f", "kind": kind, "template": template}
    if right:
        assert made(pictures=[field]).pictures[0].template == template
    else:
        with pytest.raises(ValueError, match=r"kind isbn needs a `template` with {isbn} in it; the other kinds take"):
            made(pictures=[field])


@pytest.mark.parametrize(
    "changes",
    [
        {"text": ["creators.name", "title"]},
        {"text": ["title"]},
        {"marc": {"field": "marc_data", "format_field": "marc_format"}},
        {"marc": None},
        {"marc": {"field": "marc_data", "array_field": "marc_data_array"}},
        {"pictures": [{"marc": "856$u", "kind": "url"}]},
        {"html": ["title"]},
        {"pictures": []},
        {"pictures": [{"field": "cover", "kind": "file"}]},
        {"pictures": [{"field": "cover", "kind": "isbn", "template": "http://c.example/{isbn}"}]},
        {"language": None},
        {"language": "lang"},
    ],
    ids=str,
)
def test_what_is_encoded_changes_the_digest(changes: dict[str, Any]) -> None:
    assert made(**changes).sha256 != made().sha256


@pytest.mark.parametrize(
    "changes", [{"name": "other"}, {"versioning": "internal"}, {"search": ["a^3"]}, {"title": "title"}], ids=str
)
def test_what_is_only_shown_or_searched_does_not(changes: dict[str, Any]) -> None:
    assert made(**changes).sha256 == made().sha256


def test_the_digest_stays_over_releases() -> None:
    """A change of this number makes every record of every library stale: it must be meant."""
    assert made().sha256 == "0be32b94632f86537331ffe3f8b5e4ba07de2173a74630c17f11856c50c2a896"


def bomb(line: str) -> str:
    lines = ["a0: &a0 {k: v}", *(line.format(n=n, m=n - 1) for n in range(1, 40))]
    return "\n".join(lines)


@pytest.mark.parametrize("line", ["a{n}: &a{n} [*a{m}, *a{m}]", "a{n}: &a{n} {{<<: [*a{m}, *a{m}], x{n}: 1}}"])
def test_a_bomb_of_aliases_ends_at_once(line: str) -> None:
    begun = time.monotonic()
    assert "aliases" in refusal(bomb(line))
    assert time.monotonic() - begun < 2


def test_an_anchor_of_itself_is_refused() -> None:
    assert "aliases" in refusal("name: mine\ntext: &a [*a]")


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ntext: [a]\n", encoding="utf-8")
    assert profile.load(str(file)).text == ("a",)
    file.write_bytes(b"name: m\xff")
    with pytest.raises(ProfileError, match="is no UTF-8 text"):
        profile.load(str(file))
    for missing in (str(tmp_path / "none.yaml"), str(tmp_path), "kohä", "", "a\0b", "x" * 5000):
        with pytest.raises(ProfileError) as raised:
            profile.load(missing)
        assert str(raised.value).endswith(f"nor one of the shipped ones ({', '.join(profile.shipped())})")


@pytest.mark.parametrize(
    ("index", "names"),
    [
        ("koha_mylibrary_biblios", ["koha"]),
        ("koha_mylibrary_authorities", []),
        ("folio_instance_diku", ["folio"]),
        ("folio_instance_subject_diku", ["folio"]),
        ("folio_authority_diku", []),
        ("rdm-rdmrecords-records-record-v7.0.0-1700000000", ["invenio"]),
        ("rdm-rdmrecords", ["invenio"]),
        ("books", []),
    ],
)
def test_the_name_of_an_index_tells_which_system_may_have_made_it(index: str, names: list[str]) -> None:
    """Only a hint: mod-search's browse indices are called alike, and `attach --check` says that they do not fit."""
    assert profile.called_like(index) == names


def test_the_pattern_of_names_makes_no_record_stale() -> None:
    assert made(indices=["*_mine"]).sha256 == made().sha256
