"""Figures by language: Tux Paint's pictures, which people have described in many, and names that a fit had not seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from encoders.heads import RidgeConseHead
from encoders.polyglot import Languages
from encoders.towers import Floats
from encoders.training.evaluation import (
    ASYMMETRIC,
    Doubles,
    Figure,
    Task,
    apart_bits,
    apart_floats,
    apart_weighted,
    hits,
    measure,
)
from encoders.training.features import Collection
from encoders.training.languages import ENGLISH, LEARNT, Named, Readers, Texts, left_out, routed

BITS = 128
LENGTHS = (128, 256)
OURS, ALONE = "ours", "English tower alone"
MEASURED = {
    "en": "English",
    "fr": "French",
    "de": "German",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "pl": "Polish",
    "sv": "Swedish",
    "fi": "Finnish",
    "ru": "Russian",
    "uk": "Ukrainian",
    "ja": "Japanese",
    "zh_CN": "Chinese",
    "ko": "Korean",
    "hi": "Hindi",
    "vi": "Vietnamese",
    "th": "Thai",
    "nl": "Dutch",
    "el": "Greek",
    "tr": "Turkish",
    "ar": "Arabic",
}


@dataclass(frozen=True)
class Reading:
    """How texts of one language were read: the share that the gate sent on, and figures as `Figure` has them."""

    language: str
    learnt: bool
    texts: int
    sent: float
    figures: Sequence[Figure]


def on_pictures(
    test: Collection,
    texts: Texts,
    readers: Readers,
    languages: Languages,
    heads: Mapping[int, RidgeConseHead],
) -> Iterator[Reading]:
    """Each language's texts looking for their pictures, and for the English texts of these (`test.caption`)."""
    for code, name in MEASURED.items():
        rows = [row for row, sample in enumerate(test.samples) if sample.key in texts[code]]
        part = test.take(rows)
        own, other = readers.read([texts[code][sample.key] for sample in part.samples])
        read, sent = routed(languages, own, other)
        figures = [
            figure
            for method, caption in ((OURS, read), (ALONE, own))
            for task in _tasks(part, pictures_only=code == ENGLISH)
            for figure in _measured(task, replace(part, caption=caption, words=part.caption), heads, method, name)
        ]
        yield Reading(name, code.partition("_")[0] in LEARNT, len(rows), round(float(sent.mean()), 4), figures)


def on_names(given: Named, head: RidgeConseHead) -> Iterator[Reading]:
    """Names of things looking for the English names, each read by a fit that saw nothing of its sub-group."""
    meant = given.names[ENGLISH][0]
    rows = np.arange(len(meant))
    task = Task("openmoji", "caption", "words", np.eye(len(rows), dtype=bool), "pair", rows, rows, False)
    for code, (read, sent) in left_out(given).items():
        name = MEASURED["zh_CN" if code == "zh" else code]
        figures = []
        for method, features in ((OURS, read), (ALONE, given.names[code][0])):
            floats = hits(_apart(head, features, meant), task.relevant)
            figures.append(measure(task, floats, method=method, form="float"))
        yield Reading(name, True, len(rows), round(float(sent.mean()), 4), figures)


def _apart(head: RidgeConseHead, asked: Floats, stored: Floats) -> Doubles:
    return 1 - (head.text(asked) @ head.text(stored).T).astype(np.float64)


def _tasks(part: Collection, *, pictures_only: bool) -> list[Task]:
    rows = np.arange(len(part.samples))
    paired = np.eye(len(rows), dtype=bool)
    stored = ("image",) if pictures_only else ("image", "words")
    return [Task(part.samples[0].source, "caption", side, paired, "pair", rows, rows, False) for side in stored]


def _measured(
    task: Task, collection: Collection, heads: Mapping[int, RidgeConseHead], method: str, language: str
) -> Iterator[Figure]:
    floats = hits(apart_floats(task, heads[BITS], collection), task.relevant)
    yield replace(measure(task, floats, method=method, form="float"), language=language)
    for kind, apart in (("", apart_bits), (ASYMMETRIC, apart_weighted)):
        for bits in LENGTHS:
            found = hits(apart(task, heads[bits], collection), task.relevant)
            yield replace(measure(task, found, method=method, form=f"{bits}{kind}"), language=language)
