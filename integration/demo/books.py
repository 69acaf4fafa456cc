"""The books of the demo, as `books.yaml` lists them."""

import re
import unicodedata
from functools import cache
from typing import Any

import yaml

from integration.demo.drawings import FOLDER


@cache
def books() -> list[dict[str, Any]]:
    """The books of `books.yaml`, as they stand there."""
    read: list[dict[str, Any]] = yaml.safe_load((FOLDER / "books.yaml").read_text("utf-8"))
    return read


def book_number(book: dict[str, Any]) -> str:
    """The control number of a book: `book-moby-dick-or-the-whale`."""
    plain = unicodedata.normalize("NFKD", book["title"]).encode("ascii", "ignore").decode().lower()
    return "book-" + re.sub("[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")
