"""How good a ranking is: discounted cumulative gain, as a share of the best there could be."""

import numpy as np
from numpy.typing import NDArray

DEPTH = 10  # places of a ranking that count
Floats = NDArray[np.float64]


def dcg(grades: Floats) -> float:
    """The sum over the first places i, from 1, of (2^grade - 1) / log2(i + 1).

    The measure is that of Järvelin and Kekäläinen (TOIS 2002), gain and discount those of Burges et al. (ICML 2005).
    `grades` [n] are in the order of the ranking.
    """
    first = grades[:DEPTH]
    return float(((2.0**first - 1) / np.log2(np.arange(2, len(first) + 2))).sum())


def ndcg(grades: Floats, judged: Floats) -> float:
    """`dcg` of a ranking by that of the best order of all `judged` grades, of which one is above 0: in [0, 1]."""
    return dcg(grades) / dcg(np.sort(judged)[::-1])
