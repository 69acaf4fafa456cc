"""Small bodies that are large once they are read: what is in them is counted first, and they pass by."""

import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest

from integration.gateway import bodies, cbor, smile
from integration.gateway.bodies import decode, decode_lines
from integration.gateway.trees import MEMBERS
from integration.gateway.widening.strings import Unsure
from integration.gateway.widening.words import Fields, find

SIZE = bodies.LIMIT - 1000
TIMES = 10  # what the largest body that is read costs, ten times; without limits each of these costs hundreds


def headers(media: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", f"application/{media}".encode()), (b"content-encoding", b"gzip")]


@pytest.fixture(scope="module")
def largest() -> float:
    """Processor seconds that reading as many values takes as a body may hold."""
    began = time.process_time()
    cbor.loads(b"\x9f" + b"\x80" * (MEMBERS - 2) + b"\xff")
    return time.process_time() - began


def within(largest: float, act: Callable[[], Any]) -> Any:
    began = time.process_time()
    done = act()
    assert time.process_time() - began < TIMES * largest
    return done


@pytest.mark.parametrize(
    ("media", "plain"),
    [
        ("json", b"[" + b"0," * (SIZE // 2) + b"0]"),
        ("json", b"[" + b"[]," * (SIZE // 3) + b"0]"),
        ("json", b"[" + b'{"":0},' * (SIZE // 7) + b"0]"),
        ("cbor", b"\x9f" + b"\x00" * SIZE + b"\xff"),
        ("cbor", b"\x9f" + b"\x80" * SIZE + b"\xff"),
        ("cbor", b"\xbf" + b"\x60\x00" * (SIZE // 2) + b"\xff"),
        ("smile", smile.HEADER + b"\xf8" + b"\xc0" * SIZE + b"\xf9"),
        ("smile", smile.HEADER + b"\xf8" + b"\xf8\xf9" * (SIZE // 2) + b"\xf9"),
        ("smile", smile.HEADER + b"\xf8" + b"\x20" * SIZE + b"\xf9"),
    ],
)
def test_more_values_than_a_search_has_are_not_decoded(largest: float, media: str, plain: bytes) -> None:
    packed = gzip.compress(plain, 1)
    assert len(packed) < 100_000
    assert within(largest, lambda: decode(packed, headers(media))) is None


def test_as_many_as_the_engine_takes_terms_are_decoded() -> None:
    body = decode(b'{"terms":["' + b'","'.join(b"%d" % n for n in range(65_536)) + b'"]}', headers("json")[:1])
    assert body is not None
    assert len(body.tree["terms"]) == 65_536
    assert decode(b"[" + b"0," * (MEMBERS - 1) + b"0]", headers("json")[:1]) is not None
    assert decode(b"[" + b"0," * MEMBERS + b"0]", headers("json")[:1]) is None


@pytest.mark.parametrize(
    ("media", "plain"),
    [
        ("x-ndjson", b"\n" * SIZE),
        ("x-ndjson", b"{}\n" * (SIZE // 3)),
        ("x-ndjson", b"[" + b"0," * (SIZE // 2) + b"0]\n"),
        ("smile", smile.END * SIZE),
        ("smile", smile.HEADER + b"\xf8" + b"\xc0" * SIZE + b"\xf9\xff"),
    ],
)
def test_a_multi_search_of_too_many_lines_or_values_is_not_read(largest: float, media: str, plain: bytes) -> None:
    packed = gzip.compress(plain, 1)
    assert within(largest, lambda: decode_lines(packed, headers(media))) is None


def test_a_name_that_smile_refers_to_again_and_again_is_not_written_out() -> None:
    name = b"\x34" + b"n" * 100_000 + b"\xfc"
    few = smile.HEADER[:3] + b"\x01\xf8\xfa" + name + b"\x21\xfb" + b"\xfa\x40\x21\xfb" * 99 + b"\xf9"
    many = few[:-1] + b"\xfa\x40\x21\xfb" * 1000 + b"\xf9"
    read = decode(few, headers("smile")[:1])
    assert read is not None
    assert len(read.tree) == 100
    assert decode(many, headers("smile")[:1]) is None


def test_a_query_string_longer_than_anybody_types_is_not_taken_apart(largest: float) -> None:
    many = " ".join(f"a:cat{n} b:{n}" for n in range(900))
    found = within(largest, lambda: find({"query_string": {"query": many}}, Fields(("a",))))
    assert found is not None
    assert (len(found.text.split()), len(found.limits)) == (900, 900)
    with pytest.raises(Unsure):
        within(largest, lambda: find({"query_string": {"query": many * 200}}, Fields(("a",))))
