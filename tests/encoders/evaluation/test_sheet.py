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


CODES = np.array([[0], [255], [1], [3], [7], [127]], dtype=np.uint8).repeat(2, axis=1)


def made() -> DataSet:
    labels = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]], dtype=bool)
    captions = ["кошка", "a $dog$", *"cdef"]
    pairs = Pairs("p", labels=labels, pictures=[colour(number) for number in range(6)], captions=captions)
    return DataSet(pairs, Split(np.array([0, 1]), np.arange(2, 6), np.arange(2, 6)))


def middles(file: Path) -> list[list[int]]:
    """How red the middle of each cell is: ten times the number of its picture."""
    with Image.open(file) as drawn:
        pixels = np.asarray(drawn.convert("RGB"))
    inside = sheet.CELL // 2
    return pixels[sheet.HEAD + inside :: sheet.CELL, inside :: sheet.CELL, 0][:, :5].tolist()


def test_learned_codes_are_searched(tmp_path: Path) -> None:
    """They are in turned order: query 0, a text, is nearest to the code that training gave picture 5."""
    files = sheet.write(tmp_path, made(), Coded(16, CODES, CODES, 0.0, 0.0), CODES[[5, 4, 3, 2]])
    assert [file.name for file in files] == ["sheet-image-text.png", "sheet-text-image.png"]
    assert [row[1:] for row in middles(files[1])] == [[50, 40, 30, 20], [20, 30, 40, 50]]


@pytest.mark.parametrize("cells", [1, 1 << 21])
def test_frames_tell_what_is_relevant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr(counts, "CELLS", cells)
    files = sheet.write(tmp_path, made(), Coded(16, CODES, CODES, 0.0, 0.0))
    assert [file.name for file in files] == [
        f"sheet-{name}.png" for name in ("image-text", "text-image", "image-image")
    ]
    with Image.open(files[2]) as drawn:
        pixels = np.asarray(drawn.convert("RGB"))
    frames = pixels[sheet.HEAD + 1 :: sheet.CELL, 1 :: sheet.CELL]
    green, red, black, white = [0, 128, 0], [255, 0, 0], [0, 0, 0], [255, 255, 255]
    # query 0 is nearest to 2, 3, 4, 5, query 1 to 5, 4, 3, 2; there is no fifth hit
    assert frames[0, :6].tolist() == [black, green, red, green, red, white]
    assert frames[1, :6].tolist() == [black, green, red, green, red, white]
    assert middles(files[2]) == [[0, 20, 30, 40, 50], [10, 50, 40, 30, 20]]
