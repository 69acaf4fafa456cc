"""SMILE and CBOR against a second writer, and against their own formats' worked examples."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.gateway import cbor, smile, smile_writer
from integration.gateway.trees import Single, Unreadable
from tests.writers import smile as second

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
scalars = st.none() | st.booleans() | st.integers(-(1 << 80), 1 << 80) | st.floats(allow_nan=False) | texts
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
exact = st.binary(max_size=40) | st.decimals(allow_nan=False, allow_infinity=False)


@given(trees)
def test_what_another_writer_wrote_is_read(tree: Any) -> None:
    assert smile.loads(second.dumps(tree)) == tree


@given(trees | exact)
def test_what_we_write_is_read(tree: Any) -> None:
    for form, written in ((smile, smile_writer.dumps(tree)), (cbor, cbor.dumps(tree))):
        again = form.loads(written)
        assert again == tree
        assert str(again) == str(tree)
    assert smile.END not in smile_writer.dumps(tree)


@given(trees)
def test_what_both_write_is_the_same(tree: Any) -> None:
    assert smile_writer.dumps(tree) == second.dumps(tree)


@given(st.binary(max_size=60), trees, st.integers(0, 200), st.integers(0, 255))
def test_damage_is_unreadable_and_nothing_else(noise: bytes, tree: Any, at: int, byte: int) -> None:
    for form, whole in ((smile, second.dumps(tree)), (cbor, cbor.dumps(tree))):
        harmed = bytearray(whole)
        harmed[at % len(harmed)] = byte
        for raw in (whole[:at], bytes(harmed), smile.HEADER + noise, noise):
            try:
                form.loads(raw)
            except Unreadable:
                continue


@pytest.mark.parametrize(
    ("hexed", "value"),
    [  # appendix A of RFC 8949
        ("1b7fffffffffffffff", 9223372036854775807),
        ("c249010000000000000000", 18446744073709551616),
        ("c349010000000000000000", -18446744073709551617),
        ("f93c00", 1.0),
        ("fa47c35000", 100000.0),
        ("fb3ff199999999999a", 1.1),
        ("7f657374726561646d696e67ff", "streaming"),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("c48221196ab3", Decimal("273.15")),
        ("d9d9f7a0", {}),
    ],
)
def test_worked_examples_of_cbor_are_read(hexed: str, value: Any) -> None:
    assert cbor.loads(bytes.fromhex(hexed)) == value


@pytest.mark.parametrize(
    "hexed",
    [
        "",
        "ff",
        "a1",
        "a26161016161 02",
        "c074323031332d30332d32315432303a30343a30305a",
        "d81c80",
        "a10102",
        "0001",
        "9b7fffffffffffffff",
    ],
)
def test_what_cbor_says_and_json_cannot_is_unreadable(hexed: str) -> None:
    with pytest.raises(Unreadable):
        cbor.loads(bytes.fromhex(hexed))


@pytest.mark.parametrize("form", [smile, cbor])
def test_a_name_that_comes_twice_is_unreadable(form: Any) -> None:
    raw = {smile: smile.HEADER + b"\xfa\x80a\xc2\x80a\xc4\xfb", cbor: b"\xa2\x61a\x01\x61a\x02"}[form]
    with pytest.raises(Unreadable, match="twice"):
        form.loads(raw)


def test_depth_is_bounded() -> None:
    with pytest.raises(Unreadable):
        smile.loads(smile.HEADER + b"\xf8" * 100_000)
    with pytest.raises(Unreadable):
        cbor.loads(b"\x81" * 100_000)


def test_a_number_of_32_bits_goes_out_so() -> None:
    assert cbor.dumps(Single(1.5)) == bytes.fromhex("fa3fc00000")
    assert isinstance(smile.loads(smile_writer.dumps([Single(0.5)]))[0], Single)
