"""A user's own CLIP- or SigLIP-like weights as an encoder: an ITQ head fitted on the catalogue, kept as a bundle.

`encoders.loading.load` then takes that bundle as any other. The towers were trained together, so no pairs are needed,
only what the catalogue holds: each modality is centred on its own mean (their features lie apart), then ITQ.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from encoders import bundle
from encoders.api import PARTS, BundleCard, Item
from encoders.bundle import ImageModel, Model, TextModel
from encoders.catalogue import fitted_name
from encoders.decoding import picture_features
from encoders.heads import Head, unit
from encoders.towers import Floats
from encoders.training.calibration import tables
from encoders.training.itq import itq, principal
from encoders.weights import Weights, clip
from mappings.code import check_bits, pack_signs
from mappings.errors import DataError, RequestError

LEAST = 32  # items of each modality present: a mean of fewer says little
HELD_OUT = 0.1  # of the items with both sides, for the calibration tables
LEAST_CALIBRATED = 20


def fit_bundle(
    reference: str,
    items: Iterable[Item],
    *,
    bits: int,
    out: Path,
    device: str = "auto",
    max_pixels: int = 50_000_000,
    sample: int = 2000,
    seed: int = 0,
) -> BundleCard:
    """Fit a head of `bits` bits for `clip:<folder or name>` on a sample of `items`, and save it as the folder `out`.

    `encoders.catalogue.find("clip:...")` finds it where `out` is `<data>/bundles/<fitted_name(reference, bits)>`.
    Raises UnknownEncoderError (no such weights), BundleError (not CLIP-like), RequestError (more bits than dimensions),
    DataError (too few items that can be encoded).
    """
    from encoders.clip_towers import clip_towers
    from encoders.device import device as named

    check_bits(bits)
    weights = clip(reference.removeprefix("clip:"))
    rng = np.random.default_rng(seed)
    drawn = _sample(items, sample, rng)
    text_tower, picture_tower = clip_towers(weights, named(device))
    if bits > text_tower.width:
        raise RequestError(
            f"{weights.package} has {text_tower.width} dimensions; ask for at most as many bits, not {bits}"
        )
    text, spoken = text_tower.features([item.text or "" for item in drawn])
    pictured = np.array([bool(item.pictures) for item in drawn], dtype=bool)
    picture = np.zeros((len(drawn), picture_tower.width), dtype=np.float32)
    files = [item.pictures[0] for item in drawn if item.pictures]
    picture[pictured], errors = picture_features(picture_tower, files, max_pixels=max_pixels)
    pictured[np.flatnonzero(pictured)[list(errors)]] = False
    both = np.flatnonzero(spoken & pictured)
    checking = rng.permutation(both)[: round(HELD_OUT * len(both))]
    learning = np.setdiff1d(np.arange(len(drawn)), checking)
    head = fit(text[learning[spoken[learning]]], picture[learning[pictured[learning]]], bits=bits, rng=rng)
    calibration = _calibration(head, text[checking], picture[checking], bits)
    model = _model(weights, reference, bits, calibration, len(learning), picture_tower.side)
    return bundle.write(out, model, vars(head)).card


def fit(text: Floats, picture: Floats, *, bits: int, rng: np.random.Generator) -> Head:
    """The head of both towers' features, [n, m] and [p, m]; n and p may differ. Raises DataError where both are few."""
    if max(len(text), len(picture)) < LEAST:
        raise DataError(
            f"{len(text)} texts and {len(picture)} pictures came; a head needs {LEAST} of one of them at least"
        )
    width = text.shape[1]
    text_mean, image_mean = (
        rows.mean(axis=0) if len(rows) else np.zeros(width, np.float32) for rows in (text, picture)
    )
    sides = [unit(text - text_mean), unit(picture - image_mean)]
    # each modality weighs the same, however many of it there are
    rows = np.vstack([side / np.sqrt(max(1, len(side))) for side in sides]).astype(np.float64)
    basis = principal(rows, bits)
    projected = rows @ basis
    rotation, _ = itq(projected / np.sqrt((projected**2).mean()), iterations=60, rng=rng)
    projection = (basis @ rotation).astype(np.float32)
    thresholds = (np.median(s @ projection, axis=0) if len(s) else np.zeros(bits, np.float32) for s in sides)
    return Head(text_mean, image_mean, projection, *(threshold.astype(np.float32) for threshold in thresholds))


def _sample(items: Iterable[Item], size: int, rng: np.random.Generator) -> list[Item]:
    """Evenly drawn from a stream of unknown length (reservoir sampling, Vitter 1985); it is never held whole."""
    kept: list[Item] = []
    for number, whole in enumerate(items):
        item = Item(whole.text, whole.pictures[:1])  # the sample is held in memory
        if len(kept) < size:
            kept.append(item)
        elif (place := int(rng.integers(0, number + 1))) < size:
            kept[place] = item
    return kept


def _calibration(head: Head, text: Floats, picture: Floats, bits: int) -> dict[str, list[float]]:
    """Tables from items the head was not fitted on; none where they are too few to say anything."""
    if len(text) < LEAST_CALIBRATED:
        return {}
    said, seen = head.text(text), head.image(picture)
    relaxed = {"text": head.relax_text(said), "image": head.relax_image(seen), "record": head.relax_record(said, seen)}
    packed = {part: pack_signs(rows) for part, rows in relaxed.items()}
    return tables(packed, packed, bits)


def _model(
    weights: Weights, reference: str, bits: int, calibration: dict[str, list[float]], items: int, side: int
) -> Model:
    digest = weights.sha256
    return Model(
        schema=bundle.SCHEMA,
        method="clip-itq",
        name=fitted_name(reference, bits),
        bits=bits,
        parts=list(PARTS),
        text=TextModel(weights.package, weights.version, digest, pooling="model", prefix="", max_tokens=0),
        image=ImageModel(weights.package, weights.version, digest, resize=side, crop="model", background="white"),
        head={"iterations": 60},
        calibration=calibration,
        permutation=None,
        trained_on=[{"source": "the catalogue itself", "items": items, "licence": "the catalogue's own"}],
        licence="as the weights' own",
    )
