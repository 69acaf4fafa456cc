"""CCA: the directions along which pictures and texts agree most (Hotelling, Biometrika 1936).

As a hash its projections' signs are taken; Rasiwasia et al. (ACM MM 2010) use them to search across modalities. There
are no more directions than dimensions: bit i of a longer code repeats direction i mod r, so that every direction counts
about equally often, those that agree most first.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from encoders.methods.method import Flags, Learnt, Method, linear
from encoders.training.itq import Doubles

NULL = 1e-9  # share of the largest: smaller variances and correlations are rounding


@dataclass
class Cca(Method):
    """Signs of the canonical projections. `penalty`: share of the mean variance that is added to each side's."""

    name: ClassVar[str] = "cca"

    penalty: float = 1e-3

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        first, second, _ = canonical(images, texts, penalty=self.penalty)
        return linear(images, texts, repeated(first, self.bits), repeated(second, self.bits))


def canonical(x: Doubles, y: Doubles, *, penalty: float) -> tuple[Doubles, Doubles, Doubles]:
    """max over a, b of corr(x a, y b), each further pair uncorrelated with those before.

    x [n, p], y [n, q] -> A [p, r], B [q, r] and the correlations [r], falling; r is what both sides have of dimensions
    that vary. The projections have variance 1 where the penalty is 0.
    """
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    white_x, white_y = whitening(x, penalty=penalty), whitening(y, penalty=penalty)
    u, correlations, vt = np.linalg.svd(white_x.T @ (x.T @ y / len(x)) @ white_y, full_matrices=False)
    kept = correlations > NULL * max(correlations[0], NULL)
    kept[0] = True
    return white_x @ u[:, kept], white_y @ vt[kept].T, correlations[kept]


def whitening(centred: Doubles, *, penalty: float) -> Doubles:
    """W with Wᵀ (C + penalty · mean variance · I) W = I on the directions that vary: [n, p] -> [p, directions].

    Of fewer rows than columns C is not made: their singular vectors are its directions.
    """
    if len(centred) < centred.shape[1]:
        _, values, turned = np.linalg.svd(centred, full_matrices=False)
        variances, directions = values[::-1] ** 2 / len(centred), turned[::-1].T
    else:
        variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    varying = variances > NULL * variances[-1]
    mean = variances.sum() / centred.shape[1]
    return np.asarray(directions[:, varying] / np.sqrt(variances[varying] + penalty * mean))


def repeated(directions: Doubles, bits: int) -> Doubles:
    """The first `bits` directions, from the first again where there are fewer: [p, r] -> [p, bits]."""
    return directions[:, np.arange(bits) % directions.shape[1]]
