"""The collections that encoders are trained on and measured with, as one kind of sample; nothing is copied."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from mappings.errors import RequestError


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture with words. `caption` is what a person would type, `words` says the same in other words (or is "").

    `label` groups pictures of one kind ("" where the source has none); `key` is unique within the source.
    """

    source: str
    key: str
    picture: Path
    caption: str
    words: str
    label: str


def read(name: str, data: Path) -> list[Sample]:
    """All samples of a source under `data`. Raises RequestError where it is unknown or not there."""
    if name not in _READERS:
        raise RequestError(f"no source {name!r}; there are: {', '.join(_READERS)}")
    folder = data / name
    if not folder.is_dir():
        raise RequestError(
            f"source {name} expects its pictures and manifest in {folder}; give their parent with --data"
        )
    return [sample for sample in _READERS[name](folder) if sample.picture.is_file() and sample.caption]


def translations(name: str, data: Path) -> dict[str, dict[str, str]]:
    """What people wrote of a source's pictures, by language and sample key; openmoji and tuxpaint_stamps have them."""
    found: dict[str, dict[str, str]] = {}
    for row in _manifest(data / name / "manifest.json"):
        texts = row["text"]
        if not isinstance(texts, dict):
            continue
        for language, text in texts.items():
            if text:
                found.setdefault(str(language), {})[str(row["id"])] = str(text)
    return found


def _manifest(path: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


_NUMBERING = re.compile(r"[#_]|\b\d+\b|\bclip ?art\b|\bby [A-Z].*$|\S+@\S+|hash\(\S+\)", re.IGNORECASE)


def plain(text: str) -> str:
    """A title as a person would type it: no file numbering, no addresses, no markup, one space between words."""
    return " ".join(_NUMBERING.sub(" ", unescape(re.sub(r"<[^>]+>", " ", text))).split())


def _strings(value: object) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _openclipart(folder: Path) -> Iterator[Sample]:
    """Title is the caption; description and keywords are the other words, without those that name the category."""
    for row in _manifest(folder / "manifest.json"):
        category = _strings(row["category"])
        named = {word.rstrip("s").lower() for path in category for word in path.split("_")}
        keywords = [word for word in _strings(row["keywords"]) if plain(word) and word.rstrip("s").lower() not in named]
        title, description = plain(str(row["title"])), plain(str(row["description"]))
        words = ", ".join([*([description] if description and description != title else []), *map(plain, keywords)])
        yield Sample("openclipart", str(row["id"]), folder / str(row["image"]), title, words, "/".join(category))


def _openmoji(folder: Path) -> Iterator[Sample]:
    """The English name is the caption, the tags are the other words, the sub-group is the label."""
    for row in _manifest(folder / "manifest.json"):
        names = row["text"]
        name = str(names.get("en", "")) if isinstance(names, dict) else ""
        tags = ", ".join(dict.fromkeys(_strings(row["tags"])))
        yield Sample("openmoji", str(row["id"]), folder / str(row["image"]), name, tags, str(row["subgroup"]))


def _standard_ebooks(folder: Path) -> Iterator[Sample]:
    """Illustrations with the descriptions people wrote (label: the tale); covers' paintings with title and subjects."""
    for row in _manifest(folder / "illustrations.json"):
        tale = Path(str(row["chapter"])).stem
        picture = folder / str(row["image"])
        yield Sample("standard_ebooks", picture.stem, picture, plain(str(row["alt"])), "", tale)
    for row in _manifest(folder / "books.json"):
        if "source" not in row:  # a few covers are not made from a painting
            continue
        subjects = "; ".join([*_strings(row["lcsh"]), *_strings(row["se_subject"])])
        words = ". ".join(part for part in (subjects, plain(str(row["description"]))) if part)
        yield Sample("standard_ebooks", str(row["id"]), folder / str(row["source"]), str(row["title"]), words, "")


def _tuxpaint_stamps(folder: Path) -> Iterator[Sample]:
    """The English description is the caption; the folder is the label. For evaluation only (GPL-2)."""
    for row in _manifest(folder / "manifest.json"):
        texts = row["text"]
        caption = str(texts.get("en", "")) if isinstance(texts, dict) else ""
        label = "/".join(_strings(row["labels"]))
        yield Sample("tuxpaint_stamps", str(row["id"]), folder / str(row["image"]), caption, "", label)


_READERS: dict[str, Callable[[Path], Iterator[Sample]]] = {
    "openclipart": _openclipart,
    "openmoji": _openmoji,
    "standard_ebooks": _standard_ebooks,
    "tuxpaint_stamps": _tuxpaint_stamps,
}
