"""CIFAR-10 (Krizhevsky 2009): 60,000 pictures of ten classes, 32 x 32, no texts.

`data_batch_1` to `_5` and `test_batch`, as `.bin` or `.mat`; the Python version is pickles, which are not read. Split
as hashing does since Xia et al. (AAAI 2014): of each class 100 random pictures ask, the others are searched, and 500 of
these are learnt from.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.data import files
from encoders.data.api import DataSet, Pairs, Split
from encoders.data.published import Sizes, checked, sizes
from encoders.data.raw import Pixels
from mappings.errors import DataError

PUBLISHED = Sizes(pairs=60_000, labels=10, query=1000, database=59_000, train=5000)
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
SIDE, CLASSES = 32, 10
PIXELS = 3 * SIDE * SIDE  # red, green, blue, each row by row
Bytes = NDArray[np.uint8]


def read(folder: Path, *, seed: int, name: str) -> DataSet:
    """All six batches as one set."""
    parts = [_batch(files.needed(folder, "cifar10", f"{name}.bin", f"{name}.mat")) for name in BATCHES]
    classes = np.concatenate([part[0] for part in parts])
    pixels = np.concatenate([part[1] for part in parts]).reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    pairs = Pairs("cifar10", labels=np.eye(CLASSES, dtype=bool)[classes], pictures=Pixels(pixels))
    expected = sizes(folder, PUBLISHED)
    return checked(DataSet(pairs, _split(classes, expected, seed)), expected)


def _batch(path: Path) -> tuple[Bytes, Bytes]:
    """Classes [n] and pixels [n, 3072] of one file. Raises DataError."""
    if path.suffix == ".bin":
        raw = np.fromfile(path, dtype=np.uint8)
        if not raw.size or raw.size % (PIXELS + 1):
            raise DataError(f"{path} has {raw.size} bytes; expected a multiple of {PIXELS + 1}: fetch it again")
        rows = raw.reshape(-1, PIXELS + 1)
        classes, pixels = rows[:, 0], rows[:, 1:]
    else:
        found = files.arrays(path)
        classes, pixels = (files.one(found, path, name).astype(np.uint8) for name in ("labels", "data"))
        classes = classes.reshape(-1)
    if pixels.shape != (len(classes), PIXELS) or (classes >= CLASSES).any():
        raise DataError(
            f"{path} holds {pixels.dtype} {list(pixels.shape)} and classes to {classes.max()}; fetch it again"
        )
    return classes, pixels


def _split(classes: Bytes, expected: Sizes, seed: int) -> Split:
    """The same number of each class asks, and is learnt from."""
    rng = np.random.default_rng(seed)
    asking, learning = expected.query // CLASSES, expected.train // CLASSES
    orders = [rng.permutation(np.flatnonzero(classes == number)) for number in range(CLASSES)]
    query, rest = (np.concatenate([order[part] for order in orders]) for part in (slice(asking), slice(asking, None)))
    train = np.concatenate([order[asking : asking + learning] for order in orders])
    return Split(query, np.sort(rest), train, seed)
