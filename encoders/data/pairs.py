"""`pairs`: a folder of your own, raw or as features.

Raw: `pairs.json`, a list of objects, or `pairs.csv` with a header. Keys: `image` (a path under the folder), `text`, and
if there are any `labels` (a list; in CSV parted by `|`), `record` (pairs of one record share it), `group` (what the
split must not part: a series, near-duplicates) and `split` (query, database, train or learn, see `_parts`).

Features: `pairs.npz` or `pairs.mat` with `images` [n, d], `texts` [n, e], and if there are any `labels` [n, c] or [n],
`record` [n], `group` [n], and `query`, `database`, `train` (row numbers from 0).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from encoders.data import files
from encoders.data.api import DataSet, Flags, Pairs, Rows, Split
from encoders.data.published import drawn
from encoders.data.raw import Files
from mappings.errors import DataError

FORMS = ("pairs.json", "pairs.csv", "pairs.npz", "pairs.mat")
KEYS = ("image", "text", "labels", "record", "group", "split")
PARTS = ("query", "database", "train")
ASKING, MOST_ASKING = 0.2, 2000  # share of the pairs that ask, and how many at most, where no split is given


def read(folder: Path, *, seed: int, name: str) -> DataSet:
    """Both forms. Without a split of its own a fifth of the pairs asks, and the others are learnt from."""
    path = files.needed(folder, "pairs", *FORMS)
    return _features(path, seed) if path.suffix in (".npz", ".mat") else _raw(path, _entries(path), seed)


def _features(path: Path, seed: int) -> DataSet:
    found = files.arrays(path)
    pairs = Pairs(
        "pairs",
        files.features(files.one(found, path, "images"), path),
        files.features(files.one(found, path, "texts"), path),
        files.labels(found["labels"], path) if "labels" in found else None,
        records=_numbers(found.get("record", np.empty(0))),
    )
    given = [found[part].reshape(-1).astype(np.int64) for part in PARTS if part in found]
    if 0 < len(given) < len(PARTS):
        raise DataError(f"{path} must hold all of {', '.join(PARTS)}, or none of them")
    if given:
        query, database, train = given
        return DataSet(pairs, Split(query, database, train))
    return DataSet(pairs, _drawn(pairs, _numbers(found["group"]) if "group" in found else None, seed))


def _raw(path: Path, entries: Sequence[dict[str, object]], seed: int) -> DataSet:
    for number, entry in enumerate(entries):
        if not set(entry) <= set(KEYS) or not isinstance(entry.get("image"), str):
            raise DataError(
                f"{path}: entry {number} has {', '.join(map(str, entry))}; expected image, and of {KEYS[1:]}"
            )
    pairs = Pairs(
        "pairs",
        labels=_labels([entry.get("labels") or [] for entry in entries], path),
        pictures=Files.of("pairs", [path.parent / str(entry["image"]) for entry in entries]),
        captions=[str(entry.get("text") or "") for entry in entries],
        records=_numbers(np.array([str(entry.get("record", number)) for number, entry in enumerate(entries)])),
    )
    if any("split" in entry for entry in entries):
        return DataSet(pairs, _parts([str(entry.get("split")) for entry in entries], path, paired=pairs.labels is None))
    groups = _numbers(
        np.array([str(entry.get("group", f"#{row}")) for row, entry in zip(pairs.records, entries, strict=True)])
    )
    return DataSet(pairs, _drawn(pairs, groups, seed))


def _entries(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".json":
        document = files.document(path)
        if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
            raise DataError(f"{path} must hold a list of objects")
        return document
    header, *rows = files.rows(path) or [[]]
    entries: list[dict[str, object]] = [dict(zip(header, row, strict=False)) for row in rows]
    return [
        entry | {"labels": [label for label in str(entry.get("labels", "")).split("|") if label]} for entry in entries
    ]


def _labels(given: Sequence[object], path: Path) -> Flags | None:
    """[n, c], the labels in the order of the alphabet. None where no pair has any."""
    rows = [[str(label) for label in labels] if isinstance(labels, list) else [str(labels)] for labels in given]
    names = sorted({label for row in rows for label in row})
    if not names:
        return None
    place = {name: number for number, name in enumerate(names)}
    flags = np.zeros((len(rows), len(names)), dtype=bool)
    for flag, row in zip(flags, rows, strict=True):
        flag[[place[label] for label in row]] = True
    return flags


def _parts(given: Sequence[str], path: Path, *, paired: bool) -> Split:
    """`train` is searched too, as in the published splits; `learn` is not. Without labels, queries find their own."""
    known = ("query", "database", "train", "learn")
    wrong = sorted(set(given) - set(known))
    if wrong:
        raise DataError(f"{path}: split is {wrong[0]!r}; expected one of {', '.join(known)} in every entry")
    parts = np.array(given)
    searched = np.isin(parts, ["query", "database"] if paired else ["database", "train"])
    return Split(np.flatnonzero(parts == "query"), np.flatnonzero(searched), np.flatnonzero(np.isin(parts, known[2:])))


def _drawn(pairs: Pairs, groups: Rows | None, seed: int) -> Split:
    return drawn(pairs, min(MOST_ASKING, round(ASKING * len(pairs))), None, seed=seed, groups=groups)


def _numbers(names: files.Array) -> Rows:
    """A number for each distinct name, [n] -> [n]"""
    return np.unique(names, return_inverse=True)[1].reshape(-1).astype(np.int64)
