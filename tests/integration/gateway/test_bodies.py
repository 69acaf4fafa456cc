"""Bodies to trees and back: what nobody touched stays, what is not certain is not decoded."""

import gzip
import json
import zlib

import pytest

from integration.gateway import bodies
from integration.gateway.bodies import decode, decode_lines, may_say
from tests.writers import smile

JSON = [(b"Content-Type", b"application/json; charset=UTF-8")]
NUMBERS = (
    b'{"a":813.50,"b":1E2,"c":-0,"d":123456789012345678901234567890,"e":0.1234567890123456789012345678901,"f":-0.0}'
)


def test_numbers_that_nobody_touched_keep_their_text() -> None:
    body = decode(NUMBERS, JSON)
    assert body is not None
    assert body.encode(body.tree) == NUMBERS
    assert body.tree["a"] == 813.5
    assert body.tree["b"] == 100
    assert body.tree["d"] == 123456789012345678901234567890


def test_a_changed_body_says_the_change_and_nothing_else() -> None:
    body = decode('{"q": {"t": "Bücher \\ud83d\\ude00"}, "n": 1.10}'.encode(), JSON)
    assert body is not None
    assert body.encode({**body.tree, "q": {"x": 2.5}}) == b'{"q":{"x":2.5},"n":1.10}'
    assert json.loads(body.encode(body.tree)) == {"q": {"t": "Bücher 😀"}, "n": 1.1}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":{"a":1,"a":2}}',
        b'{"a":NaN}',
        b'{"a":1} {"b":2}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'\xef\xbb\xbf{"a":1}',
        b'/* why */{"a":1}',
        b"[" * 250 + b"]" * 250,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
    ],
)
def test_what_is_not_certain_is_not_decoded(raw: bytes) -> None:
    assert decode(raw, JSON) is None


def test_two_hundred_levels_are_decoded() -> None:
    assert decode(b"[" * 200 + b"]" * 200, JSON) is not None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"application/yaml")],
        [(b"content-type", b"text/plain")],
        [*JSON, *JSON],
        [*JSON, (b"content-encoding", b"br")],
        [*JSON, (b"content-encoding", b"gzip, gzip")],
        [*JSON, (b"content-encoding", b"gzip")],
    ],
)
def test_a_form_that_we_do_not_read_is_not_decoded(headers: list[tuple[bytes, bytes]]) -> None:
    assert decode(b'{"a":1}', headers) is None


def test_media_types_of_elasticsearch_are_read() -> None:
    body = decode(b"{}", [(b"content-type", b"application/vnd.elasticsearch+json; compatible-with=8")])
    assert body is not None
    assert body.form.media == "json"


@pytest.mark.parametrize("how", ["gzip", "deflate"])
def test_a_packed_body_goes_out_packed(how: str) -> None:
    packed = gzip.compress(NUMBERS) if how == "gzip" else zlib.compress(NUMBERS)
    body = decode(packed, [*JSON, (b"Content-Encoding", how.encode())])
    assert body is not None
    again = body.encode(body.tree)
    assert (gzip.decompress(again) if how == "gzip" else zlib.decompress(again)) == NUMBERS


@pytest.mark.parametrize("harm", ["cut", "more", "bomb", "limit"])
def test_a_packed_body_that_is_harmed_is_not_decoded(harm: str) -> None:
    packed = gzip.compress(b'{"a":1}')
    raw = {
        "cut": packed[:-3],
        "more": packed + b"x",
        "bomb": gzip.compress(b" " * 50_000_000),
        "limit": gzip.compress(b'{"a":1}' + b" " * bodies.LIMIT),
    }[harm]
    assert decode(raw, [*JSON, (b"content-encoding", b"gzip")]) is None


def test_lines_that_nobody_touched_go_out_byte_for_byte() -> None:
    raw = b'{ "index" : "a"}\n{"query": {"x": 1.50 }}\r\n\n{"size":1}'
    lines = decode_lines(raw, [(b"content-type", b"application/x-ndjson")])
    assert lines is not None
    assert lines.encode({}) == raw
    assert [line.tree() for line in lines.lines] == [{"index": "a"}, {"query": {"x": 1.5}}, None, {"size": 1}]
    assert lines.encode({3: {"size": 2}}) == raw[: -1 - len('{"size":1}') + 1] + b'{"size":2}'
    assert not lines.ended


def test_lines_of_smile_are_read() -> None:
    raw = smile.bulk({"index": {"_id": "1"}}, {"t": "Bücher"})
    lines = decode_lines(raw, [(b"content-type", b"application/smile")])
    assert lines is not None
    assert [line.tree() for line in lines.lines] == [{"index": {"_id": "1"}}, {"t": "Bücher"}]
    assert lines.ended
    assert lines.encode({}) == raw


def test_a_word_that_a_body_cannot_say_costs_no_decoding() -> None:
    assert not may_say(b'{"query":{"match_all":{}}}', "crosshatch", "json")
    assert may_say(b'{"cross\\u0068atch":1}', "crosshatch", "json")
    assert may_say(smile.dumps({"crosshatch": 1}), "crosshatch", "smile")
