"""SVG that reads files, explodes, hangs or kills resvg: the worker sees a RecordError, in time."""

import gzip
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from encoders import svg
from encoders.pictures import decode
from mappings.errors import RecordError

NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def drawing(inside: str, size: str = 'width="100" height="100"') -> bytes:
    return f"<svg {NAMESPACES} {size}>{inside}</svg>".encode()


RED = '<rect width="100" height="100" fill="red"/>'


@pytest.fixture(autouse=True)
def _renderers() -> Iterator[None]:
    svg._renderers.close()
    yield
    svg._renderers.close()


def reason(data: bytes) -> str:
    with pytest.raises(RecordError) as caught:
        decode(data)
    return caught.value.reason


@pytest.mark.parametrize(
    "data",
    [
        drawing(RED),
        b"\xef\xbb\xbf" + drawing(RED),
        b'\n <?xml version="1.0" encoding="ISO-8859-1"?>\n<!-- \xe9 -->' + drawing(RED),
        drawing(RED).decode().encode("utf-16"),
        gzip.compress(drawing(RED)),
        b"<?xml version='1.0'?><!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://www.w3.org/x.dtd'>"
        + drawing(RED),
    ],
    ids=["plain", "bom", "latin-1", "utf-16", "svgz", "doctype"],
)
def test_a_drawing_is_rendered(data: bytes) -> None:
    picture = decode(data)
    assert (picture.mode, picture.size, picture.getpixel((256, 256))) == ("RGB", (512, 512), (255, 0, 0))


def test_what_is_not_drawn_is_white() -> None:
    assert decode(drawing("")).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ('width="200" height="100"', (512, 256)),
        ('width="1" height="1000000"', (1, 512)),
        ('width="1000000000" height="1000000000"', (512, 512)),
        ('viewBox="0 0 10 20"', (256, 512)),
    ],
)
def test_the_longer_side_is_bounded(size: str, expected: tuple[int, int]) -> None:
    assert decode(drawing(RED, size)).size == expected


def test_no_file_is_read_and_no_device_or_pipe_opened(tmp_path: Path) -> None:
    Image.new("RGB", (50, 50), "red").save(tmp_path / "red.png")
    (tmp_path / "red.svg").write_bytes(drawing(RED))
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    for target in (
        tmp_path / "red.png",
        tmp_path / "red.svg",
        tmp_path / "pipe",
        "/dev/zero",
        f"file://{tmp_path}/red.png",
    ):
        for inside in (
            f'<image href="{target}" width="100" height="100"/>',
            f'<use xlink:href="{target}#a" width="100" height="100"/>',
            f'<filter id="f"><feImage href="{target}"/></filter><rect width="100" height="100" filter="url(#f)"/>',
        ):
            assert (255, 0, 0) not in [colour for _, colour in decode(drawing(inside)).getcolors(1 << 20) or []]
    assert time.monotonic() - started < 10


def test_the_file_reference_would_be_followed_without_confinement(tmp_path: Path) -> None:
    """Why the process exists; should resvg change this, the process may be lighter."""
    import resvg_py

    Image.new("RGB", (50, 50), "red").save(tmp_path / "red.png")
    inside = f'<image href="{tmp_path / "red.png"}" width="100" height="100"/>'
    (tmp_path / "out.png").write_bytes(
        resvg_py.svg_to_bytes(svg_string=drawing(inside).decode(), skip_system_fonts=True)
    )
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.getpixel((50, 50)) == (255, 0, 0, 255)


def test_embedded_pictures_are_drawn(tmp_path: Path) -> None:
    import base64

    Image.new("RGB", (50, 50), "red").save(tmp_path / "red.png")
    packed = base64.b64encode((tmp_path / "red.png").read_bytes()).decode()
    picture = decode(drawing(f'<image href="data:image/png;base64,{packed}" width="100" height="100"/>'))
    assert picture.getpixel((256, 256)) == (255, 0, 0)


def laughs() -> bytes:
    entities = "".join(f'<!ENTITY e{i + 1} "' + f"&e{i};" * 10 + '">' for i in range(9))
    return f'<!DOCTYPE svg [<!ENTITY e0 "<g/>">{entities}]>'.encode() + drawing("&e9;")


def uses() -> bytes:
    groups = "".join(f'<g id="a{i + 1}">' + f'<use xlink:href="#a{i}"/>' * 10 + "</g>" for i in range(9))
    return drawing(f'<defs><g id="a0"><rect width="1" height="1"/></g>{groups}</defs><use xlink:href="#a9"/>')


@pytest.mark.parametrize(
    "data",
    [
        laughs(),
        uses(),
        b'<!DOCTYPE svg [<!ENTITY a SYSTEM "/etc/passwd">]>' + drawing("<text>&a;</text>"),
        drawing("<g>" * 100_000 + "</g>" * 100_000),
        drawing("<g opacity='.5'>" * 900 + RED + "</g>" * 900),
        drawing(RED)[:-8],
        drawing(RED, 'width="0" height="0"'),
        b"<html>" + drawing(RED) + b"</html>",
        gzip.compress(drawing(RED))[:-9],
        b"\x1f\x8brubbish",
    ],
    ids=["laughs", "uses", "external", "deep", "stack", "cut", "zero", "html", "cut-svgz", "no-gzip"],
)
def test_what_cannot_be_drawn_is_unreadable_at_once(data: bytes) -> None:
    started = time.monotonic()
    assert reason(data) == "picture-unreadable"
    assert time.monotonic() - started < 5
    assert decode(drawing(RED)).getpixel((9, 9)) == (255, 0, 0)  # and the next drawing goes through


def test_a_gzip_bomb_is_too_large() -> None:
    assert reason(gzip.compress(b"<svg>" + bytes(svg.MAX_TEXT + 1))) == "picture-too-large"


def test_a_drawing_without_end_is_killed_by_its_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "SECONDS", 1)
    slow = drawing(
        '<filter id="f"><feMorphology radius="1000"/></filter><rect width="100" height="100" filter="url(#f)"/>'
    )
    assert reason(slow) == "picture-timeout"
    assert decode(drawing(RED)).size == (512, 512)


def test_a_renderer_that_stands_still_is_killed_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "WALL_SECONDS", 0.3)
    svg._renderers._idle.append(subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    assert reason(drawing(RED)) == "picture-timeout"


def test_threads_draw_side_by_side_and_processes_are_kept() -> None:
    colours = ["red", "lime", "blue", "black"] * 8
    with ThreadPoolExecutor(3) as threads:
        drawn = list(threads.map(decode, [drawing(RED.replace("red", colour)) for colour in colours]))
    expected = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}
    assert [picture.getpixel((0, 0)) for picture in drawn] == [expected[colour] for colour in colours]
    assert 1 <= len(svg._renderers._idle) <= 3
