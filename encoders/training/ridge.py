"""Ridge regression with weights (Hoerl and Kennard, 1970), solved in closed form."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def ridge(x: Doubles, y: Doubles, *, penalty: float, weights: Doubles) -> Doubles:
    """min over A, b of Σ w_i ||y_i - x_i A - b||² + penalty · mean variance of x · Σw · ||A||²; b is not shrunk.

    x [n, p], y [n, m], weights [n] > 0 -> [p + 1, m], b in the last row. The penalty is relative to the variance, so
    one value fits features of any scale.
    """
    share = weights / weights.sum()
    mean_x, mean_y = share @ x, share @ y
    centred = x - mean_x
    weighted = centred * share[:, None]
    gram = weighted.T @ centred
    gram[np.diag_indices_from(gram)] += penalty * np.trace(gram) / len(gram)
    coefficients = np.linalg.solve(gram, weighted.T @ (y - mean_y))
    return np.vstack([coefficients, mean_y - mean_x @ coefficients])
