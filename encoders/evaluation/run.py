"""Measure encoders on a data set: bundles and saved methods by their reference, over raw pairs or features."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from encoders import catalogue
from encoders.bundle import MODEL, Bundle
from encoders.data.api import DataSet
from encoders.data.extraction import Extracted, extracted
from encoders.evaluation import Stored, Ties, plots, results, sheet
from encoders.evaluation.coding import Coded, Coder, HeadCoder, coded
from encoders.evaluation.counts import Codes
from encoders.evaluation.protocol import measured
from encoders.evaluation.results import Document, Measured, Rates
from encoders.loading import bundle_head
from encoders.methods import keeping
from mappings.errors import DataError, RequestError


@dataclass(frozen=True, eq=False)
class Encoded:
    """What one encoder made of the data set, with what is told about it."""

    measured: Measured
    codes: Coded
    training_codes: Codes | None  # where these were searched


@dataclass(frozen=True, eq=False)
class Ready:
    """An encoder that was found and proven, before anything is encoded."""

    coder: Coder
    name: str
    method: str
    digest: str
    bundle: Bundle | None  # with its backbones; None: a method on features that come with the set
    training_codes: Codes | None


def run(
    references: Sequence[str], dataset: DataSet, *, data: Path, device: str, ties: Ties, stored: Stored
) -> list[Encoded]:
    """Encode and measure with each bundle or saved method in turn.

    Raises UnknownEncoderError, BundleError, RequestError, DataError.
    """
    found = {reference: _ready(reference, data, learned=stored == "learned") for reference in references}
    return [_measure(reference, ready, dataset, device, ties) for reference, ready in found.items()]


def write(folder: Path, found: Document, dataset: DataSet, encoders: Sequence[Encoded]) -> list[Path]:
    """JSON, CSV, the split, plots, and contact sheets of the first encoder where the set has pictures."""
    every = [one.measured for one in encoders]
    return [
        *results.write(folder, found, dataset, every),
        *plots.write(folder, dataset.name, every),
        *sheet.write(folder, dataset, encoders[0].codes, encoders[0].training_codes),
    ]


def _ready(reference: str, data: Path, *, learned: bool) -> Ready:
    folder = Path(reference).expanduser()
    if keeping.saved(folder):
        method = keeping.load(folder)
        if learned and method.training_codes is None:
            raise RequestError(f"{folder} keeps no codes of its training pairs; {method.name} learns none")
        digest = json.loads((folder / MODEL).read_bytes())["digest"]
        name = f"{method.name}-{method.bits}"
        return Ready(method, name, method.name, digest, None, method.training_codes if learned else None)
    found = catalogue.bundle(reference, data=data)
    model, coder = found.model, HeadCoder(bundle_head(found), found.model.bits)
    codes = found.training_codes() if learned else None
    return Ready(coder, model.name, model.method, model.digest, found, codes)


def _measure(reference: str, ready: Ready, dataset: DataSet, device: str, ties: Ties) -> Encoded:
    pairs = dataset.pairs
    if ready.bundle is None:
        pairs.features()  # raises where there are none
    features = Extracted(pairs) if ready.bundle is None else extracted(pairs, ready.bundle, device)
    codes = coded(ready.coder, features.pairs)
    directions = measured(dataset, codes, ties=ties, learned=ready.training_codes)
    if not directions:
        raise DataError(f"{dataset.name}: no query has anything to find in any direction; look at its labels and split")
    about = (reference, ready.name, ready.method, codes.bits, ready.digest)
    return Encoded(Measured(*about, _rates(features, codes, device), directions), codes, ready.training_codes)


def _rates(features: Extracted, codes: Coded, device: str) -> Rates:
    """Pairs a second, backbone and hash function together; the backbone's time is that of when it was run."""
    count = len(features.pairs)
    images = features.image_seconds + codes.image_seconds if codes.images is not None else float("nan")
    texts = features.text_seconds + codes.text_seconds if codes.texts is not None else float("nan")
    backbones = features.image_seconds + features.text_seconds > 0
    return Rates(device if backbones else "cpu", round(count / images, 1), round(count / texts, 1), backbones)
