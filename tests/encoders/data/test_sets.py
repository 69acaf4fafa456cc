"""The field's data sets, each from small files of its published form; the published sizes are asserted of the rest."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from encoders.data import MODULES, named
from encoders.data.api import DataSet
from mappings.errors import DataError, RequestError


def counted(folder: Path, pairs: int, labels: int, query: int, database: int, train: int) -> None:
    sizes = {"pairs": pairs, "labels": labels, "query": query, "database": database, "train": train}
    (folder / "counts.json").write_text(json.dumps(sizes), encoding="utf-8")


def matlab73(path: Path, **content: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        for name, array in content.items():
            file[name] = array.T


def png(path: Path, colour: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (colour, 0, 0)).save(path, "PNG")


def seen(dataset: DataSet, row: int) -> np.ndarray:
    assert dataset.pairs.pictures is not None
    return np.asarray(Image.open(io.BytesIO(dataset.pairs.pictures[row])))


RNG = np.random.default_rng(0)
TAGS = (RNG.random((12, 5)) < 0.5).astype(np.float64)
LABELS = np.eye(3, dtype=np.uint8)[np.arange(12) % 3]
PIXELS = RNG.integers(0, 256, (12, 4, 6, 3), dtype=np.uint8)  # n, height, width, colour


def one_file(folder: Path) -> None:
    matlab73(folder / "FLICKR-25K.mat", images=PIXELS.transpose(1, 2, 3, 0), YAll=TAGS, LAll=LABELS)


def three_files(folder: Path, stem: str = "mirflickr25k") -> None:
    matlab73(folder / f"{stem}-iall.mat", IAll=PIXELS.transpose(1, 2, 3, 0))
    savemat(folder / f"{stem}-yall.mat", {"YAll": TAGS})
    savemat(folder / f"{stem}-lall.mat", {"LAll": LABELS})


@pytest.mark.parametrize("form", [one_file, three_files])
def test_mirflickr_with_pixels(tmp_path: Path, form: Callable[[Path], None]) -> None:
    form(tmp_path)
    counted(tmp_path, 12, 3, 3, 9, 6)
    found = named("mirflickr", tmp_path, seed=1)
    assert (len(found.query), len(found.database), len(found.train)) == (3, 9, 6)
    assert found.pairs.texts is not None
    np.testing.assert_array_equal(found.pairs.texts, TAGS)
    assert found.pairs.labels is not None
    np.testing.assert_array_equal(found.pairs.labels, LABELS)
    np.testing.assert_array_equal(seen(found, 5), PIXELS[5])
    assert found.pairs.pictures is not None
    assert len(list(found.pairs.pictures)) == 12
    assert named("mirflickr", tmp_path, seed=1).split.query.tolist() == found.split.query.tolist()
    assert named("mirflickr", tmp_path, seed=2).split.query.tolist() != found.split.query.tolist()


def test_nuswide_with_features_and_tags_the_other_way_round(tmp_path: Path) -> None:
    features = RNG.random((12, 7))
    savemat(tmp_path / "nus-wide-tc21-iall-vgg.mat", {"XAll": features})
    savemat(tmp_path / "nus-wide-tc21-yall.mat", {"YAll": TAGS.T})
    matlab73(tmp_path / "nus-wide-tc21-lall.mat", LAll=LABELS)
    counted(tmp_path, 12, 3, 3, 9, 6)
    images, texts = named("nuswide", tmp_path).pairs.features()
    np.testing.assert_array_equal(images, features.astype(np.float32))
    np.testing.assert_array_equal(texts, TAGS)


@pytest.mark.parametrize("name", ["mirflickr", "nuswide"])
def test_tagged_features_in_one_file(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / f"{name}.npz", images=np.eye(12), texts=TAGS, labels=LABELS)
    counted(tmp_path, 12, 3, 3, 9, 6)
    assert len(named(name, tmp_path).train) == 6
    halves = {f"{side}_{half}": array[rows] for side, array in (("I", np.eye(12)), ("T", TAGS), ("L", LABELS))
              for half, rows in (("tr", slice(9)), ("te", slice(9, None)))}  # fmt: skip
    np.savez(tmp_path / f"{name}.npz", **halves)
    counted(tmp_path, 12, 3, 3, 9, 9)
    assert named(name, tmp_path).split.query.tolist() == [9, 10, 11]


def test_a_file_that_is_missing_of_three_is_named(tmp_path: Path) -> None:
    three_files(tmp_path)
    (tmp_path / "mirflickr25k-yall.mat").unlink()
    with pytest.raises(RequestError) as caught:
        named("mirflickr", tmp_path)
    assert str(caught.value) == (
        "data set mirflickr expects FLICKR-25K.mat, or mirflickr.npz, or mirflickr25k-iall.mat, -yall.mat and "
        f"-lall.mat in {tmp_path}; mirflickr25k-yall.mat not found: put it there, or name its folder"
    )


def books(folder: Path, encoding: str = "latin-1") -> None:
    """Ten books of five authors; two of nobody's."""
    rows = [
        (
            f"A{n}",
            f"{n}.jpg",
            "http://x",
            f"Título {n}",
            "" if n > 7 else f"Author {n // 2}",
            str(n % 2 * 3),
            f"Genre {n % 2}",
        )
        for n in range(10)
    ]
    for name, part in (("train", rows[:8]), ("test", rows[8:])):
        with (folder / f"book30-listing-{name}.csv").open("w", encoding=encoding, newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows(part)
    for n in range(10):
        png(folder / "224x224" / f"{n}.jpg", n)
    counted(folder, 10, 2, 0, 0, 0)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-16", "utf-16-be"])
def test_bookcover_parts_no_author(tmp_path: Path, encoding: str) -> None:
    books(tmp_path, encoding)
    found = named("bookcover", tmp_path)
    assert found.pairs.captions is not None
    assert found.pairs.captions[3] == "Título 3"
    assert found.pairs.labels is not None
    assert found.pairs.labels[:2].tolist() == [[True, False], [False, True]]
    assert seen(found, 9)[0, 0].tolist() == [9, 0, 0]
    for seed in range(8):
        split = named("bookcover", tmp_path, seed=seed).split
        assert len(split.query) in (2, 3)
        author = [row // 2 if row < 8 else row for row in range(10)]
        assert not {author[row] for row in split.query} & {author[row] for row in split.train}


def test_a_list_of_other_columns_is_refused(tmp_path: Path) -> None:
    books(tmp_path)
    (tmp_path / "book30-listing-test.csv").write_text('"A1","1.jpg"\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"row 0 has 2 columns, \['A1', '1.jpg'\]; expected 7, the sixth a number"):
        named("bookcover", tmp_path)


def cifar(folder: Path, form: str) -> np.ndarray:
    pixels = RNG.integers(0, 256, (6, 20, 3072), dtype=np.uint8)
    classes = np.stack([np.arange(20, dtype=np.uint8) % 10] * 6)
    for batch, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        if form == "bin":
            np.concatenate([classes[batch][:, None], pixels[batch]], axis=1).tofile(folder / f"{name}.bin")
        else:
            savemat(folder / f"{name}.mat", {"data": pixels[batch], "labels": classes[batch][:, None]})
    counted(folder, 120, 10, 20, 100, 30)
    return pixels


@pytest.mark.parametrize("form", ["bin", "mat"])
def test_cifar10_asks_and_learns_evenly(tmp_path: Path, form: str) -> None:
    pixels = cifar(tmp_path, form)
    found = named("cifar10", tmp_path, seed=4)
    for part, each in ((found.query, 2), (found.train, 3)):
        assert part.labels is not None
        assert part.labels.sum(axis=0).tolist() == [each] * 10
    assert seen(found, 21)[2, 5].tolist() == pixels[1, 1].reshape(3, 32, 32)[:, 2, 5].tolist()
    assert found.pairs.captions is None


def test_cifar10_reads_no_pickle(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(RequestError, match=r"data set cifar10 expects data_batch_1\.bin or data_batch_1\.mat in"):
        named("cifar10", tmp_path)
    cifar(tmp_path, "bin")
    (tmp_path / "test_batch.bin").write_bytes(bytes(3074))
    with pytest.raises(DataError, match=r"test_batch\.bin has 3074 bytes; expected a multiple of 3073: fetch it again"):
        named("cifar10", tmp_path)


def voc(folder: Path) -> None:
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    names = {"train": ["2008_1", "2008_2", "2008_3"], "val": ["2009_1", "2009_2"]}
    flags = {"cat": {"train": [1, -1, 0], "val": [-1, 1]}, "dog": {"train": [-1, 1, 1], "val": [1, -1]}}
    for half, rows in names.items():
        (lists / f"{half}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
        for name, values in flags.items():
            lines = [f"{row} {value:2d}" for row, value in zip(rows, values[half], strict=True)]
            (lists / f"{name}_{half}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for number, row in enumerate(rows):
            png(folder / "JPEGImages" / f"{row}.jpg", number)
    counted(folder, 5, 2, 2, 3, 3)


def test_voc2012(tmp_path: Path) -> None:
    voc(tmp_path)
    found = named("voc2012", tmp_path)
    assert found.pairs.labels is not None
    assert found.pairs.labels.astype(int).tolist() == [[1, 0], [0, 1], [1, 1], [0, 1], [1, 0]]
    assert seen(found, 4)[0, 0].tolist() == [1, 0, 0]
    (tmp_path / "ImageSets/Main/cat_val.txt").write_text("2009_2 1\n2009_1 -1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"cat_val\.txt must hold the pictures of val\.txt in their order"):
        named("voc2012", tmp_path)


def karpathy(folder: Path, name: str, *, below: bool) -> None:
    images = []
    for number, part in enumerate(["train", "test", "restval", "val", "test"]):
        image: dict[str, object] = {"filename": f"{number}.jpg", "split": part}
        image["sentences"] = [{"raw": f"{number} {n}"} for n in range(5 + (number == 1))]
        if name == "mscoco":
            image["filepath"] = "val2014"
        images.append(image)
        png(folder / ("val2014" if below else "images") / f"{number}.jpg", number)
    listed = {"flickr30k": "dataset_flickr30k.json", "mscoco": "dataset_coco.json"}[name]
    (folder / listed).write_text(json.dumps({"images": images}), encoding="utf-8")
    counted(folder, 26, 0, 11, 11, 10)


@pytest.mark.parametrize(("name", "below"), [("flickr30k", False), ("mscoco", True), ("mscoco", False)])
def test_captions(tmp_path: Path, name: str, below: bool) -> None:
    karpathy(tmp_path, name, below=below)
    found = named(name, tmp_path)
    assert found.query.captions == [*(f"1 {n}" for n in range(6)), *(f"4 {n}" for n in range(5))]
    assert found.query.records.tolist() == [1] * 6 + [4] * 5
    assert found.split.database.tolist() == found.split.query.tolist()
    assert set(found.train.records) == {0, 2}
    assert seen(found, 6)[0, 0].tolist() == [1, 0, 0]


def test_captions_of_another_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset_coco.json").write_text(
        '{"images": [{"filename": "a.jpg", "split": "test"}]}', encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"must hold `images`, each with filename, split and sentences"):
        named("mscoco", tmp_path)


def test_every_set_says_what_to_put_where(tmp_path: Path) -> None:
    for name in MODULES:
        with pytest.raises(RequestError, match=f"^data set {name} expects .+ in {tmp_path}"):
            named(name, tmp_path)


FORMS = {
    "mirflickr": (one_file, "12 pairs|one row for each of 20015 pairs"),
    "bookcover": (books, "10 pairs came, 57000 are published"),
    "voc2012": (voc, "5 pairs came, 11540 are published"),
    "flickr30k": (lambda folder: karpathy(folder, "flickr30k", below=False), "26 pairs came, 155070 are published"),
    "mscoco": (lambda folder: karpathy(folder, "mscoco", below=True), "26 pairs came, 616767 are published"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_part_of_a_set_is_not_taken_for_all_of_it(tmp_path: Path, name: str) -> None:
    make, message = FORMS[name]
    make(tmp_path)
    (tmp_path / "counts.json").unlink(missing_ok=True)
    with pytest.raises(DataError, match=message):
        named(name, tmp_path)
