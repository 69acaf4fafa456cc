"""SePH-km: codes whose distances are distributed as the labels' affinities, then learnt by kernel logistic regression
(Lin, Ding, Hu and Wang, "Semantics-Preserving Hashing for Cross-View Retrieval", CVPR 2015).

First H [n, k] for the training pairs, one code for both sides: min KL(P || Q) + α / (n k) || |H| - 1 ||². p_ij is the
share of pair (i, j) in the cosines of label rows, q_ij that in 1 / (1 + h(i, j)), and h = ||H_i - H_j||² / 4 is the
Hamming distance of exact codes. Then, for each side and bit, a logistic regression on RBF kernels at centres that
k-means finds: the paper's "km". Affinities and distances are made block by block: nothing is n x n.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from encoders.methods.kernels import centres, logistic, rbf, width
from encoders.methods.method import Flags, Learnt, Method
from encoders.methods.scm import unit_rows
from encoders.training.itq import Doubles
from mappings.code import pack_signs
from mappings.errors import DataError

BLOCK = 256  # rows of the affinities at once: 256 x n numbers, some eight times


@dataclass
class Seph(Method):
    """SePH with k-means centres. α is `quantising`; `kernels` centres a side; `penalty` on the regressions' weights."""

    name: ClassVar[str] = "seph-km"
    supervised: ClassVar[bool] = True

    quantising: float = 0.01
    kernels: int = 500
    penalty: float = 0.01
    iterations: int = 100
    regressions: int = 100

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        if not (labels.sum(axis=0) > 1).any():
            raise DataError(f"no two of {len(labels)} pairs share a label; {self.name} learns from those that do")
        rng = np.random.default_rng(self.seed)
        codes = self._codes(unit_rows(labels), rng)
        self.training_codes = pack_signs(codes)
        learnt: Learnt = {}
        for side, features in (("image", images), ("text", texts)):
            learnt[f"{side}_mean"] = features.mean(axis=0)
            centred = features - features.mean(axis=0)
            learnt[f"{side}_centres"] = centres(centred, self.kernels, rng)
            learnt[f"{side}_width"] = np.array([width(centred, learnt[f"{side}_centres"])])
            known = rbf(centred, learnt[f"{side}_centres"], learnt[f"{side}_width"][0])
            learnt[f"{side}_weights"] = logistic(known, codes > 0, penalty=self.penalty, iterations=self.regressions)
        return learnt

    def _codes(self, unit: Doubles, rng: np.random.Generator) -> Doubles:
        """H [n, k] from the label rows [n, c], by L-BFGS."""
        start = rng.standard_normal((len(unit), self.bits))

        def measured(flat: Doubles) -> tuple[float, Doubles]:
            loss, slope = divergence(flat.reshape(start.shape), unit, quantising=self.quantising)
            return loss, slope.reshape(-1)

        self.losses = [measured(start.reshape(-1))[0]]
        found = minimize(
            measured,
            start.reshape(-1),
            jac=True,
            method="L-BFGS-B",
            callback=lambda intermediate_result: self.losses.append(float(intermediate_result.fun)),
            options={"maxiter": self.iterations},
        )
        return np.asarray(found.x).reshape(start.shape)

    def _project(self, side: str, centred: Doubles) -> Doubles:
        """Log odds of each bit, [n, k]; the kernel is n x centres, made block by block."""
        parts = [
            rbf(block, self.learnt[f"{side}_centres"], self.learnt[f"{side}_width"][0])
            @ self.learnt[f"{side}_weights"][:-1]
            for block in np.array_split(centred, max(1, len(centred) // 4096))
        ]
        return np.asarray(np.concatenate(parts) + self.learnt[f"{side}_weights"][-1])


def divergence(codes: Doubles, unit: Doubles, *, quantising: float) -> tuple[float, Doubles]:
    """KL(P || Q) + α / (n k) || |H| - 1 ||² and its gradient.

    codes H [n, k]; unit [n, c], whose products are the affinities. The gradient by row i is
    Σ_j (p_ij w_ij - w_ij² / Z) (H_i - H_j) with w = 1 / (1 + h) and Z = Σ w, gathered in one pass over blocks of rows.
    """
    whole = float((unit.sum(axis=0) ** 2).sum() - (unit**2).sum())  # Σ of affinities over i != j
    loss, total = 0.0, 0.0
    pulled, pushed = np.empty_like(codes), np.empty_like(codes)
    for rows, affinity, near in _blocks(codes, unit):
        share = affinity / whole
        known = share > 0
        loss += float((share[known] * np.log(share[known] / near[known])).sum())
        total += float(near.sum())
        for into, weights in ((pulled, share * near), (pushed, near**2)):
            into[rows] = weights.sum(axis=1)[:, None] * codes[rows] - weights @ codes
    loss += float(np.log(total))
    apart = np.abs(codes) - 1
    loss += quantising / codes.size * float((apart**2).sum())
    return loss, pulled - pushed / total + 2 * quantising / codes.size * apart * np.sign(codes)


def _blocks(codes: Doubles, unit: Doubles) -> Iterator[tuple[NDArray[np.int64], Doubles, Doubles]]:
    """Rows with their affinities and 1 / (1 + h) to all others, both 0 to themselves."""
    lengths = (codes**2).sum(axis=1)
    for start in range(0, len(codes), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(codes)))
        affinity = unit[rows] @ unit.T
        squared = lengths[rows][:, None] - 2 * codes[rows] @ codes.T + lengths
        near = 1 / (1 + np.maximum(squared, 0) / 4)
        affinity[np.arange(len(rows)), rows] = 0
        near[np.arange(len(rows)), rows] = 0
        yield rows, affinity, near
