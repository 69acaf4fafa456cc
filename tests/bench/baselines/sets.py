"""The labelled sets that the methods are compared on, each with its splits: Wiki's features, and pictures with words.

Of the latter the pictures are lite0's 1,280 pooled activations and the words MiniLM's 384, both kept by content. Near-
duplicates (difference hash within 2 bits) and equal words are on one side of every split. What names the label is never
text: of OpenMoji just the names are read, of openclipart titles and descriptions, not keywords.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from encoders.data import named
from encoders.data.api import DataSet, Pairs, Rows, Split
from encoders.data.published import drawn
from encoders.lite0 import POOLED
from encoders.training.default import towers
from encoders.training.duplicates import together
from encoders.training.features import Collection
from encoders.training.sources import Sample, plain

QUERIES = 500  # a figure has this many at least
FOLDS = 5  # of a set that is too small for it: each pair asks once

Folds = list[DataSet]


@dataclass(frozen=True)
class Set:
    """A labelled set: what its pairs are, how they are split, and the splits of a seed."""

    name: str
    about: str
    split: str
    folds: Callable[[int], Folds]


def opened(name: str, data: Path) -> Set:
    """The set `name`, read from its folder under `data`; features are extracted where they are not kept yet."""
    if name == "wiki":
        dataset = named("wiki", data / "wiki")
        about = "Wikipedia's featured articles: pictures as 128 SIFT words, texts as 10 topics; 10 labels"
        return Set(name, about, "the split is the published one", lambda _: [dataset])
    about, read, one_each = SETS[name]
    collection = towers().collect([sample for sample in read(data / FOLDERS.get(name, name)) if sample.caption])
    collection = collection.distinct() if one_each else collection
    pairs, groups = paired(name, collection)
    told = f"{len(pairs)} {about}; {np.asarray(pairs.labels).shape[1]} labels"
    if len(pairs) < 2 * QUERIES:
        split = (
            f"the set is too small for {QUERIES} queries beside what is learnt from: by each seed its groups of "
            f"near-duplicates are dealt into {FOLDS} parts, each asks the others, and figures are means over all"
        )
        return Set(name, told, split, lambda seed: crossed(pairs, groups, seed))
    split = f"each seed draws at least {QUERIES} queries, whole groups of near-duplicates"
    return Set(name, told, split, lambda seed: [DataSet(pairs, drawn(pairs, QUERIES, None, seed=seed, groups=groups))])


def paired(name: str, collection: Collection) -> tuple[Pairs, Rows]:
    """Features and labels, and which pairs belong together: near-duplicates, and equal words."""
    labels = np.array([sample.label for sample in collection.samples])
    words = np.unique([sample.caption.lower() for sample in collection.samples], return_inverse=True)[1]
    pairs = Pairs(
        name,
        np.ascontiguousarray(collection.picture[:, :POOLED]),
        collection.caption,
        labels[:, None] == np.unique(labels),
    )
    return pairs, together(collection.group, words)


def crossed(pairs: Pairs, groups: Rows, seed: int) -> Folds:
    """Groups in random order, dealt into `FOLDS` parts of about the same number of pairs; each asks all the others."""
    kinds, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(kinds))
    part = np.empty(len(kinds), dtype=np.int64)
    part[order] = (np.cumsum(sizes[order]) - 1) * FOLDS // len(pairs)
    rows = np.arange(len(pairs))
    splits = ((rows[part[which] == fold], rows[part[which] != fold]) for fold in range(FOLDS))
    return [DataSet(pairs, Split(query, others, others, seed)) for query, others in splits]


def tuxpaint(folder: Path) -> Iterator[Sample]:
    """Without `symbols`, letters and digits for the most part; the label is the top folder."""
    for row in manifest(folder):
        top, text = str(row["labels"][0]), str(row["text"].get("en", ""))
        if top != "symbols":
            yield Sample("tuxpaint", str(row["id"]), folder / str(row["image"]), text, "", top)


def openmoji(folder: Path) -> Iterator[Sample]:
    """Without flags and signs, and without drawings that Unicode does not have; the label is Unicode's group."""
    for row in manifest(folder):
        group, text = str(row["group"]), str(row["text"].get("en", ""))
        if group not in ("flags", "symbols", "component", "extras-openmoji", "extras-unicode"):
            yield Sample("openmoji", str(row["id"]), folder / str(row["image"]), text, "", group)


def openclipart(folder: Path) -> Iterator[Sample]:
    """The first of each title, without categories that say nothing of what is shown; the label is the top category."""
    seen = set()
    for row in manifest(folder):
        top, title, description = str(row["category"][0]), plain(str(row["title"])), plain(str(row["description"]))
        meaningless = top in ("signs_and_symbols", "shapes", "special", "unsorted", "logos", "buttons")
        if not meaningless and title.lower() not in seen:
            seen.add(title.lower())
            text = title if not description or description == title else f"{title}. {description}"
            yield Sample("openclipart", str(row["id"]), folder / str(row["image"]), text, "", top)


def manifest(folder: Path) -> list[dict[str, Any]]:
    """A collection's list."""
    rows: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return rows


FOLDERS = {"tuxpaint": "tuxpaint_stamps"}
SETS: dict[str, tuple[str, Callable[[Path], Iterator[Sample]], bool]] = {
    "tuxpaint": ("Tux Paint stamps with their descriptions", tuxpaint, False),
    "openmoji": ("OpenMoji drawings with their names", openmoji, False),
    "openclipart": (
        "openclipart drawings with title and description, one of each title and near-duplicate",
        openclipart,
        True,
    ),
}
NAMES = ("wiki", *SETS)
