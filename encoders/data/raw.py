"""Raw pictures of a data set: files that are read, and pixels that are packed into a file, when they are asked for."""

import io
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders.data import files
from encoders.data.api import Chosen
from mappings.errors import DataError


class _Lazy(Sequence[bytes]):
    """Encoded pictures by row."""

    @abstractmethod
    def _read(self, row: int) -> bytes: ...

    @overload
    def __getitem__(self, row: int) -> bytes: ...

    @overload
    def __getitem__(self, row: slice) -> Chosen: ...

    def __getitem__(self, row: int | slice) -> bytes | Chosen:
        return Chosen(self, np.arange(len(self))[row]) if isinstance(row, slice) else self._read(row)


@dataclass(frozen=True, eq=False)
class Files(_Lazy):
    """Picture files of a folder."""

    paths: Sequence[Path]

    @classmethod
    def of(cls, name: str, paths: Sequence[Path]) -> "Files":
        """Raises DataError where some are not there: they are looked for at once, and read later."""
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise DataError(f"{name}: {len(missing)} of {len(paths)} pictures are not there, {missing[0]} first")
        return cls(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def _read(self, row: int) -> bytes:
        return self.paths[row].read_bytes()


@dataclass(frozen=True, eq=False)
class Pixels(_Lazy):
    """Pictures that came as numbers, uint8 [n, height, width, 3]; each is a PNG to whoever asks."""

    pixels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pixels)

    def _read(self, row: int) -> bytes:
        return _png(self.pixels[row])


@dataclass(frozen=True, eq=False)
class MatPixels(_Lazy):
    """Pictures in a .mat of v7.3, MATLAB's [height, width, 3, n]: tens of gigabytes, of which one is read at a time."""

    path: Path
    name: str
    rows: int

    @classmethod
    def of(cls, path: Path, *names: str) -> "MatPixels | None":
        """None where the file is of an older form, or holds features under these names."""
        if not files.hdf5(path):
            return None
        import h5py

        with h5py.File(path, "r") as file:
            found = [(name, file[name].shape) for name in names if name in file]
        return next((cls(path, name, shape[0]) for name, shape in found if len(shape) == 4 and shape[1] == 3), None)

    def __len__(self) -> int:
        return self.rows

    def _read(self, row: int) -> bytes:
        if not 0 <= row < self.rows:
            raise IndexError(row)
        import h5py

        with h5py.File(self.path, "r") as file:
            return _png(np.ascontiguousarray(np.asarray(file[self.name][row]).T.astype(np.uint8)))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
