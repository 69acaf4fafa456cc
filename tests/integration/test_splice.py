"""Our object in somebody else's bytes: documents nobody would think of come out as they went in."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.splice import put, take_out, without, without_beside
from mappings.bands import MEMBERS
from mappings.errors import DataError
from mappings.vectors import NAMES

CODES = {"text": "AAAA", "image": ["AAAAAAA="], "source": "0f"}
TERMS = {"t": "!! #a", "i": ["$b %c"], "of": "0123abcd"}
OTHERS = {"text": "BBBB", "source": "ff", "bands": [1, None, "ü", "\u2028", "\n"]}
QUICK = settings(max_examples=60, deadline=None)

spaces = st.text(" \t\n\r", max_size=3)
numbers = st.sampled_from(
    ["813.50", "1E2", "-0", "0.0", "-1.10e+05", "1E400", "123456789012345678901234567890", "9" * 5000, "7"]
)
characters = st.one_of(
    st.characters(exclude_characters='"\\', exclude_categories=["Cs", "Cc"]),
    st.sampled_from([r"\"", r"\\", r"\/", r"\n", r"\u0063", r"\u00e9", r"\ud83d\ude00", r"\ud800", "{", "}", ",", ":"]),
)
SPELT = ["crosshatch", "_crosshatch", r"\u005fcrosshatch", r"cross\u0068atch", r"crosshatch\"", r"\\crosshatch"]
names = st.one_of(st.sampled_from([*SPELT, " crosshatch", ""]), st.lists(characters, max_size=5).map("".join))
strings = st.one_of(names, st.lists(characters, max_size=20).map("".join)).map('"{}"'.format)
scalars = st.one_of(numbers, strings, st.sampled_from(["true", "false", "null", "{}", "[]", "{ }", "[\n]"]))


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """A list as text."""
    entries = draw(st.lists(inner, max_size=3))
    return "[" + ",".join(draw(spaces) + entry + draw(spaces) for entry in entries) + "]"


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[str], keys: st.SearchStrategy[str] = names) -> str:
    """An object as text; keys may come twice, as nothing in JSON forbids."""
    pairs = draw(st.lists(st.tuples(keys, inner), max_size=4))
    return object_of([member(draw, key, value) for key, value in pairs], draw(spaces))


def member(draw: st.DrawFn, key: str, value: str) -> str:
    return f'{draw(spaces)}"{key}"{draw(spaces)}:{draw(spaces)}{value}{draw(spaces)}'


def object_of(members: list[str], blank: str) -> str:
    return "{" + (",".join(members) or blank) + "}"


values = st.recursive(scalars, lambda inner: arrays(inner) | objects(inner), max_leaves=8)
foreign_names = names.filter(lambda key: json.loads(f'"{key}"') not in ("crosshatch", "_crosshatch"))


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document without a member of ours at its top; below it `crosshatch` may stand anywhere."""
    return draw(spaces) + draw(objects(values, foreign_names)) + draw(spaces)


@st.composite
def with_ours(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A document that holds our object, first, last, in the middle or alone, in any spelling; and that object."""
    pairs = [member(draw, key, value) for key, value in draw(st.lists(st.tuples(foreign_names, values), max_size=3))]
    ours = draw(st.sampled_from([{}, {"mine": CODES}, {"other": OTHERS}, {"mine": CODES, "other": OTHERS}]))
    spelt = draw(st.sampled_from(["crosshatch", r"cross\u0068atch", r"\u0063rosshatc\u0068"]))
    text = json.dumps(ours, indent=draw(st.sampled_from([None, 1])), ensure_ascii=draw(st.booleans()))
    pairs.insert(draw(st.integers(0, len(pairs))), member(draw, spelt, text))
    return draw(spaces) + object_of(pairs, "") + draw(spaces), ours


def members_of(document: bytes | str) -> list[tuple[str, Any]]:
    """The members in their order, numbers as they are written, twins kept."""
    text = document.decode("utf-8", "surrogatepass") if isinstance(document, bytes) else document
    held: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    return held


def our_object(document: bytes, name: str = "crosshatch") -> Any:
    return dict(json.loads(document, parse_int=str, parse_float=str)).get(name)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@QUICK
@given(documents())
def test_put_and_take_out_give_the_very_bytes_back(text: str) -> None:
    source = encoded(text)
    there = put(source, "mine", CODES)
    assert members_of(there)[:-1] == members_of(text)
    assert our_object(there) == {"mine": CODES}
    assert there.count(b"\n") == source.count(b"\n")
    assert put(there, "mine", CODES) == there
    assert take_out(there) == source
    assert put(there, "mine", None) == source
    assert take_out(source) == source
    assert put(source, "mine", None) == source


@QUICK
@given(documents())
def test_codes_and_bands_come_and_go_together(text: str) -> None:
    source = encoded(text)
    there = put(source, "mine", CODES, TERMS)
    assert members_of(there)[:-2] == members_of(text)
    assert [key for key, _ in members_of(there)[-2:]] == ["crosshatch", "_crosshatch"]
    assert (our_object(there), our_object(there, "_crosshatch")) == ({"mine": CODES}, {"mine": TERMS})
    assert there.count(b"\n") == source.count(b"\n")
    assert put(there, "mine", CODES, TERMS) == there
    assert without_beside(there, "mine", MEMBERS) == put(there, "mine", CODES) == put(source, "mine", CODES)
    assert take_out(there) == without(there, "mine") == put(there, "mine", None) == source
    assert without_beside(source, "mine", MEMBERS) == source


@st.composite
def with_both(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A document that holds both objects anywhere, in any spelling; and what it holds in the one of the bands."""
    pairs = [member(draw, key, value) for key, value in draw(st.lists(st.tuples(foreign_names, values), max_size=2))]
    bands = draw(st.sampled_from([{"mine": TERMS}, {"other": TERMS}, {"mine": TERMS, "other": TERMS}]))
    for ours, spellings in (
        ({"mine": CODES}, ["crosshatch", r"cross\u0068atch"]),
        (bands, ["_crosshatch", r"\u005fcrosshatch", r"_cross\u0068atch"]),
    ):
        text = json.dumps(ours, indent=draw(st.sampled_from([None, 1])))
        pairs.insert(draw(st.integers(0, len(pairs))), member(draw, draw(st.sampled_from(spellings)), text))
    return draw(spaces) + object_of(pairs, "") + draw(spaces), bands


@QUICK
@given(with_both())
def test_both_objects_wherever_they_stand(document: tuple[str, dict[str, Any]]) -> None:
    source, bands = encoded(document[0]), document[1]
    foreign = [pair for pair in members_of(source) if pair[0] not in ("crosshatch", "_crosshatch")]
    there = put(source, "mine", {"source": "1"}, {"of": "2"})
    assert [key for key, _ in members_of(there)] == [key for key, _ in members_of(source)]
    assert our_object(there) == {"mine": {"source": "1"}}
    assert our_object(there, "_crosshatch") == {**bands, "mine": {"of": "2"}}
    assert members_of(take_out(source)) == foreign
    rest = {space: terms for space, terms in bands.items() if space != "mine"}
    assert our_object(without_beside(source, "mine", MEMBERS), "_crosshatch") == (rest or None)
    assert our_object(without_beside(source, "mine", MEMBERS)) == {"mine": CODES}
    assert (our_object(without(source, "mine")), our_object(without(source, "mine"), "_crosshatch")) == (
        None,
        rest or None,
    )


@QUICK
@given(with_ours())
def test_only_our_space_changes(document: tuple[str, dict[str, Any]]) -> None:
    source, before = encoded(document[0]), document[1]
    foreign = [pair for pair in members_of(source) if pair[0] != "crosshatch"]
    there = put(source, "new", CODES)
    assert our_object(there) == json.loads(json.dumps({**before, "new": CODES}), parse_int=str)
    assert [pair for pair in members_of(there) if pair[0] != "crosshatch"] == foreign
    assert there.count(b"\n") <= source.count(b"\n")
    assert [key for key, _ in members_of(there)] == [key for key, _ in members_of(source)]
    without = take_out(there)
    assert members_of(without) == foreign
    assert take_out(source) == without
    if before:  # an empty object of ours goes with the last space
        assert our_object(put(there, "new", None)) == json.loads(json.dumps(before), parse_int=str)


@QUICK
@given(with_ours().filter(lambda document: "other" in document[1]))
def test_members_of_a_space_that_we_do_not_know_stay(document: tuple[str, dict[str, Any]]) -> None:
    there = put(encoded(document[0]), "other", {"text": "CCCC", "source": "aa"})
    assert our_object(there)["other"] == {"bands": ["1", *OTHERS["bands"][1:]], "text": "CCCC", "source": "aa"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"{}", b'{"crosshatch":{"s":{"text":"A"}}}'),
        (b' { } \n', b' {"crosshatch":{"s":{"text":"A"}} } \n'),
        (b'{"a":813.50}', b'{"a":813.50,"crosshatch":{"s":{"text":"A"}}}'),
        (b'{\n "a": 1E2\n}\n', b'{\n "a": 1E2\n,"crosshatch":{"s":{"text":"A"}}}\n'),
        (b'{"a":{"crosshatch":1}}', b'{"a":{"crosshatch":1},"crosshatch":{"s":{"text":"A"}}}'),
        (b'{"crosshatch":null}', b'{"crosshatch":{"s":{"text":"A"}}}'),
        (b'{"a":1,"crosshatch" : {"s":{"text":"B","image":["x"],"source":"0","more":[1]}} ,"b":2}',
         b'{"a":1,"crosshatch":{"s":{"more":[1],"text":"A"}} ,"b":2}'),
        (b'{"crosshatch":{"t":{"text":"\xc3\xbc"}},"b":2}',
         b'{"crosshatch":{"t":{"text":"\xc3\xbc"},"s":{"text":"A"}},"b":2}'),
        (b'{"cross\\u0068atch":{"s":{}}}', b'{"crosshatch":{"s":{"text":"A"}}}'),
    ],
)  # fmt: skip
def test_put_byte_for_byte(before: bytes, after: bytes) -> None:
    assert put(before, "s", {"text": "A"}) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"crosshatch":{"s":{}}}', b"{}"),
        (b'{"crosshatch":{"s":{}}, "b":2}', b'{ "b":2}'),
        (b'{"a":1 , "crosshatch":{"s":{}} }', b'{"a":1  }'),
        (b'{\n  "crosshatch": {},\n  "b": 2\n}', b'{\n  "b": 2\n}'),
        (b'{"a":1,"cross\\u0068atch":{"s":{"source":[1,{"crosshatch":"}"}]}},"b":2}', b'{"a":1,"b":2}'),
        (b'{"crosshatch":{"pattern":"red","s":{"source":"0"}}}', b'{"crosshatch":{"pattern":"red"}}'),
        (b'{"crosshatch": {"pattern":{"dye":1.50}},"b":2}', b'{"crosshatch": {"pattern":{"dye":1.50}},"b":2}'),
    ],
)
def test_take_out_byte_for_byte(before: bytes, after: bytes) -> None:
    assert take_out(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"a":813.50}', b'{"a":813.50,"crosshatch":{"s":{"text":"A"}},"_crosshatch":{"s":{"of":"0"}}}'),
        (b' { } ', b' {"crosshatch":{"s":{"text":"A"}} ,"_crosshatch":{"s":{"of":"0"}}} '),
        (b'{"_crosshatch":{"t":{"of":"1"}}, "a":1}',
         b'{"_crosshatch":{"t":{"of":"1"},"s":{"of":"0"}}, "a":1,"crosshatch":{"s":{"text":"A"}}}'),
        (b'{"_crosshatch":{"s":{"t":"! !","r":"# #","of":"1"}},"crosshatch":{"s":{}}}',
         b'{"_crosshatch":{"s":{"of":"0"}},"crosshatch":{"s":{"text":"A"}}}'),
    ],
)  # fmt: skip
def test_put_both_byte_for_byte(before: bytes, after: bytes) -> None:
    """Of the bands nothing is kept that another banding left."""
    assert put(before, "s", {"text": "A"}, {"of": "0"}) == after


@pytest.mark.parametrize(
    "foreign", [b'{"_crosshatch":"red"}', b'{"_crosshatch":null}', b'{"_crosshatch":{}}', b'{"_crosshatch":{"s":1}}']
)
def test_an_object_of_somebody_else_without_our_bands_stays(foreign: bytes) -> None:
    assert take_out(foreign) == without(foreign, "s") == without_beside(foreign, "s", MEMBERS) == foreign
    assert take_out(put(foreign, "s", CODES)) == foreign


def test_vectors_and_bands_come_and_go_one_by_one_and_with_the_codes() -> None:
    """What is written is all that lies beside the codes: nothing that other codes left stays there."""
    plain, vectors = b'{"a":1E2}', {"knn_text": [-1, 127], "knn_image_0": [3]}
    there = put(plain, "s", CODES, {**TERMS, **vectors})
    assert put(put(plain, "s", CODES, {"knn_image_1": [9]}), "s", CODES, {**TERMS, **vectors}) == there
    assert without_beside(there, "s", NAMES) == put(plain, "s", CODES, TERMS)
    assert without_beside(there, "s", MEMBERS) == put(plain, "s", CODES, vectors)
    assert (
        without_beside(put(plain, "s", CODES, vectors), "s", NAMES) == put(there, "s", CODES) == put(plain, "s", CODES)
    )
    for names, source in ((NAMES, put(plain, "s", CODES, TERMS)), (MEMBERS, put(plain, "s", CODES, vectors))):
        assert without_beside(source, "s", names) == source
        assert take_out(source) == without(source, "s") == plain


def test_bands_are_not_written_over_what_is_somebody_elses() -> None:
    with pytest.raises(DataError, match="'_crosshatch' that is not ours"):
        put(b'{"_crosshatch":"red"}', "s", CODES, TERMS)


@pytest.mark.parametrize("foreign", [b'"a red pattern"', b"7", b"[1]", b"true"])
def test_a_value_that_is_no_object_is_somebody_elses(foreign: bytes) -> None:
    """It may lie in `_source` without a mapping; to write over it would lose what the catalogue wrote."""
    document = b'{"a":1,"crosshatch":%s}' % foreign
    with pytest.raises(DataError, match="'crosshatch' that is not ours"):
        put(document, "s", CODES)
    assert take_out(document) == document


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "{", "}", "}{", "[]", "null", "7", '"crosshatch"', "[{}]", '{"crosshatch"', '{"crosshatch":'),
        *('{"crosshatch":}', '{"crosshatch":1', '{"crosshatch":{},}', '{"crosshatch" {}}', "{crosshatch:{}}"),
        *('{,"crosshatch":{}}', '{"crosshatch":{}"a":1}', '{"crosshatch":{}}}', '{"crosshatch":{}} {}'),
        "{'crosshatch':1}",
        *('{"crosshatch":{"a":01}}', '{"crosshatch":{"a":"\n"}}', '\ufeff{"crosshatch":{}}', '{"a":"\\u00","b":1}'),
        *('{"crosshatch":{},"crosshatch":{}}', '{"crosshatch":{},"cross\\u0068atch":1}'),
        *('{"crosshatch":' + "[" * 100_000 + "}", '{"crosshatch":{"a":' + "9" * 5000 + "}}"),
    ],
    ids=lambda text: repr(text[:40]),
)  # fmt: skip
def test_what_is_no_document_is_refused(text: str) -> None:
    for change in (lambda raw: put(raw, "s", CODES), lambda raw: put(raw, "s", None), take_out):
        with pytest.raises(DataError) as raised:
            change(encoded(text))
        assert str(raised.value).startswith("a document is no JSON object that can be read: ")


@pytest.mark.parametrize("raw", [b'{"crosshatch":"\xff"}', b'{"a":"\xc3"}', b"\xff\xfe{\x00}\x00", b"\x80"])
def test_bytes_that_are_no_utf8_are_refused(raw: bytes) -> None:
    with pytest.raises(DataError):
        put(raw, "s", CODES)
    with pytest.raises(DataError):
        take_out(raw)


def test_depth_ends_in_our_error_or_well() -> None:
    for depth in range(800, 1001, 5):
        nested = "[" * depth + "]" * depth
        for document in (f'{{"crosshatch":{{"s":{{"more":{nested}}}}}}}', f'{{"a":{nested},"crosshatch":{{}}}}'):
            with contextlib.suppress(DataError):
                assert put(document.encode(), "s", CODES).count(b"[") >= depth


def test_time_grows_with_the_document_only() -> None:
    many = "{" + ",".join(f'"k{n}":"{"x" * 50}\\u0041"' for n in range(50_000)) + "}"
    begun = time.monotonic()
    there = put(many.encode(), "s", CODES)
    assert take_out(there) == many.encode()
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("source", "left"),
    [
        (b'{"a":813.50, "crosshatch": {"s":{"text":"AA=="}} }', b'{"a":813.50 }'),
        (b'{"crosshatch":{"s":{},"t":{"text":"AA=="}},"a":1E2}', b'{"crosshatch":{"t":{"text":"AA=="}},"a":1E2}'),
        (b'{"crosshatch" : {"t": {}}, "a":1}', b'{"crosshatch" : {"t": {}}, "a":1}'),
        (b'{"crosshatch":"s"}', b'{"crosshatch":"s"}'),
        (b'{"crosshatch":null}', b'{"crosshatch":null}'),
        (b'{"s":{}}', b'{"s":{}}'),
    ],
)
def test_one_space_goes_and_all_else_stays(source: bytes, left: bytes) -> None:
    assert without(source, "s") == left
