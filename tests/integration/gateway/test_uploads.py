"""Uploaded pictures: kept for a while, within a bounded memory, under ids that nobody guesses."""

import time

import pytest

from integration.gateway.notices import _Copy
from integration.gateway.uploads import Uploads
from mappings.errors import RequestError, Unavailable


def test_a_picture_is_kept_and_then_gone() -> None:
    uploads = Uploads(keep=0.05)
    name = uploads.put(b"picture")
    assert uploads.get(name) == b"picture"
    assert uploads.put(b"picture") != name
    time.sleep(0.06)
    with pytest.raises(RequestError, match="upload it again"):
        uploads.get(name)


def test_memory_is_bounded_and_comes_back() -> None:
    uploads = Uploads(keep=0.05, most=10)
    uploads.put(b"123456")
    with pytest.raises(Unavailable, match="too many pictures"):
        uploads.put(b"123456")
    time.sleep(0.06)
    uploads.put(b"123456")


def test_a_copy_of_an_answer_lets_go_of_what_is_too_large() -> None:
    copy = _Copy(5)
    copy.watch(b"123")
    assert copy.whole == b"123"
    copy.watch(b"456")
    copy.watch(b"7")
    assert copy.whole is None
