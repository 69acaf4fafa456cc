"""Pictures are made on the spot, then damaged, inflated and mislabelled."""

import io
import random
import struct
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from encoders import pictures
from encoders.pictures import decode
from mappings.errors import RecordError

SAVABLE = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF")


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def quarters() -> Image.Image:
    """64 x 32: red, green above blue, white."""
    picture = Image.new("RGB", (64, 32), "white")
    picture.paste((255, 0, 0), (0, 0, 32, 16))
    picture.paste((0, 255, 0), (32, 0, 64, 16))
    picture.paste((0, 0, 255), (0, 16, 32, 32))
    return picture


def reason(data: bytes, **options: int) -> str:
    with pytest.raises(RecordError) as caught:
        decode(data, **options)
    return caught.value.reason


def near(left: object, right: tuple[int, ...]) -> bool:
    return isinstance(left, tuple) and all(abs(a - b) <= 12 for a, b in zip(left, right, strict=True))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def resized(png: bytes, side: int) -> bytes:
    """The same PNG with another width and height in its header."""
    head = png[:16] + struct.pack(">II", side, side) + png[24:29]
    return head + struct.pack(">I", zlib.crc32(head[12:])) + png[33:]


@pytest.mark.parametrize("form", SAVABLE)
def test_every_format_gives_the_same_colours(form: str) -> None:
    picture = decode(encoded(quarters(), form))
    assert (picture.mode, picture.size) == ("RGB", (64, 32))
    assert near(picture.getpixel((8, 8)), (255, 0, 0))
    assert near(picture.getpixel((56, 8)), (0, 255, 0))
    assert near(picture.getpixel((8, 24)), (0, 0, 255))
    assert near(picture.getpixel((56, 24)), (255, 255, 255))


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_is_converted(form: str) -> None:
    # Pillow writes CMYK JPEGs inverted with an Adobe marker, as Photoshop does
    picture = decode(encoded(quarters().convert("CMYK"), form))
    assert near(picture.getpixel((8, 8)), (255, 0, 0))
    assert near(picture.getpixel((56, 24)), (255, 255, 255))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled_and_not_clipped(form: str) -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    picture = decode(encoded(Image.fromarray(values), form))
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_16_bit_rgb_png_keeps_its_high_bytes() -> None:
    row = b"\0" + struct.pack(">6H", 65535, 32768, 256, 0, 255, 65535)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert np.asarray(decode(data)).tolist() == [[[255, 128, 1], [0, 0, 255]]]


def test_16_bit_rgb_tiff_keeps_its_high_bytes() -> None:
    tags = {256: 2, 257: 1, 259: 1, 262: 2, 273: 8, 277: 3, 278: 1, 279: 12, 258: 16}
    strip = struct.pack("<6H", 65535, 32768, 256, 0, 255, 65535)
    bits_at = 8 + len(strip)
    directory_at = bits_at + 6
    entries = b"".join(
        struct.pack("<HHII", tag, 3, 3 if tag == 258 else 1, bits_at if tag == 258 else value)
        for tag, value in sorted(tags.items())
    )
    head = b"II*\0" + struct.pack("<I", directory_at)
    data = head + strip + struct.pack("<3H", 16, 16, 16) + struct.pack("<H", len(tags)) + entries + bytes(4)
    assert np.asarray(decode(data)).tolist() == [[[255, 128, 1], [0, 0, 255]]]


def test_16_bit_tiff_that_counts_from_white_is_turned_round() -> None:
    values = np.array([[0, 65535]], dtype=np.uint16)
    deep = encoded(Image.fromarray(values), "TIFF")
    at = deep.index(struct.pack("<HHI", 262, 3, 1)) + 8
    turned = deep[:at] + b"\0" + deep[at + 1 :]
    assert np.asarray(decode(turned))[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 127, 255]),
        (np.array([[0, 1 << 20, 1 << 21]], dtype=np.int32), [0, 127, 255]),
        (np.array([[0, 32768, 65535]], dtype=np.int32), [0, 128, 255]),
        (np.array([[np.nan, np.inf, 1.0]], dtype=np.float32), None),
    ],
)
def test_32_bit_and_float_gray_is_stretched(values: np.ndarray, expected: list[int] | None) -> None:
    picture = np.asarray(decode(encoded(Image.fromarray(values), "TIFF")))[0, :, 0].tolist()
    assert expected is None or picture == expected


def test_alpha_lies_on_white_in_rgba_la_and_palettes() -> None:
    layer = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    layer.putpixel((1, 0), (0, 0, 0, 128))
    for data in (encoded(layer, "PNG"), encoded(layer.convert("LA"), "PNG"), encoded(layer, "TIFF")):
        assert decode(data).getpixel((0, 0)) == (255, 255, 255)
        assert near(decode(data).getpixel((1, 0)), (127, 127, 127))
    palette = Image.new("P", (2, 1))
    palette.putpalette([200, 0, 0, 0, 0, 200])
    palette.putpixel((1, 0), 1)
    for form in ("PNG", "GIF"):
        picture = decode(encoded(palette, form, transparency=0))
        assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 200)]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(form: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    assert near(decode(data).getpixel((8, 8)), (255, 0, 0))


def test_exif_turns_the_picture_upright_and_is_dropped() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    picture = decode(encoded(quarters(), "JPEG", exif=exif, quality=95))
    assert picture.size == (32, 64)
    assert near(picture.getpixel((24, 8)), (255, 0, 0))  # top left went to top right
    assert picture.info == {}


def test_broken_exif_does_not_cost_the_picture() -> None:
    for rubbish in (
        b"Exif\0\0rubbish",
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(200)),
    ):
        assert decode(encoded(quarters(), "JPEG", exif=rubbish)).size == (64, 32)


def test_hint_decodes_a_large_jpeg_smaller_but_never_below() -> None:
    data = encoded(Image.new("RGB", (2000, 1000), "red"), "JPEG")
    assert decode(data, hint=240).size == (500, 250)
    assert decode(data, hint=600).size == (2000, 1000)
    assert decode(encoded(quarters(), "PNG"), hint=4).size == (64, 32)


def test_too_many_pixels_are_refused_from_the_header() -> None:
    data = encoded(Image.new("L", (300, 300)), "PNG")
    assert reason(data, max_pixels=89_999) == "picture-too-large"
    assert decode(data, max_pixels=90_000).size == (300, 300)
    started = time.monotonic()
    assert reason(resized(data, 9_000)) == "picture-too-large"
    gif = encoded(Image.new("L", (8, 8)), "GIF")
    assert reason(gif[:6] + b"\xff\xff\xff\xff" + gif[10:]) == "picture-too-large"  # past Pillow's own limit
    assert time.monotonic() - started < 1


def test_text_that_unpacks_to_gigabytes_is_refused() -> None:
    png = encoded(quarters(), "PNG")
    bombs = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000))) * 200
    assert reason(png[:33] + bombs + png[33:]) == "picture-unreadable"


def test_a_jpeg_of_many_scans_is_refused() -> None:
    data = encoded(Image.new("RGB", (2000, 2000)), "JPEG", progressive=True)
    assert decode(data).size == (2000, 2000)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert reason(data[:-2] + scan * 600 + data[-2:]) == "picture-too-large"


def test_many_frames_and_directories_cost_nothing() -> None:
    frames = [Image.new("L", (200, 200), shade) for shade in range(200)]
    for form in ("GIF", "TIFF"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        started = time.monotonic()
        assert decode(data).size == (200, 200)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
        b"<html><body>404</body></html>",
        b"\0" * 1000,
        b"P6 2 2 255 " + bytes(12),
        b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = {0};",
    ],
    ids=["empty", "pdf", "eps", "html", "zeros", "ppm", "xbm"],
)
def test_what_is_no_picture_is_unreadable(data: bytes) -> None:
    assert reason(data) == "picture-unreadable"


@pytest.mark.parametrize("form", SAVABLE)
def test_a_truncated_picture_is_refused(form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, form)
    for share in (0.25, 0.5, 0.75, 0.95):
        assert reason(data[: int(len(data) * share)]) == "picture-unreadable"


@pytest.mark.parametrize("form", SAVABLE)
def test_damage_never_raises_anything_else(form: str) -> None:
    seeded = random.Random(form)
    frames = [quarters().resize((40, 40)), quarters().resize((40, 40)).rotate(90)]
    whole = encoded(frames[0], form)
    moving = encoded(frames[0], form, save_all=True, append_images=frames[1:]) if form not in ("BMP", "JPEG") else whole
    started = time.monotonic()
    for turn in range(150):
        data = bytearray(moving if turn % 2 else whole)
        for _ in range(seeded.randint(1, 8)):
            data[seeded.randrange(min(len(data), 64 if turn % 3 else 1 << 20))] ^= 1 << seeded.randrange(8)
        if turn % 5 == 0:
            del data[seeded.randrange(len(data)) :]
        try:
            assert decode(bytes(data), max_pixels=1_000_000).mode == "RGB"
        except RecordError as error:
            assert error.reason in ("picture-unreadable", "picture-too-large")  # noqa: PT017 (both ends are right)
    assert time.monotonic() - started < 20


def test_warnings_of_pillow_stay_inside() -> None:
    png = encoded(Image.new("L", (300, 300)), "PNG")
    bomb = resized(png, 10_000)  # Pillow warns past 89 million pixels
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with Image.open(io.BytesIO(bomb)):
            pass
        assert len(seen) == 1
        assert reason(bomb) == "picture-too-large"
    assert len(seen) == 1


def test_threads_decode_side_by_side() -> None:
    files = [encoded(quarters().rotate(90 * turn), form) for turn in range(4) for form in SAVABLE]
    with ThreadPoolExecutor(4) as threads:
        parallel = list(threads.map(decode, files * 3))
    assert [p.tobytes() for p in parallel] == [decode(data).tobytes() for data in files * 3]
    assert threading.active_count() < 20


def test_the_error_says_what_to_do() -> None:
    with pytest.raises(RecordError, match=r"the picture has 64 x 32 pixels; at most 5 are decoded"):
        decode(encoded(quarters(), "PNG"), max_pixels=5)


def test_the_global_limit_of_pillow_is_untouched() -> None:
    assert Image.MAX_IMAGE_PIXELS == 89_478_485
    assert pictures.FORMATS == SAVABLE
