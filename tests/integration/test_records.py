"""A document becomes text, pictures and a digest, whatever lies in it."""

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration import records
from integration.pictures import PictureReference
from integration.records import MAX_TEXT, Content
from mappings.profile import TargetProfile
from tests.integration.sources.test_marc import field as marc_field
from tests.integration.sources.test_marc import record as marc_record
from tests.integration.sources.test_marcxml import record as marcxml

COVER = {"field": "cover", "kind": "url"}
MARC = {"field": "marc_data", "format_field": "marc_format"}


def profile(*text: str, **more: Any) -> TargetProfile:
    return TargetProfile(name="t", **{"text": text, **more})


def text_of(document: Any, *names: str) -> str | None:
    content = records.read(document, profile(*names))
    assert content.problem is None
    return content.text


def pictures(document: Any, *fields: dict[str, Any]) -> list[tuple[str, str]]:
    found = records.read(document, TargetProfile.model_validate({"name": "t", "pictures": fields})).pictures
    return [(reference.kind, reference.value) for reference in found]


@pytest.mark.parametrize(
    ("document", "path", "values"),
    [
        ({"a": 1}, "a", [1]),
        ({"a": None}, "a", [None]),
        ({"a": [1, [2, [[]], 3]]}, "a", [1, 2, 3]),
        ({"a": {"b": 1}}, "a.b", [1]),
        ({"a": [{"b": 1}, {"c": 2}, {"b": [3, 4]}, [{"b": 5}]]}, "a.b", [1, 3, 4, 5]),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", [1, 2]),
        ({"a.b": {"c": 1}, "a": {"b.c": 2}}, "a.b.c", [1, 2]),
        ({"ab": {"c": 1}}, "a.c", []),
        ({"a": {"b": 1}}, "a", [{"b": 1}]),
        ({"a": "b"}, "a.b", []),
        ({}, "a", []),
        *(((odd, "a", [])) for odd in (None, 7, "a", [], [None, "a"], True)),
    ],
)
def test_values(document: Any, path: str, values: list[Any]) -> None:
    assert list(records.values(document, path)) == values


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"a": "one", "b": "two"}, "one. two"),
        ({"b": "two", "a": "one"}, "one. two"),
        ({"b": ["x", "y", "x", "", "  ", None, "y "]}, "x; y"),
        ({"a": 1851, "b": 813.5}, "1851. 813.5"),
        ({"a": False}, "False"),
        ({"a": " \t\n line\r\none\u2028\u2029\0\x07two\u00a0three "}, "line one two three"),
        ({"a": "e\u0301 \ud800 A\u030a"}, "é Å"),
        ({"a": "e\u0301", "b": ["é", "e\u0301"]}, "é. é"),
        ({"a": [["nested", ["lists"]]]}, "nested; lists"),
        ({"a": None, "b": []}, None),
        ({"a": "\0\ud800"}, None),
        ({}, None),
        ([], None),
        (None, None),
        ("a", None),
    ],
)
def test_text(document: Any, text: str | None) -> None:
    assert text_of(document, "a", "b") == text


@pytest.mark.parametrize("held", [{"b": 1}, {}, [{"b": 1}], ["text", {"b": 1}], [[{}]]])
def test_an_object_where_text_was_expected_is_a_problem_that_leaves_the_pictures(held: Any) -> None:
    content = records.read({"a": held, "cover": "http://c.example/1"}, profile("a", pictures=[COVER]))
    assert content.text is None
    assert content.problem is not None
    assert content.problem.reason == "text-unreadable"
    assert str(content.problem) == "field a holds an object where text was expected; name its inner field"
    assert content.pictures == (PictureReference("url", "http://c.example/1"),)


def test_text_has_an_end() -> None:
    assert text_of({"a": "x" * 3 * MAX_TEXT}, "a") == "x" * MAX_TEXT
    assert len(text_of({"a": ["word"] * 3 + [str(n) for n in range(MAX_TEXT)], "b": "x"}, "a", "b") or "") <= MAX_TEXT


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0323", "\u0f71\u0f72\u0f74"])
def test_a_tower_of_accents_takes_no_hours(marks: str) -> None:
    """Canonical ordering sorts a run of marks in the square of its length."""
    begun = time.monotonic()
    assert text_of({"a": ["a" + marks * 200_000] * 50}, "a")
    assert time.monotonic() - begun < 5


def test_any_depth_that_can_be_parsed_can_be_read() -> None:
    wanted = profile("a.b", "c", pictures=[{"field": "a.d", "kind": "url"}], title="a.b")
    for depth in [1, 100, *range(900, 3000, 50)]:
        lists = "[" * depth + '{"b":"x","d":"http://c.example/1"}' + "]" * depth
        try:
            document = json.loads(f'{{"a":{lists},"c":{"[" * depth}"y"{"]" * depth}}}')
        except RecursionError:
            break
        content = records.read(document, wanted)
        assert content.text == "x. y"
        assert len(content.pictures) == 1
    assert depth > 900


def test_pictures_stand_in_order_and_once() -> None:
    document = {
        "cover": ["http://c.example/2 ", "http://c.example/1", "http://c.example/2"],
        "file": "http://c.example/1",
    }
    assert pictures(document, COVER, {"field": "file", "kind": "file"}) == [
        ("url", "http://c.example/2"),
        ("url", "http://c.example/1"),
        ("file", "http://c.example/1"),
    ]


@pytest.mark.parametrize("held", [None, 7, "", "  ", [], {}, [None, {"a": 1}, True], {"url": "http://c.example/"}])
def test_what_names_no_picture_is_passed_over(held: Any) -> None:
    assert pictures({"cover": held}, COVER, {**COVER, "kind": "base64"}, {**COVER, "kind": "file"}) == []


def test_a_template_takes_the_13_digits() -> None:
    """0-14-243724-7 of old form is 978-0-14-243724-7; its check digit, by hand: 10 - (83 mod 10) = 7... and not 8."""
    isbn = {"field": "isbn", "kind": "isbn", "template": "http://c.example/{isbn}.jpg?again={isbn}"}
    document = {"isbn": ["0-14-243724-7 (pbk.)", "9780142437247", "9780142437248", "none", 5]}
    assert pictures(document, isbn) == [("url", "http://c.example/9780142437247.jpg?again=9780142437247")]


RAW = marc_record("m1", marc_field("245", "a Heidi /", indicators="10")).as_marc()


@pytest.mark.parametrize(
    ("held", "form"),
    [
        (base64.b64encode(RAW).decode(), "base64ISO2709"),
        (marcxml("m1"), "MARCXML"),
        ({"leader": "", "fields": [{"001": "m1"}, {"245": {"subfields": [{"a": "Heidi /"}]}}]}, "ARRAY"),
    ],
)
def test_marc_inside_in_the_three_forms_of_koha(held: Any, form: str) -> None:
    document = {"title": "first", "marc_data": held, "marc_format": form}
    assert records.read(document, profile("title", marc=MARC)).text == "first. Heidi"
    assert records.read({"marc_data": [held], "marc_format": [form]}, profile(marc=MARC)).text == "Heidi"


@pytest.mark.parametrize("held", ["AAAA", "<record>", 7, {"fields": 1}, "{" * 9, {"fields": [{"245": {}}]}])
def test_marc_that_cannot_be_read_is_a_problem(held: Any) -> None:
    content = records.read({"title": "first", "marc_data": held}, profile("title", marc=MARC))
    assert content.problem is not None
    assert content.problem.reason == "text-unreadable"


def test_a_document_without_marc_is_none_with_a_problem() -> None:
    for held in (None, "", [], {}):
        assert records.read({"title": "first", "marc_data": held}, profile("title", marc=MARC)) == Content("first", ())


WHOLE = profile("title", "note", pictures=[COVER], language="language", title="title")
DOCUMENT = {"title": "one", "note": ["two"], "cover": "http://c.example/1", "call": "813.50"}


def digest(document: Any = DOCUMENT, wanted: TargetProfile = WHOLE, bundle: str = "b1") -> str:
    return records.read(document, wanted).digest(wanted, bundle)


def test_the_digest_follows_the_content_the_profile_and_the_bundle() -> None:
    changed = {
        digest(),
        digest({**DOCUMENT, "title": "ones"}),
        digest({**DOCUMENT, "note": ["two", "three"]}),
        digest({**DOCUMENT, "cover": "http://c.example/2"}),
        digest({**DOCUMENT, "cover": ["http://c.example/1", "http://c.example/2"]}),
        digest({**DOCUMENT, "cover": ["http://c.example/2", "http://c.example/1"]}),
        digest({**DOCUMENT, "cover": None}),
        digest({**DOCUMENT, "title": None}),
        digest(wanted=WHOLE.model_copy(update={"language": None})),
        digest(bundle="b2"),
        digest(None),
    }
    assert len(changed) == 11


def test_the_digest_follows_nothing_else() -> None:
    same = {
        digest(),
        digest({**DOCUMENT, "call": "1", "crosshatch": {"s": {"text": "AAAA"}}}),
        digest({key: DOCUMENT[key] for key in reversed(DOCUMENT)}),
        digest({**DOCUMENT, "title": " one\n"}),
        digest({**DOCUMENT, "cover": [DOCUMENT["cover"]] * 2}),
        digest(
            wanted=WHOLE.model_copy(update={"title": None, "search": ("x",), "versioning": "internal", "name": "u"})
        ),
    }
    assert len(same) == 1


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["title", "cover", "marc_data", "fields", "245", "a", "subfields"]), inner)
    ),
    max_leaves=10,
)
EVERYTHING = profile(
    *("title", "title.a", "a.a"),
    marc=MARC,
    pictures=[COVER, {"field": "a", "kind": "isbn", "template": "http://c.example/{isbn}"}],
)


@settings(max_examples=200, deadline=None)
@given(anything)
def test_nothing_that_a_document_holds_stops_us(document: Any) -> None:
    content = records.read(document, EVERYTHING)
    assert len(content.digest(EVERYTHING, "b")) == 64
    assert content.text is None or content.text.encode()
