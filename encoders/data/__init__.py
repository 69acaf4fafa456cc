"""Data sets by name: `named("wiki", folder)`. Each module says which files it reads and what they hold."""

import importlib
from pathlib import Path
from typing import cast

from encoders.data.api import DataSet
from mappings.errors import RequestError

MODULES = {
    "wiki": "wiki",
    "mirflickr": "tagged",
    "nuswide": "tagged",
    "bookcover": "bookcover",
    "cifar10": "cifar10",
    "voc2012": "voc2012",
    "flickr30k": "captions",
    "mscoco": "captions",
    "pairs": "pairs",
}


def named(name: str, folder: Path, *, seed: int = 0) -> DataSet:
    """The data set `name`, read from `folder`; `seed` draws the split where none is published.

    Raises RequestError where the name is unknown (it lists the names) or a file is missing (it says what to put where),
    DataError where a file does not hold what it should.
    """
    if name not in MODULES:
        raise RequestError(f"no data set {name!r}; there are: {', '.join(MODULES)}")
    if not folder.is_dir():
        raise RequestError(
            f"data set {name} expects its files in {folder}, which is no folder; make it, or name another"
        )
    reader = importlib.import_module(f"encoders.data.{MODULES[name]}")
    return cast(DataSet, reader.read(folder, seed=seed, name=name))
