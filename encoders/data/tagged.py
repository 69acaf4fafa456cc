"""MIRFLICKR-25K (Huiskes and Lew, MIR 2008) and NUS-WIDE (Chua et al., CIVR 2009): pictures with users' tags.

As cross-modal hashing has them since Jiang and Li (DCMH, CVPR 2017): of MIRFLICKR the 20,015 pairs whose tags are
common enough, 1,386 of them, with 24 labels; of NUS-WIDE the 195,834 pairs of its 21 most common labels, with the 1,000
tags of its authors. 2,000 random pairs ask, the others are searched, and 10,000 of these are learnt from. Forms:

- `FLICKR-25K.mat` (v7.3): `images` (pixels), `YAll` (tags), `LAll` (labels);
- a file of each, `mirflickr25k-iall.mat`, `-yall.mat`, `-lall.mat`, and `nus-wide-tc21-…` likewise. In place of the
  pixels features may lie there, as `XAll`, `IAll` or `FAll` [n, d] of `-iall-vgg.mat` or another `-iall-….mat`;
- `mirflickr.npz` or `.mat`, `nuswide.npz` or `.mat`: `images` and `texts` (features), `labels`; or two halves, as Wiki.
"""

from pathlib import Path

import numpy as np

from encoders.data import files
from encoders.data.api import DataSet, Pairs
from encoders.data.published import COUNTS, Sizes, checked, drawn, sizes
from encoders.data.raw import MatPixels
from encoders.data.wiki import halves
from mappings.errors import DataError, RequestError

PUBLISHED = {
    "mirflickr": Sizes(pairs=20_015, labels=24, query=2000, database=18_015, train=10_000),
    "nuswide": Sizes(pairs=195_834, labels=21, query=2000, database=193_834, train=10_000),
}
STEMS = {"mirflickr": "mirflickr25k", "nuswide": "nus-wide-tc21"}
WHOLE = {"mirflickr": "FLICKR-25K.mat", "nuswide": "NUS-WIDE-TC21.mat"}
NAMES = {"images": ("images", "XAll", "IAll", "FAll"), "texts": ("texts", "YAll"), "labels": ("labels", "LAll")}


def read(folder: Path, *, seed: int, name: str) -> DataSet:
    """The first of the forms that is there."""
    expected, stem = sizes(folder, PUBLISHED[name]), STEMS[name]
    for path in (folder / f"{name}.npz", folder / f"{name}.mat"):
        if path.is_file() and "I_tr" in (found := files.arrays(path)):
            return checked(halves(name, found, path, classes=expected.labels), expected)
    single = [folder / form for form in (f"{name}.npz", f"{name}.mat", WHOLE[name]) if (folder / form).is_file()]
    parts = dict.fromkeys(NAMES, single[0]) if single else _parts(folder, name, stem)
    pairs = _pairs(name, parts, expected.pairs)
    return checked(DataSet(pairs, drawn(pairs, expected.query, expected.train, seed=seed)), expected)


def _parts(folder: Path, name: str, stem: str) -> dict[str, Path]:
    """The files of pictures, texts and labels. Raises RequestError where one is missing."""
    images = sorted(folder.glob(f"{stem}-iall-*.mat")) or [folder / f"{stem}-iall.mat"]  # features rather than pixels
    parts = {"images": images[0], "texts": folder / f"{stem}-yall.mat", "labels": folder / f"{stem}-lall.mat"}
    missing = [path.name for path in parts.values() if not path.is_file()]
    if missing:
        raise RequestError(
            f"data set {name} expects {WHOLE[name]}, or {name}.npz, or {stem}-iall.mat, -yall.mat and -lall.mat in "
            f"{folder}; {', '.join(missing)} not found: put it there, or name its folder"
        )
    return parts


def _pairs(name: str, parts: dict[str, Path], count: int) -> Pairs:
    texts = files.features(_held(parts, "texts", count), parts["texts"])
    labels = files.labels(_held(parts, "labels", count), parts["labels"])
    pixels = MatPixels.of(parts["images"], *NAMES["images"]) if parts["images"].suffix == ".mat" else None
    if pixels is not None:
        return Pairs(name, None, texts, labels, pictures=pixels)
    return Pairs(name, files.features(_held(parts, "images", count), parts["images"]), texts, labels)


def _held(parts: dict[str, Path], side: str, count: int) -> files.Array:
    path = parts[side]
    return _upright(files.one(files.arrays(path, *NAMES[side]), path, *NAMES[side]), path, count)


def _upright(array: files.Array, path: Path, count: int) -> files.Array:
    """One row a pair: some files of the same name hold their arrays the other way round. Raises DataError."""
    if array.ndim != 2 or count not in array.shape:
        raise DataError(
            f"{path}: {list(array.shape)} numbers came; expected one row for each of {count} pairs (a part of the set "
            f"states its own numbers in {COUNTS})"
        )
    return array if array.shape[0] == count else np.ascontiguousarray(array.T)
