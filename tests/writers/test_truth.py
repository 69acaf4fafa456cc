"""The judge must be able to find us wrong: each kind of harm is seen, and none is seen where there is none."""

from typing import Any

import pytest

from tests.writers.truth import same

OURS = b',"crosshatch":{"s":{"text":"AAAA","image":["BBBB"],"source":"00"}}}'
BOTH = OURS[:-1] + b',"_crosshatch":{"s":{"text":"!a b}","of":"0123abcd"}}}'
SENT = '{"title": "caf\\u00e9 鯨","call":813.50,"n":1E2,"marc":"a,\\"crosshatch\\":{}"}'.encode()


@pytest.mark.parametrize("raw", [SENT, SENT[:-1] + OURS, SENT[:-1] + BOTH, SENT[:-1] + b',"crosshatch":{}}'])
def test_bytes_that_are_the_writers(raw: bytes) -> None:
    assert same(raw, SENT)


@pytest.mark.parametrize(
    "raw",
    [
        SENT.replace(b"813.50", b"813.5")[:-1] + OURS,
        SENT.replace(b"1E2", b"100.0"),
        SENT.replace(b"\\u00e9", "é".encode())[:-1] + OURS,
        SENT.replace(b": ", b":")[:-1] + OURS,
        SENT[:-1] + OURS[:-1] + b',"more":{}}',
        SENT[:-1] + BOTH[:-1] + b',"more":{}}',
        SENT[:-1] + OURS[:-1] + b',"more":{}' + BOTH[len(OURS) - 1 :],
        SENT[:-1] + b',"more":1}',
        b"{}",
    ],
)
def test_bytes_that_are_not(raw: bytes) -> None:
    assert not same(raw, SENT)


@pytest.mark.parametrize(
    ("raw", "equal"),
    [
        (b'{"a":1,"b":["x"]}', True),
        (b'{"b":["x"],"a":1,"crosshatch":{"s":{}}}', True),
        (b'{"b":["x"],"_crosshatch":{"s":{}},"a":1,"crosshatch":{"s":{}}}', True),
        (b'{"a":1,"b":["y"]}', False),
        (b'{"a":1,"b":["x"],"c":null}', False),
    ],
)
def test_values(raw: bytes, equal: bool) -> None:
    value: dict[str, Any] = {"a": 1, "b": ["x"]}
    assert same(raw, value) is equal
