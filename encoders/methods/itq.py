"""ITQ and CCA-ITQ: a rotation after which signs lose least (Gong and Lazebnik, CVPR 2011; with Gordo and Perronnin,
TPAMI 2013).

Where there are fewer dimensions than bits, the rotation is a matrix with orthonormal rows; Eq. 2 and its two steps hold
as they are, since ||V R|| does not depend on R then either.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from encoders.methods.cca import canonical
from encoders.methods.method import Flags, Learnt, Method, linear
from encoders.training.itq import Doubles, itq, principal


@dataclass
class Itq(Method):
    """Each modality by itself, on its principal components: for searches within one modality; across them, chance."""

    name: ClassVar[str] = "itq"

    iterations: int = 50

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        rng = np.random.default_rng(self.seed)
        return linear(images, texts, self._side(images, rng), self._side(texts, rng))

    def _side(self, features: Doubles, rng: np.random.Generator) -> Doubles:
        centred = features - features.mean(axis=0)
        directions = principal(centred, min(self.bits, features.shape[1]))
        rotation, losses = itq(centred @ directions, bits=self.bits, iterations=self.iterations, rng=rng)
        self.losses = [a + b for a, b in zip(self.losses, losses, strict=True)] if self.losses else losses
        return np.asarray(directions @ rotation)


@dataclass
class CcaItq(Method):
    """One rotation for both sides' canonical projections, each scaled by its correlation (TPAMI 2013).

    There CCA joins pictures with their tags and only pictures are coded; here both sides are, and the rotation is
    fitted to both.
    """

    name: ClassVar[str] = "cca-itq"

    penalty: float = 1e-3
    iterations: int = 50

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        first, second, correlations = canonical(images, texts, penalty=self.penalty)
        first, second = (side[:, : self.bits] * correlations[: self.bits] for side in (first, second))
        both = np.concatenate([(images - images.mean(axis=0)) @ first, (texts - texts.mean(axis=0)) @ second])
        rng = np.random.default_rng(self.seed)
        rotation, self.losses = itq(both, bits=self.bits, iterations=self.iterations, rng=rng)
        return linear(images, texts, first @ rotation, second @ rotation)
