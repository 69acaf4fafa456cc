"""Wiki: Wikipedia's featured articles by section, one picture and one text each (Rasiwasia et al., ACM MM 2010).

`wikiData.mat`, as the field passes it round: pictures as SIFT bags of words (128-d), texts as LDA topics (10-d), ten
classes, the published split. The queries are the 693 test pairs, the database the 2,173 training pairs.
"""

from pathlib import Path

import numpy as np

from encoders.data import files
from encoders.data.api import DataSet, Pairs, Split, joined
from encoders.data.published import Sizes, checked, sizes

PUBLISHED = Sizes(pairs=2866, labels=10, query=693, database=2173, train=2173)


def read(folder: Path, *, seed: int, name: str) -> DataSet:
    """Training pairs first. The split is published: `seed` changes nothing."""
    path = files.needed(folder, "wiki", "wikiData.mat", "wiki.npz")
    found, expected = files.arrays(path), sizes(folder, PUBLISHED)
    return checked(halves("wiki", found, path, classes=expected.labels), expected)


def halves(name: str, found: dict[str, files.Array], path: Path, *, classes: int | None = None) -> DataSet:
    """A file of two halves, `I_tr T_tr L_tr` to learn from and to search, `I_te T_te L_te` to ask with."""
    learnt, asked = (
        Pairs(
            name,
            files.features(files.one(found, path, f"I_{half}"), path),
            files.features(files.one(found, path, f"T_{half}"), path),
            files.labels(files.one(found, path, f"L_{half}"), path, classes=classes),
        )
        for half in ("tr", "te")
    )
    train = np.arange(len(learnt), dtype=np.int64)
    query = np.arange(len(learnt), len(learnt) + len(asked), dtype=np.int64)
    return DataSet(joined(learnt, asked), Split(query, train, train))
