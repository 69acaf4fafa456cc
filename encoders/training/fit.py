"""Fit the default head: ridge and ConSE bring pictures to the texts' space, ITQ makes bits of both."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.heads import RidgeConseHead, unit
from encoders.lite0 import POOLED
from encoders.towers import Floats
from encoders.training.itq import itq, principal, random_rotation
from encoders.training.ridge import ridge


@dataclass(frozen=True, slots=True)
class Recipe:
    """The choices, each made by leaving one of the three sources out, never by Tux Paint."""

    penalty: float = 1.0  # of ridge, relative to the features' variance
    conse: float = 1.4  # weight of ConSE beside ridge; 0 leaves it out
    temperature: float = 1.5  # of the class probabilities; at 1 one class says nearly all, and pictures alike part
    rotation: str = "itq"  # or "random": the baseline
    whitening: float = 0.3  # 0 leaves the principal directions their deviations, 1 makes them equal; not the baseline's
    iterations: int = 60  # of ITQ
    seed: int = 0


@dataclass(frozen=True)
class Pairs:
    """n pictures with their texts, as tower features."""

    picture: Floats  # [n, pooled + classes]
    caption: Floats  # [n, m]
    source: NDArray[np.str_]  # [n]

    def weights(self) -> NDArray[np.float64]:
        """A source counts as the square root of its size: neither do thousands drown hundreds, nor hundreds lead."""
        names, number, counts = np.unique(self.source, return_inverse=True, return_counts=True)
        del names
        return np.asarray(1 / np.sqrt(counts[number]), dtype=np.float64)


def align(pairs: Pairs, classes: Floats, recipe: Recipe) -> RidgeConseHead:
    """The head up to the common space; it has no bits yet. `classes`: the class names' text features, [classes, m]."""
    weights = pairs.weights()
    pooled = unit(np.sqrt(pairs.picture[:, :POOLED])).astype(np.float64)
    width = pairs.caption.shape[1]
    draft = RidgeConseHead(
        text_mean=_mean(pairs.caption, weights),
        image_mean=np.zeros(width, dtype=np.float32),
        projection=np.zeros((width, 0), dtype=np.float32),
        text_threshold=np.zeros(0, dtype=np.float32),
        image_threshold=np.zeros(0, dtype=np.float32),
        ridge=half(ridge(pooled, pairs.caption.astype(np.float64), penalty=recipe.penalty, weights=weights)),
        classes=half(recipe.conse * (classes - classes.mean(axis=0))),
        temperature=np.array([recipe.temperature], dtype=np.float32),
    )
    return _with(draft, image_mean=_mean(draft.align(pairs.picture), weights))


def hashed(aligned: RidgeConseHead, pairs: Pairs, *, bits: int, recipe: Recipe) -> RidgeConseHead:
    """The aligned head with a projection to `bits` bits, and the thresholds where each bit parts the pairs evenly."""
    text, image = aligned.text(pairs.caption), aligned.image(pairs.picture)
    rng = np.random.default_rng(recipe.seed)
    turned = _with(aligned, projection=half(_projection(text, image, pairs.weights(), bits, recipe, rng)))
    dense = _with(turned, text_threshold=np.zeros(bits), image_threshold=np.zeros(bits))
    return _with(
        dense,
        text_threshold=np.median(dense.relax_text(text), axis=0),
        image_threshold=np.median(dense.relax_image(image), axis=0),
    )


def _projection(
    text: Floats, image: Floats, weights: NDArray[np.float64], bits: int, recipe: Recipe, rng: np.random.Generator
) -> NDArray[np.float64]:
    """[m, bits]: principal directions of both modalities, scaled and rotated by ITQ; or random ones, the baseline.

    A direction's deviation d becomes d^(1 - whitening), so that the few strong ones do not rule every bit.
    """
    if recipe.rotation == "random":
        return random_rotation(text.shape[1], rng)[:, :bits]
    share = np.sqrt(weights / weights.mean())[:, None]
    rows = np.vstack([text * share, image * share]).astype(np.float64)
    basis = principal(rows, bits)
    deviation = np.sqrt(((rows @ basis) ** 2).mean(axis=0))
    basis *= (deviation / deviation[0]) ** -recipe.whitening
    projected = rows @ basis
    scale = 1 / np.sqrt((projected**2).mean())  # B has ±1: bring V to its size, else the loss is all scale
    rotation, _ = itq(projected * scale, iterations=recipe.iterations, rng=rng)
    return basis @ rotation


def _with(head: RidgeConseHead, **changes: NDArray[np.floating]) -> RidgeConseHead:
    return RidgeConseHead(**{**vars(head), **{name: array.astype(np.float32) for name, array in changes.items()}})


def _mean(rows: Floats, weights: NDArray[np.float64]) -> Floats:
    return np.average(rows, axis=0, weights=weights).astype(np.float32)


def half(rows: NDArray[np.floating]) -> Floats:
    """What float16 keeps of it: the head is fitted with the values that are shipped."""
    return rows.astype(np.float16).astype(np.float32)
