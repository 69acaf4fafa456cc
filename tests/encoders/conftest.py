"""One loaded default encoder for all tests, and pictures drawn on the spot."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from encoders.loading import HashEncoder, load


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> HashEncoder:
    """default-128 on the CPU."""
    return load("default-128", device="cpu", data=tmp_path_factory.mktemp("data"), max_pixels=1_000_000)


@pytest.fixture(scope="session")
def drawings() -> list[bytes]:
    """Eleven PNG files that differ in shape, colour and proportions: more than one chunk of pictures."""
    files = []
    for number in range(11):
        picture = Image.new("RGB", (120 + 30 * number, 200), (255, 20 * number, 255 - 20 * number))
        ImageDraw.Draw(picture).ellipse((10, 10, 60 + 8 * number, 150), fill=(20 * number, 90, 200 - 15 * number))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        files.append(buffer.getvalue())
    return files


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data folder."""
    return tmp_path / "data"
