"""Pictures of the demo: a drawing on white, and a book's cover with a coloured ground, a drawing, title and author."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from unicodedata import combining, normalize
from xml.sax.saxutils import escape

import resvg_py
from PIL import ImageFont

SIDE = 256
WIDTH, HEIGHT = 256, 340
GROUNDS = ("#f4d9a8", "#bfd8c2", "#c3d6ea", "#eec7bd", "#dccbe6", "#e6e2b4", "#cfe3e2", "#f0cfdc", "#d8d2c4", "#c9dfb0")
_TITLE, _AUTHOR = 22, 15


def drawing(svg: str) -> bytes:
    """A drawing as PNG, SIDE pixels wide and high, on white."""
    return bytes(
        resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE, background="#ffffff", skip_system_fonts=True)
    )


def cover(svg: str, title: str, author: str) -> bytes:
    """A cover as PNG, WIDTH x HEIGHT pixels; the same bytes on every machine, as no font of the system is used."""
    digest = hashlib.sha256(f"{title}|{author}".encode()).digest()
    image = _placed(svg, left=28, top=88, side=200)
    with _font_file() as fonts:
        words = "".join((*_lines(title, _TITLE, 36), *_lines(author, _AUTHOR, HEIGHT - 22))) if fonts else ""
        ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{GROUNDS[digest[0] % len(GROUNDS)]}"/>'
        inner = f'x="7" y="7" width="{WIDTH - 14}" height="{HEIGHT - 14}"'
        edge = f'<rect {inner} fill="none" stroke="#333" stroke-width="2"/>'
        opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        page = f"{opening}{ground}{edge}{image}{words}</svg>"
        return bytes(resvg_py.svg_to_bytes(svg_string=page, skip_system_fonts=True, font_files=fonts))


def _placed(svg: str, *, left: int, top: int, side: int) -> str:
    """The drawing as an inner element of a larger one."""
    opening = f'<svg x="{left}" y="{top}" width="{side}" height="{side}" '
    return opening + svg[svg.index("<svg ") + len("<svg ") :]


def _lines(text: str, size: int, top: int) -> Iterator[str]:
    """Centred lines of text, at most three."""
    for number, line in enumerate(_wrapped(text, size)[:3]):
        place = f'x="{WIDTH / 2}" y="{top + number * size * 1.15:g}" text-anchor="middle" font-size="{size}"'
        yield f'<text {place} font-family="{_font().getname()[0]}" fill="#222">{escape(line)}</text>'


def _wrapped(text: str, size: int) -> list[str]:
    """Words put into lines that fit the cover. The font knows no accents: they are left off."""
    plain = "".join(sign for sign in normalize("NFKD", text) if not combining(sign))
    lines = [""]
    for word in plain.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _font().getlength(longer) * size / _font().size > WIDTH - 32:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The font that Pillow carries, Aileron Regular. Raises OSError where Pillow was built without FreeType."""
    font = ImageFont.load_default(20)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise OSError("Pillow has no FreeType")
    return font


@contextmanager
def _font_file() -> Iterator[list[str]]:
    """Path of the font as a file, as resvg wants it; none where there is no font, and covers then carry no words."""
    try:
        held = _font().path
    except OSError:
        yield []
        return
    if not isinstance(held, BytesIO):
        yield [str(held)]
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cover.ttf"
        file.write_bytes(held.getvalue())
        yield [str(file)]
