"""Measure encoders on a data set: bundles and saved methods by their reference, over raw pairs or features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from encoders import catalogue
from encoders.bundle import Bundle
from encoders.data.api import DataSet
from encoders.data.extraction import Extracted, extracted
from encoders.evaluation import Stored, Ties, plots, results, sheet
from encoders.evaluation.coding import Coded, HeadCoder, coded
from encoders.evaluation.protocol import measured
from encoders.evaluation.results import Document, Measured, Rates
from encoders.loading import bundle_head
from mappings.errors import DataError


@dataclass(frozen=True, eq=False)
class Encoded:
    """What one encoder made of the data set, with what is told about it."""

    measured: Measured
    codes: Coded


def run(
    references: Sequence[str], dataset: DataSet, *, data: Path, device: str, ties: Ties, stored: Stored
) -> list[Encoded]:
    """Encode and measure with each bundle in turn. Raises UnknownEncoderError, BundleError, RequestError, DataError."""
    bundles = {reference: catalogue.bundle(reference, data=data) for reference in references}
    return [_measure(reference, found, dataset, device, ties, stored) for reference, found in bundles.items()]


def write(folder: Path, found: Document, dataset: DataSet, encoders: Sequence[Encoded]) -> list[Path]:
    """JSON, CSV, the split, plots, and contact sheets of the first encoder where the set has pictures."""
    every = [one.measured for one in encoders]
    return [
        *results.write(folder, found, dataset, every),
        *plots.write(folder, dataset.name, every),
        *sheet.write(folder, dataset, encoders[0].codes),
    ]


def _measure(reference: str, found: Bundle, dataset: DataSet, device: str, ties: Ties, stored: Stored) -> Encoded:
    model, learned = found.model, found.training_codes() if stored == "learned" else None
    features = extracted(dataset.pairs, model, device)
    codes = coded(HeadCoder(bundle_head(found), model.bits), features.pairs)
    directions = measured(dataset, codes, ties=ties, learned=learned)
    if not directions:
        raise DataError(f"{dataset.name}: no query has anything to find in any direction; look at its labels and split")
    rates = _rates(features, codes, device)
    return Encoded(Measured(reference, model.name, model.method, model.bits, model.digest, rates, directions), codes)


def _rates(features: Extracted, codes: Coded, device: str) -> Rates:
    """Pairs a second, backbone and hash function together; the backbone's time is that of when it was run."""
    count = len(features.pairs)
    images = features.image_seconds + codes.image_seconds if codes.images is not None else float("nan")
    texts = features.text_seconds + codes.text_seconds if codes.texts is not None else float("nan")
    backbones = features.pairs.pictures is not None or features.pairs.captions is not None
    return Rates(device, round(count / images, 1), round(count / texts, 1), backbones)
