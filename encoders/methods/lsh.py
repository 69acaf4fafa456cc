"""LSH: on which side of random hyperplanes a vector lies (Charikar, STOC 2002), in the space that CCA gives both sides.

Hyperplanes in two raw spaces have nothing to do with each other, and a search across them is chance. On the canonical
projections, each scaled by its correlation, one set of hyperplanes serves both sides.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from encoders.methods.cca import canonical
from encoders.methods.method import Flags, Learnt, Method, linear
from encoders.training.itq import Doubles


@dataclass
class Lsh(Method):
    """Random hyperplanes. `penalty` is that of the CCA."""

    name: ClassVar[str] = "lsh"

    penalty: float = 1e-3

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        first, second, correlations = canonical(images, texts, penalty=self.penalty)
        planes = np.random.default_rng(self.seed).standard_normal((len(correlations), self.bits))
        return linear(images, texts, first * correlations @ planes, second * correlations @ planes)
