"""Contact sheets: which cell is framed how, however many chunks the queries come in."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.data.api import DataSet, Pairs, Split
from encoders.evaluation import counts, sheet
from encoders.evaluation.coding import Coded


def colour(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 300), (10 * number, 0, 200)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("cells", [1, 1 << 21])
def test_frames_tell_what_is_relevant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr(counts, "CELLS", cells)
    codes = np.array([[0], [255], [1], [3], [7], [127]], dtype=np.uint8).repeat(2, axis=1)
    labels = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]], dtype=bool)
    captions = ["кошка", "a $dog$", *"cdef"]
    pairs = Pairs("p", labels=labels, pictures=[colour(number) for number in range(6)], captions=captions)
    dataset = DataSet(pairs, Split(np.array([0, 1]), np.arange(2, 6), np.arange(2, 6)))
    files = sheet.write(tmp_path, dataset, Coded(16, codes, codes, 0.0, 0.0))
    assert [file.name for file in files] == [
        f"sheet-{name}.png" for name in ("image-text", "text-image", "image-image")
    ]
    with Image.open(files[2]) as drawn:
        pixels = np.asarray(drawn.convert("RGB"))
    frames, inside = pixels[sheet.HEAD + 1 :: sheet.CELL, 1 :: sheet.CELL], sheet.CELL // 2
    green, red, black, white = [0, 128, 0], [255, 0, 0], [0, 0, 0], [255, 255, 255]
    # query 0 is nearest to 2, 3, 4, 5, query 1 to 5, 4, 3, 2; there is no fifth hit
    assert frames[0, :6].tolist() == [black, green, red, green, red, white]
    assert frames[1, :6].tolist() == [black, green, red, green, red, white]
    middle = pixels[sheet.HEAD + inside :: sheet.CELL, inside :: sheet.CELL, 0]
    assert middle[:, :5].tolist() == [[0, 20, 30, 40, 50], [10, 50, 40, 30, 20]]
