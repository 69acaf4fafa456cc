"""The hash heads: from a tower's features to the relaxed code, in float32 on the CPU, so that devices differ less.

Shapes: n items, m dimensions of the common space, k bits.
"""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from encoders.towers import Floats
from mappings.errors import BundleError


def unit(rows: Floats) -> Floats:
    """Each row divided by its length; a zero row stays. [n, m] -> [n, m]"""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)


class HashHead(Protocol):
    """What an encoder needs of a head, whatever it was trained by. The common space is the head's own affair."""

    @property
    def bits(self) -> int:
        """k"""
        ...

    @property
    def text_width(self) -> int:
        """Text features that `text` takes."""
        ...

    @property
    def image_width(self) -> int:
        """Picture features that `image` takes."""
        ...

    def permuted(self, order: list[int]) -> "HashHead":
        """The same head with its bits in another order."""
        ...

    def text(self, features: Floats) -> Floats:
        """Text features -> the common space: [n, text_width] -> [n, m]."""
        ...

    def image(self, features: Floats) -> Floats:
        """Picture features -> the common space: [n, image_width] -> [n, m], length 1."""
        ...

    def relax_text(self, common: Floats) -> Floats:
        """[n, m] -> [n, k]; bit = 1 where > 0."""
        ...

    def relax_image(self, common: Floats) -> Floats:
        """[n, m] -> [n, k]; bit = 1 where > 0."""
        ...

    def relax_record(self, text: Floats, image: Floats) -> Floats:
        """The unified code. [n, m], [n, m] -> [n, k]"""
        ...


@dataclass(frozen=True)
class Head:
    """Each modality centred on its own mean, scaled to length 1, then projected: `sign(x W - b)` are the bits.

    ITQ (Gong and Lazebnik, CVPR 2011) gives W; `b` is each modality's own threshold, so that its bits are balanced.
    """

    text_mean: Floats  # [m]
    image_mean: Floats  # [m]
    projection: Floats  # [m, k]
    text_threshold: Floats  # [k]
    image_threshold: Floats  # [k]

    @classmethod
    def of(cls, tensors: dict[str, NDArray[np.float32]]) -> Self:
        """From a bundle's tensors. Raises BundleError where one is missing or left over."""
        try:
            return cls(**tensors)
        except TypeError as error:
            raise BundleError(
                f"the head's tensors do not fit {cls.__name__}: {error}; fetch the bundle again"
            ) from error

    def permuted(self, order: list[int]) -> Self:
        """The same head with its bits in another order."""
        return replace(
            self,
            projection=self.projection[:, order],
            text_threshold=self.text_threshold[order],
            image_threshold=self.image_threshold[order],
        )

    @property
    def bits(self) -> int:
        """k"""
        return int(self.projection.shape[1])

    @property
    def text_width(self) -> int:
        """Text features that `text` takes."""
        return len(self.text_mean)

    @property
    def image_width(self) -> int:
        """Picture features that `align` takes."""
        return len(self.image_mean)

    def align(self, features: Floats) -> Floats:
        """Picture features in the texts' space: [n, width] -> [n, m]. Towers trained together are there already."""
        return features

    def text(self, features: Floats) -> Floats:
        """Text features -> the common space: [n, m], length 1."""
        return unit(features - self.text_mean)

    def image(self, features: Floats) -> Floats:
        """Picture features -> the common space: [n, m], length 1."""
        return unit(self.align(features) - self.image_mean)

    def relax_text(self, common: Floats) -> Floats:
        """[n, m] -> [n, k]; bit = 1 where > 0."""
        return np.asarray(common @ self.projection - self.text_threshold, dtype=np.float32)

    def relax_image(self, common: Floats) -> Floats:
        """[n, m] -> [n, k]; bit = 1 where > 0."""
        return np.asarray(common @ self.projection - self.image_threshold, dtype=np.float32)

    def relax_record(self, text: Floats, image: Floats) -> Floats:
        """The unified code: the sum of both sides' relaxed codes. [n, m], [n, m] -> [n, k]"""
        return self.relax_text(text) + self.relax_image(image)


@dataclass(frozen=True)
class RidgeConseHead(Head):
    """Picture features reach the text space on two ways, which are added.

    - ridge regression from the pooled activations to the text embedding of the caption;
    - ConSE (Norouzi et al., ICLR 2014): the class probabilities times the text embeddings of the class names, which
      needs no pairs at all.
    """

    ridge: Floats  # [pooled + 1, m], the last row is the intercept
    classes: Floats  # [classes, m], centred, scaled by the weight of ConSE
    temperature: Floats  # [1], divides the logits

    @property
    def image_width(self) -> int:
        """Pooled activations, then class logits."""
        return len(self.ridge) - 1 + len(self.classes)

    def align(self, features: Floats) -> Floats:
        """[n, pooled + classes] -> [n, m]"""
        pooled = unit(np.sqrt(features[:, : len(self.ridge) - 1]))
        logits = features[:, len(self.ridge) - 1 :] / self.temperature
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        return np.asarray(pooled @ self.ridge[:-1] + self.ridge[-1] + probabilities @ self.classes, dtype=np.float32)


HEADS: dict[str, type[Head]] = {"ridge-conse-itq": RidgeConseHead, "clip-itq": Head}


def head(method: str, tensors: dict[str, NDArray[np.float32]]) -> Head:
    """The head of a method. Raises BundleError, whose text lists the methods."""
    if method not in HEADS:
        raise BundleError(
            f"no head for method {method!r}; there are: {', '.join(sorted(HEADS))}: update crosshatch-search"
        )
    return HEADS[method].of(tensors)
