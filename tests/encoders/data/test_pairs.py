"""A folder of one's own: raw from JSON and CSV, features, and splits that part nothing that belongs together."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from encoders.data import named
from mappings.errors import DataError

ENTRIES = [
    {"image": "a.png", "text": "a cat", "labels": ["cat"], "split": "train"},
    {"image": "b.png", "text": "a cat and a dog", "labels": ["cat", "dog"], "split": "database"},
    {"image": "a.png", "text": "dogs, many", "labels": ["dog"], "split": "query"},
    {"image": "b.png", "text": "a hound", "labels": ["dog"], "split": "learn"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    return tmp_path


def put(folder: Path, entries: object, form: str = "json") -> Path:
    if form == "json":
        (folder / "pairs.json").write_text(json.dumps(entries), encoding="utf-8")
        return folder
    assert isinstance(entries, list)
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, list(entries[0]))
        rows.writeheader()
        rows.writerows(entry | {"labels": "|".join(entry["labels"])} for entry in entries)
    return folder


@pytest.mark.parametrize("form", ["json", "csv"])
def test_raw_pairs(folder: Path, form: str) -> None:
    found = named("pairs", put(folder, ENTRIES, form))
    assert found.query.captions == ["dogs, many"]
    assert found.pairs.labels is not None
    assert found.pairs.labels.tolist() == [[True, False], [True, True], [False, True], [False, True]]
    assert found.query.pictures is not None
    assert list(found.query.pictures) == [b"a"]
    assert (found.split.database.tolist(), found.split.train.tolist()) == ([0, 1], [0, 3])


def test_without_labels_queries_find_their_own_record(folder: Path) -> None:
    entries = [{"image": "a.png", "text": str(n), "record": n // 2} for n in range(20)]
    found = named("pairs", put(folder, entries), seed=3)
    assert found.pairs.labels is None
    assert found.split.query.tolist() == found.split.database.tolist()
    assert len(found.query) == 4
    assert not set(found.query.records) & set(found.train.records)
    assert named("pairs", folder, seed=3).split.query.tolist() == found.split.query.tolist()


def test_a_series_is_not_parted(folder: Path) -> None:
    entries = [{"image": "a.png", "text": str(n), "group": f"series {n // 5}"} for n in range(20)]
    found = named("pairs", put(folder, entries))
    assert len({n // 5 for n in found.split.query}) * 5 == len(found.query)


@pytest.mark.parametrize("form", ["npz", "mat"])
def test_features(folder: Path, form: str) -> None:
    content = {"images": np.eye(10, 3), "texts": np.eye(10, 2), "labels": np.arange(10) % 2 + 1}
    np.savez(folder / "pairs.npz", **content) if form == "npz" else savemat(folder / "pairs.mat", content)
    found = named("pairs", folder)
    assert (len(found.query), len(found.database), len(found.train)) == (2, 8, 8)
    assert found.pairs.labels is not None
    assert found.pairs.labels[:2].tolist() == [[True, False], [False, True]]


def test_features_with_a_split(folder: Path) -> None:
    parts = {"query": [4], "database": [0, 1, 2], "train": [0, 1]}
    content = {"images": np.eye(5, 3), "texts": np.eye(5, 2), "labels": np.eye(5)}
    np.savez(folder / "pairs.npz", **content, **{name: np.array(rows) for name, rows in parts.items()})
    found = named("pairs", folder)
    assert [getattr(found.split, name).tolist() for name in parts] == list(parts.values())
    np.savez(folder / "pairs.npz", **content, query=np.array([4]))
    with pytest.raises(DataError, match=r"pairs\.npz must hold all of query, database, train, or none of them"):
        named("pairs", folder)


WRONG = {
    "no list": ({}, r"pairs\.json must hold a list of objects"),
    "no picture": ([{"text": "a"}], r"pairs\.json: entry 0 has text; expected image, and of"),
    "unknown key": ([{"image": "a.png", "txt": "a"}], r"entry 0 has image, txt; expected image"),
    "picture not there": ([{"image": "a.png"}, {"image": "c.png"}], r"pairs: 1 of 2 pictures are not there, \S+c\.png"),
    "odd part": (
        [{"image": "a.png", "split": "test"}],
        r"split is 'test'; expected one of query, database, train, learn",
    ),
    "empty": ([], r"every side must have the same number of rows, one at least"),
    "too few": ([{"image": "a.png"}, {"image": "b.png"}], r"0 queries and 1 to learn from were asked of 2 pairs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told(folder: Path, name: str) -> None:
    entries, message = WRONG[name]
    with pytest.raises(DataError, match=message):
        named("pairs", put(folder, entries))


def test_json_cut_short_is_told(folder: Path) -> None:
    (folder / "pairs.json").write_text("[{", encoding="utf-8")
    with pytest.raises(DataError, match=r"pairs\.json cannot be read as JSON: .+; fetch it again"):
        named("pairs", folder)
