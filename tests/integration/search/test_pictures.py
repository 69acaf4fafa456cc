"""The picture of a query, and everything a caller can name instead of one."""

import os
from pathlib import Path

import pytest

from integration.search.pictures import read_picture
from integration.settings import Settings
from mappings.errors import RequestError

SMALL = Settings(picture_max_bytes=10)


def refusal(where: str) -> str:
    with pytest.raises(RequestError) as refused:
        read_picture(where, SMALL)
    return str(refused.value)


def test_a_file_comes_as_it_is(tmp_path: Path) -> None:
    picture = tmp_path / "https: cat.png"
    picture.write_bytes(b"0123456789")
    assert read_picture(str(picture), SMALL) == b"0123456789"


def test_a_file_is_read_no_further_than_the_limit(tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"0123456789a")
    assert refusal(str(picture)) == (
        f"{picture} is larger than 10 bytes; use a smaller picture, or raise CROSSHATCH_PICTURE_MAX_BYTES"
    )


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for where in (str(tmp_path), str(tmp_path / "pipe"), str(tmp_path / "gone"), "ftp://a/b", "", "/dev/zero"):
        assert refusal(where) == f"{where} is no picture file; give a file or an http(s) URL"
    assert "cat\x00.png" in refusal("cat\x00.png")


@pytest.mark.parametrize(
    "where", ["http://127.0.0.1/cat.png", "HTTPS://[::1]/cat.png", "http://localhost:9200/_search"]
)
def test_urls_obey_the_rules_for_pictures(where: str) -> None:
    assert refusal(where).startswith("the query's picture cannot be used: ")
