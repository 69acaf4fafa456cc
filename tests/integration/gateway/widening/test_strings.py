"""Query strings taken apart: by hand, as the engine's own parsers read them, and strings that are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.gateway.widening.strings import Atom, Unsure, lucene, simple


def told(atoms: list[Atom]) -> list[str]:
    return [atom.limit if atom.field or atom.negated or atom.text is None else str(atom.text) for atom in atoms]


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("cats at sea", ["cats", "at", "sea"]),
        ("(cats sea) AND homebranch:CPL AND itype:BK", ["cats", "sea", "homebranch:CPL", "itype:BK"]),
        ('(cats* sea*) AND su-geo:"New York" AND (homebranch:CPL OR homebranch:MPL)',
         ["cats", "sea", "su-geo:New York", "homebranch:CPL", "homebranch:MPL"]),
        ("title:(cats AND sea) author:smith", ["title:cats", "title:sea", "author:smith"]),
        ("cats NOT dogs -birds !fish +red", ["cats", "-dogs", "-birds", "-fish", "red"]),
        ("NOT (dogs OR -birds) cats", ["-dogs", "birds", "cats"]),
        ('"cats at sea"~3^2 dog~1 (red tree)^0.5', ["cats at sea", "dog", "red", "tree"]),
        (r"AT\&T C\+\+ say\:so \"quoted\"", ["AT&T", "C++", "say:so", '"quoted"']),
        ("war - peace", ["war", "peace"]),
        ("AT&T well-being", ["AT&T", "well-being"]),
        ("cats && dogs || birds", ["cats", "dogs", "birds"]),
        ("(*) AND lang:eng", ["", "lang:eng"]),
        ("year:[1900 TO 1950] AND cats", ["year:…", "cats"]),
        ("cats AND title.raw:/ca.*/ AND callnumber:QA*", ["cats", "title.raw:…", "callnumber:QA"]),
        ("_exists_:isbn author: smith", ["_exists_:isbn", "author:smith"]),
        ("suppress:false AND (海 猫)", ["suppress:false", "海", "猫"]),
        ("pages:>100 cats", ["pages:…", "cats"]),
        ("*:* AND cats", ["*:", "cats"]),
    ],
)  # fmt: skip
def test_a_query_string_is_split_into_words_and_limits(text: str, atoms: list[str]) -> None:
    found = told(lucene(text))
    assert [one.replace("*:…", "*:") for one in found] == atoms


@pytest.mark.parametrize(
    "text",
    ["(cats", "cats)", '"cats', "cats AND", "AND cats", "cats OR OR dogs", "what is love?", "c*ts", "/cats/", "a/b",
     "[a TO b]", "cats:", "title:(", "()", "", " ", ">5", "cats!", "cats^", "\\", r"\u0041", "a [ b", "NOT", "-",
     "title:a:b", "a~b", "a^2^2", "(a)~1", "*x:cats", "*:cats", "[a TO b]~", "(" * 60 + "a" + ")" * 60],
)  # fmt: skip
def test_a_query_string_that_can_be_read_otherwise_is_left_alone(text: str) -> None:
    with pytest.raises(Unsure):
        lucene(text)


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("cats +sea | dogs", ["cats", "sea", "dogs"]),
        ('"cats at sea"~2 -dogs red~1 tre*', ["cats at sea", "-dogs", "red", "tre"]),
        ("-(dogs | -birds) cats", ["-dogs", "birds", "cats"]),
        ("title:cats? what/ever well-being", ["title:cats?", "what/ever", "well-being"]),
        (r"C\+\+", ["C++"]),
    ],
)
def test_a_simple_query_string_knows_no_fields(text: str, atoms: list[str]) -> None:
    assert told(simple(text)) == atoms


@pytest.mark.parametrize(
    "text", ["(cats", "cats)", '"cats', "cats -", "- cats", "-|cats", "--cats", "\\", "~cats", "a~b", '"a b"~']
)
def test_a_simple_query_string_that_can_be_read_otherwise_is_left_alone(text: str) -> None:
    with pytest.raises(Unsure):
        simple(text)


@given(st.text(alphabet=' ab:*?"()[]{}+-!&|~^\\/ANDORT猫', max_size=30))
def test_any_string_is_split_or_left_alone(text: str) -> None:
    for split in (lucene, simple):
        try:
            atoms = split(text)
        except Unsure:
            continue
        assert all(isinstance(atom, Atom) for atom in atoms)


@given(st.lists(st.text(alphabet="abcxyz猫é", min_size=1), min_size=1), st.text(alphabet="xyz", min_size=1))
def test_words_stay_words_and_limits_stay_limits(words: list[str], value: str) -> None:
    atoms = lucene(f"({' '.join(words)}) AND branch:{value} AND -shelf:{value}")
    assert [atom.text for atom in atoms if atom.field is None] == words
    assert [(atom.field, atom.negated) for atom in atoms if atom.field] == [("branch", False), ("shelf", True)]
