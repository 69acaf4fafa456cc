"""What no method can learn from is refused before it begins, with a word on what to do."""

import numpy as np
from numpy.typing import NDArray

from encoders.training.itq import Doubles
from mappings.errors import DataError, RequestError


def pair(images: object, texts: object) -> tuple[Doubles, Doubles]:
    """Both sides of n >= 2 pairs as float64. Raises RequestError, DataError."""
    x, y = features(images, "images"), features(texts, "texts")
    if len(x) != len(y):
        raise DataError(f"{len(x)} images and {len(y)} texts came; row i of both must be one pair")
    if len(x) < 2:
        raise DataError(f"{len(x)} pairs came; a method learns from two at least")
    for side, name in ((x, "images"), (y, "texts")):
        if (side == side[0]).all():
            raise DataError(f"all {len(side)} rows of {name} are the same: the modality is empty; extract it again")
    return x, y


def features(given: object, name: str, *, width: int | None = None) -> Doubles:
    """Features of one side as float64 [n, width]. Raises RequestError where there are none, DataError otherwise."""
    if given is None:
        raise RequestError(f"no {name} came; a method on features needs those of both sides")
    array = _numbers(given, name)
    if array.ndim != 2 or not array.size:
        raise DataError(f"{name} have shape {list(array.shape)}; expected [n, features], neither of them 0")
    if width is not None and array.shape[1] != width:
        raise DataError(f"{name} have {array.shape[1]} features a row; the method was fitted on {width}")
    wrong = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(wrong):
        raise DataError(f"{len(wrong)} rows of {name} hold NaN or infinity, row {wrong[0]} first; extract these again")
    return array


def labels(given: object, count: int, method: str) -> NDArray[np.bool_]:
    """Labels as bool [n, c]. Raises RequestError where there are none, DataError where they do not fit or tell."""
    if given is None:
        raise RequestError(f"no labels came, which {method} learns from; use a method without labels")
    array = _numbers(given, "labels")
    if array.ndim != 2 or len(array) != count or not np.isin(array, (0, 1)).all():
        raise DataError(
            f"labels have shape {list(array.shape)} and values from {array.min(initial=0):g} to "
            f"{array.max(initial=0):g}; expected 0 or 1 for each of {count} pairs and each class"
        )
    flags = array > 0
    if len(np.unique(flags, axis=0)) < 2:
        raise DataError(f"all {count} pairs have the same labels; {method} needs two classes at least")
    return flags


def _numbers(given: object, name: str) -> Doubles:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} are no array of numbers: {error}") from error
