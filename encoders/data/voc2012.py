"""PASCAL VOC 2012 (Everingham et al.): photographs with the classes of what they show, no texts.

The folder `VOC2012` as it is unpacked: `JPEGImages/`, and in `ImageSets/Main/` `train.txt`, `val.txt`, and for each of
20 classes `<class>_train.txt` and `<class>_val.txt`. Its own split: 5,717 pictures to learn from and to search, 5,823
that ask. A class that is there but hard to see (0 in the lists) counts as shown.
"""

from pathlib import Path

import numpy as np

from encoders.data import files
from encoders.data.api import DataSet, Flags, Pairs, Split
from encoders.data.published import Sizes, checked, sizes
from encoders.data.raw import Files
from mappings.errors import DataError

PUBLISHED = Sizes(pairs=11_540, labels=20, query=5823, database=5717, train=5717)


def read(folder: Path, *, seed: int, name: str) -> DataSet:
    """Training pictures first. The split is published: `seed` changes nothing."""
    lists = files.needed(folder, "voc2012", "ImageSets/Main")
    names = {half: _lines(files.needed(lists, "voc2012", f"{half}.txt")) for half in ("train", "val")}
    classes = sorted(path.name.removesuffix("_train.txt") for path in lists.glob("*_train.txt"))
    labels = np.concatenate([_shown(lists, classes, half, names[half]) for half in names])
    every = [row[0] for half in names.values() for row in half]
    pictures = Files.of("voc2012", [folder / "JPEGImages" / f"{name}.jpg" for name in every])
    train = np.arange(len(names["train"]), dtype=np.int64)
    query = np.arange(len(train), len(every), dtype=np.int64)
    dataset = DataSet(Pairs("voc2012", labels=labels, pictures=pictures), Split(query, train, train))
    return checked(dataset, sizes(folder, PUBLISHED))


def _shown(lists: Path, classes: list[str], half: str, names: list[list[str]]) -> Flags:
    """Which classes each picture shows, [n, c]. Raises DataError where a list is not of these pictures."""
    flags = np.zeros((len(names), len(classes)), dtype=bool)
    for number, name in enumerate(classes):
        path = files.needed(lists, "voc2012", f"{name}_{half}.txt")
        rows = _lines(path)
        if [row[0] for row in rows] != [row[0] for row in names] or any(
            row[1:] not in (["-1"], ["0"], ["1"]) for row in rows
        ):
            raise DataError(f"{path} must hold the pictures of {half}.txt in their order, each with -1, 0 or 1")
        flags[:, number] = [row[1] != "-1" for row in rows]
    return flags


def _lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
