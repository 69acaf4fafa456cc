"""The forms in which the field passes its arrays round: .mat to v7 and v7.3, .npz, .csv, .json; never pickle."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mappings.errors import DataError, RequestError

Array = NDArray[np.generic]
HDF5 = b"\x89HDF\r\n\x1a\n"  # at 512 in a .mat of v7.3, after MATLAB's own header; at 0 where another program wrote it


def needed(folder: Path, name: str, *alternatives: str) -> Path:
    """The first of these files that is in `folder`. Raises RequestError, which says what to put where."""
    for alternative in alternatives:
        if (folder / alternative).exists():
            return folder / alternative
    raise RequestError(
        f"data set {name} expects {' or '.join(alternatives)} in {folder}; put it there, or name its folder"
    )


def arrays(path: Path, *names: str) -> dict[str, Array]:
    """The arrays of a .mat, .npz or .json file by name, all or these, with their axes as its program shows them.

    Raises DataError where the file is damaged, or of another form.
    """
    readers = {".mat": _mat, ".npz": _npz, ".json": _json}
    if path.suffix not in readers:
        raise DataError(f"{path} is no {', '.join(readers)}; convert it to one of these")
    try:
        found = readers[path.suffix](path, names)
    except Exception as error:  # on damaged files these readers raise whatever their parsing met
        raise DataError(f"{path} cannot be read as {path.suffix}: {error}; fetch it again") from error
    return {name: array for name, array in found.items() if not name.startswith("__")}


def one(found: Mapping[str, Array], path: Path, *names: str) -> Array:
    """The array that goes by one of these names. Raises DataError, which lists what the file holds."""
    for name in names:
        if name in found:
            return found[name]
    held = ", ".join(f"{name} {list(array.shape)}" for name, array in found.items()) or "nothing"
    raise DataError(f"{path} holds {held}; expected {' or '.join(names)}")


def features(array: Array, path: Path) -> NDArray[np.float32]:
    """Numbers as float32 [n, d]. Raises DataError where they are none."""
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise DataError(f"{path}: features are {array.dtype} {list(array.shape)}; expected numbers [n, features]")
    return np.ascontiguousarray(array, dtype=np.float32)


def labels(array: Array, path: Path, *, classes: int | None = None) -> NDArray[np.bool_]:
    """Labels as bool [n, c], from flags [n, c] or from class numbers [n], which count from 1 (0 if one is 0).

    Raises DataError where they are neither.
    """
    flat = array.reshape(-1) if array.ndim == 1 or 1 in array.shape else None
    if array.dtype.kind not in "fiub" or (flat is None and not np.isin(array, (0, 1, -1)).all()):
        raise DataError(
            f"{path}: labels are {array.dtype} {list(array.shape)}; expected flags [n, c] or class numbers [n]"
        )
    if flat is None:
        return np.asarray(array.astype(np.int64) > 0)
    numbers = flat.astype(np.int64)
    if (numbers != flat).any() or numbers.min() < 0:
        wrong = flat[(numbers != flat) | (numbers < 0)][0]
        raise DataError(f"{path}: {wrong} is no class number; expected 0, 1, 2, …")
    numbers -= int(numbers.min() > 0)
    count = max(classes or 0, int(numbers.max()) + 1)
    return np.eye(count, dtype=bool)[numbers]


def rows(path: Path, *, encoding: str = "utf-8") -> list[list[str]]:
    """The rows of a CSV file. Raises DataError where it is no text of this encoding."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            return [row for row in csv.reader(file, strict=True) if row]
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV in {encoding}: {error}; save it anew") from error


def document(path: Path) -> object:
    """A JSON file. Raises DataError where it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}; fetch it again") from error


def hdf5(path: Path) -> bool:
    """Whether a .mat file is one of v7.3."""
    with path.open("rb") as file:
        start = file.read(520)
    return HDF5 in (start[:8], start[512:520])


def _mat(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    if hdf5(path):
        return _mat73(path, names)
    from scipy.io import loadmat

    found = loadmat(path, variable_names=names or None)
    return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}


def _mat73(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """MATLAB stores columns first, so HDF5 shows each array with its axes turned round: [n, d] reads as [d, n]."""
    import h5py

    with h5py.File(path, "r") as file:
        wanted = [name for name, entry in file.items() if isinstance(entry, h5py.Dataset) and name in (names or file)]
        return {name: np.asarray(file[name]).T for name in wanted}


def _npz(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if not names or name in names}


def _json(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """An object of lists, each of one shape."""
    document = dict(json.loads(path.read_text(encoding="utf-8")))
    return {str(name): np.asarray(value) for name, value in document.items() if not names or name in names}
