"""A default bundle as it ships: what `model.json` says of it, and its tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders import bundle
from encoders.api import PARTS
from encoders.bundle import Bundle, ImageModel, Model, Tensors, TextModel
from encoders.heads import RidgeConseHead
from encoders.lite0 import SIDE
from encoders.polyglot import Languages
from encoders.training import languages
from encoders.training.calibration import tables
from encoders.training.evaluation import Figure
from encoders.training.features import Collection, Extractor
from encoders.training.fit import Recipe
from encoders.training.languages import LEARNT, Named, Readers
from mappings.code import pack_signs

MAX_TOKENS = 256
PREFIX = "query: "  # multilingual-e5-small asks for it where texts are alike on both sides
LICENCES = {
    "openclipart": ("public domain", "Debian openclipart 0.18"),
    "openmoji": ("CC BY-SA 4.0", "OpenMoji, openmoji.org"),
    "standard_ebooks": ("CC0, art public domain in the US", "standardebooks.org"),
}


def calibration(head: RidgeConseHead, parts: Sequence[Collection], bits: int) -> dict[str, list[float]]:
    """Tables from items that the head never saw. A text query is a caption, a record's text has the other words too."""
    image = head.image(np.concatenate([part.picture for part in parts]))
    asked, stored = (head.text(np.concatenate(rows)) for rows in ([p.caption for p in parts], [p.whole for p in parts]))
    shared = {
        "image": pack_signs(head.relax_image(image)),
        "record": pack_signs(head.relax_record(stored, image)),
    }
    return tables(
        {"text": pack_signs(head.relax_text(asked)), **shared},
        {"text": pack_signs(head.relax_text(stored)), **shared},
        bits,
    )


def tensors(head: RidgeConseHead) -> dict[str, NDArray[np.floating]]:
    """What is shipped: float16, which `fit_head` has rounded the large ones to; means and thresholds stay exact."""
    large = ("ridge", "classes", "projection")
    return {name: array.astype(np.float16) if name in large else array for name, array in vars(head).items()}


def written(out: Path, model: Model, head: RidgeConseHead, fitted: Languages) -> Bundle:
    """The bundle of a head and of what reads other languages, in its folder under `out`."""
    read: Tensors = {"gate": fitted.gate, "bridge": fitted.bridge.astype(np.float16)}
    return bundle.write(out / model.name, model, tensors(head), languages=read)


def origins(learnt: Mapping[str, Collection], named: Named) -> list[dict[str, object]]:
    """What the bundles tell of their sources."""
    words, names = len(named.words[0]), len(named.kind)
    return [
        *(_origin(name, len(collection.samples)) for name, collection in learnt.items()),
        {
            "source": f"names in {len(LEARNT)} languages",
            "items": names,
            "licence": "MIT, Unicode",
            "origin": "of OpenMoji's pictures, from Unicode CLDR",
            "without": "those of the demo's pictures",
        },
        {
            "source": "names of ImageNet-21k's things",
            "items": words,
            "licence": "WordNet 3.0",
            "origin": "from the package timm",
            "without": "",
        },
    ]


def _origin(name: str, items: int) -> dict[str, object]:
    licence, origin = LICENCES[name]
    without = "the demo's pictures, their near-duplicates and namesakes" if name == "openmoji" else ""
    return {"source": name, "items": items, "licence": licence, "origin": origin, "without": without}


def described(
    extractor: Extractor,
    both: Readers,
    calibrated: dict[str, list[float]],
    trained_on: list[dict[str, object]],
    figures: list[Figure],
    *,
    recipe: Recipe,
    bits: int,
) -> Model:
    """`model.json` of the bundle of this length; of the figures its own and those of the floats."""
    (text, image), other = extractor.weights, both.weights[1]
    own = [figure.document() for figure in figures if figure.form.split()[0] in ("float", str(bits))]
    return Model(
        schema=bundle.SCHEMA,
        method="ridge-conse-itq",
        name=f"default-{bits}",
        bits=bits,
        parts=list(PARTS),
        text=TextModel(text.package, text.version, text.sha256, pooling="mean", prefix="", max_tokens=MAX_TOKENS),
        image=ImageModel(image.package, image.version, image.sha256, resize=SIDE, crop="none", background="white"),
        head={
            **asdict(recipe),
            "class_names": "timm ImageNetInfo, detailed descriptions",
            "languages": asdict(languages.RECIPE),
        },
        calibration=calibrated,
        permutation=None,
        trained_on=trained_on,
        licence="CC-BY-SA-4.0",  # as OpenMoji's, from which the weights are partly learnt
        results=own,
        multilingual=TextModel(
            other.package, other.version, other.sha256, pooling="mean", prefix=PREFIX, max_tokens=MAX_TOKENS
        ),
    )
