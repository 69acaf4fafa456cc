"""Texts in any language as features of one tower: the English one reads what its gate keeps, another one the rest.

The multilingual tower's features are brought to the English tower's by ridge regression on parallel captions, a linear
form of multilingual distillation (Reimers and Gurevych, EMNLP 2020). So heads, bits and thresholds are the same for
every language, and what is English costs no more than before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Self

import numpy as np
from numpy.typing import NDArray

from encoders.towers import Floats, TextTower
from mappings.errors import BundleError


@dataclass(frozen=True)
class Languages:
    """Which texts the English tower does not read, and the way from the other tower's features to its own."""

    gate: Floats  # [m + 1], the last is the intercept; above 0 speaks for another language
    bridge: Floats  # [e + 1, m], the last row is the intercept

    @classmethod
    def of(cls, tensors: dict[str, Floats]) -> Self:
        """From a bundle's tensors. Raises BundleError where one is missing, left over or does not fit."""
        try:
            found = cls(**tensors)
            if found.gate.shape != (found.bridge.shape[1] + 1,):
                raise TypeError(f"gate {list(found.gate.shape)} beside bridge {list(found.bridge.shape)}")
        except (TypeError, IndexError) as error:
            raise BundleError(
                f"the tensors for other languages do not fit {cls.__name__}: {error}; fetch the bundle again"
            ) from error
        return found

    def foreign(self, features: Floats) -> NDArray[np.bool_]:
        """Which texts go to the multilingual tower, by the English one's features: [n, m] -> [n]"""
        return np.asarray(features @ self.gate[:-1] + self.gate[-1] > 0)

    def across(self, features: Floats) -> Floats:
        """The multilingual tower's features as the English one's: [n, e] -> [n, m]"""
        return np.asarray(features @ self.bridge[:-1] + self.bridge[-1], dtype=np.float32)


class Polyglot:
    """A text tower of two. The multilingual one is made when the first text needs it: `make` must not fail then."""

    def __init__(self, english: TextTower, make: Callable[[], TextTower], languages: Languages) -> None:
        self.width = english.width
        self._english, self._make, self._languages = english, make, languages
        self._multilingual: TextTower | None = None
        self._lock = Lock()

    def features(self, texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """n texts -> float32 [n, width] and which of them hold any word."""
        features, spoken = self._english.features(texts)
        sent = np.flatnonzero(spoken & self._languages.foreign(features)).tolist()
        if sent:
            read, _ = self._other().features([texts[row] for row in sent])
            features[sent] = self._languages.across(read)
        return features, spoken

    def _other(self) -> TextTower:
        with self._lock:
            if self._multilingual is None:
                self._multilingual = self._make()
            return self._multilingual
