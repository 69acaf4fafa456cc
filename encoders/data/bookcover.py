"""BookCover30: covers with titles, by genre (Iwana et al., "Judging a Book by its Cover", 2016).

`book30-listing-train.csv` and `book30-listing-test.csv` as its authors publish them (no header; ASIN, file name, URL,
title, author, genre's number, genre), and the covers in `224x224/` or `covers/`. 57,000 books, 1,900 of each of 30
genres. Both files are one set here: a fifth of the books asks, split so that no author's books are on both sides.
"""

from pathlib import Path

import numpy as np

from encoders.data import files
from encoders.data.api import DataSet, Pairs
from encoders.data.published import Sizes, checked, drawn, sizes
from encoders.data.raw import Files
from mappings.errors import DataError

PUBLISHED = Sizes(pairs=57_000, labels=30, query=0, database=0, train=0)  # the parts hang on the authors drawn
LISTS = ("book30-listing-train.csv", "book30-listing-test.csv")
COVERS = ("224x224", "covers")
COLUMNS = 7
ASKING = 0.2


def read(folder: Path, *, seed: int, name: str) -> DataSet:
    """The text of a book is its title."""
    rows = [row for name in LISTS for row in _rows(files.needed(folder, "bookcover", name))]
    covers = files.needed(folder, "bookcover", *COVERS)
    genres = sorted({int(row[5]) for row in rows})
    pairs = Pairs(
        "bookcover",
        labels=np.array([[genre == int(row[5]) for genre in genres] for row in rows], dtype=bool).reshape(
            len(rows), -1
        ),
        pictures=Files.of("bookcover", [covers / row[1] for row in rows]),
        captions=[row[3] for row in rows],
    )
    authors = [row[4].strip() or f"#{number}" for number, row in enumerate(rows)]  # nobody's books are not one author's
    groups = np.unique(authors, return_inverse=True)[1].astype(np.int64)
    split = drawn(pairs, round(ASKING * len(pairs)), None, seed=seed, groups=groups)
    return checked(DataSet(pairs, split), sizes(folder, PUBLISHED))


def _rows(path: Path) -> list[list[str]]:
    """One list. Raises DataError where its columns are others."""
    rows = files.rows(path, encoding=_encoding(path.read_bytes()))
    for number, row in enumerate(rows):
        if len(row) != COLUMNS or not row[5].isdecimal():
            raise DataError(
                f"{path}: row {number} has {len(row)} columns, {row[:6]}; expected {COLUMNS}, the sixth a number"
            )
    return rows


def _encoding(raw: bytes) -> str:
    """The lists go round in several encodings; as Latin-1, that of the authors, any bytes can be read."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in raw:
        return "utf-16-be"
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"
