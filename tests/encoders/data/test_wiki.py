"""Wiki as it is, where its file is at hand, and small files of the same form."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from encoders.data import named
from encoders.data.files import Array
from mappings.errors import DataError, RequestError

REAL = Path(__file__).parents[4] / "shared" / "data" / "wiki"
SIZES = {"pairs": 9, "labels": 3, "query": 3, "database": 6, "train": 6}


def halves() -> dict[str, Array]:
    """Six pairs to learn from and three to ask with; the class number is the first text feature."""
    rng = np.random.default_rng(0)
    made: dict[str, Array] = {}
    for half, count in (("tr", 6), ("te", 3)):
        classes = np.arange(count) % 3 + 1
        made |= {f"I_{half}": rng.random((count, 4)), f"L_{half}": classes[:, None].astype(np.uint8)}
        made[f"T_{half}"] = np.stack([classes, np.arange(count)], axis=1).astype(np.float64)
    return made


def folder_of(path: Path, content: dict[str, Array], form: str = "v5") -> Path:
    if form == "v5":
        savemat(path / "wikiData.mat", content)
    elif form == "v7.3":
        with h5py.File(path / "wikiData.mat", "w", userblock_size=512) as file:
            for name, array in content.items():
                file[name] = array.T  # as MATLAB writes it: columns first
        with (path / "wikiData.mat").open("r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file")
    else:
        np.savez(path / "wiki.npz", **content)  # type: ignore[arg-type]
    (path / "counts.json").write_text(json.dumps(SIZES), encoding="utf-8")
    return path


@pytest.mark.skipif(not REAL.is_dir(), reason="the Wiki features are not beside the project (../shared/data/wiki)")
def test_the_real_wiki_has_its_published_parts() -> None:
    wiki = named("wiki", REAL)
    assert (len(wiki.query), len(wiki.database), len(wiki.train)) == (693, 2173, 2173)
    images, texts = wiki.train.features()
    assert (images.shape, texts.shape) == ((2173, 128), (2173, 10))
    np.testing.assert_allclose(texts.sum(axis=1), 1, atol=1e-5)  # topics
    assert wiki.pairs.labels is not None
    assert (wiki.pairs.labels.sum(axis=1) == 1).all()
    first = wiki.train.labels
    assert first is not None
    assert np.flatnonzero(first[0]).tolist() == [5]  # L_tr begins with 6: music


@pytest.mark.parametrize("form", ["v5", "v7.3", "npz"])
def test_every_form_reads_the_same(tmp_path: Path, form: str) -> None:
    content = halves()
    wiki = named("wiki", folder_of(tmp_path, content, form))
    images, texts = wiki.query.features()
    np.testing.assert_allclose(images, content["I_te"].astype(np.float32))
    np.testing.assert_allclose(texts, content["T_te"])
    assert wiki.query.labels is not None
    assert wiki.query.labels.tolist() == np.eye(3, dtype=bool).tolist()
    assert wiki.split.train.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_part_of_it_must_say_so(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, halves())
    (folder / "counts.json").unlink()
    with pytest.raises(DataError) as caught:
        named("wiki", folder)
    assert str(caught.value) == (
        "wiki: 9 pairs came, 2866 are published; 3 query came, 693 are published; 6 database came, 2173 are published; "
        "6 train came, 2173 are published. Fetch the whole set; a part of it states its own numbers in counts.json"
    )


def test_a_missing_file_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        named("wiki", tmp_path)
    assert str(caught.value) == (
        f"data set wiki expects wikiData.mat or wiki.npz in {tmp_path}; put it there, or name its folder"
    )


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"^no data set 'wikipedia'; there are: wiki"):
        named("wikipedia", tmp_path)


def spoilt(name: str, change: object) -> dict[str, Array]:
    content = halves()
    content[name] = change(content[name])  # type: ignore[operator]
    return content


BROKEN = {
    "NaN": (
        spoilt("I_tr", lambda a: np.where(a == a[2, 1], np.nan, a)),
        r"1 rows of images hold NaN or infinity, row 2",
    ),
    "one text too few": (spoilt("T_te", lambda a: a[:2]), r"3 images, 2 texts, 3 labels came; every side must have"),
    "no numbers": (spoilt("I_tr", lambda a: a.astype(str)), r"features are <U\d+ \[6, 4\]; expected numbers"),
    "other widths": (spoilt("I_te", lambda a: a[:, :3]), r"float32 \[6, 4\] and float32 \[3, 3\]; widths differ"),
    "half a class": (spoilt("L_tr", lambda a: a + 0.5), r"1\.5 is no class number; expected 0, 1, 2"),
    "no queries": (spoilt("I_te", lambda a: a[:0]), r"0 images, 3 texts, 3 labels came"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_no_method_can_learn_from_is_refused(tmp_path: Path, name: str) -> None:
    content, message = BROKEN[name]
    with pytest.raises(DataError, match=message):
        named("wiki", folder_of(tmp_path, content, "npz"))


@pytest.mark.parametrize("raw", [b"", b"MATLAB 5.0 MAT-file" + bytes(600), b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_a_damaged_file_is_named(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "wikiData.mat").write_bytes(raw)
    with pytest.raises(DataError, match=r"wikiData\.mat cannot be read as \.mat: .+; fetch it again"):
        named("wiki", tmp_path)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "wiki.npz", I_tr=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match=r"cannot be read as \.npz"):
        named("wiki", tmp_path)
