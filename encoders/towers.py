"""What a tower is: one modality's pretrained network, from untrusted input to float features. Needs no torch itself."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class PictureTower(Protocol):
    """Pictures to features."""

    width: int  # of a feature vector
    side: int  # pixels of the square that it sees
    chunk: int  # pictures in one pass; a device with variable kernels always gets this many

    def prepare(self, picture: Image.Image) -> Pixels:
        """An RGB picture of any size -> uint8 [height, width, 3] as the network takes it; runs in decoding threads."""
        ...

    def features(self, pictures: Pixels) -> Floats:
        """Prepared pictures uint8 [n, height, width, 3] -> float32 [n, width]."""
        ...


class TextTower(Protocol):
    """Texts to features."""

    width: int  # of a feature vector

    def features(self, texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """n texts -> float32 [n, width] and which of them hold any word at all (the others' rows are zero)."""
        ...
