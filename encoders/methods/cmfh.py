"""CMFH: one latent code for both sides of a pair (Ding, Guo and Zhou, "Collective Matrix Factorization Hashing for
Multimodal Data", CVPR 2014).

    min λ ||X - V Uxᵀ||² + (1 - λ) ||Y - V Uyᵀ||² + μ (||V - X Px||² + ||V - Y Py||²)
        + γ (||Ux||² + ||Uy||² + ||V||² + ||Px||² + ||Py||²)

in rows as samples, each side centred. One matrix after the other is set to its minimum, so the objective never rises.
V's signs are the pair's code, those of X Px or Y Py the code of one side alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from encoders.methods.method import Flags, Learnt, Method, linear
from encoders.training.itq import Doubles
from mappings.code import pack_signs


@dataclass
class Cmfh(Method):
    """Collective matrix factorisation. λ is `share`, μ `projecting`, γ `penalty`: the paper's values are the defaults.

    It ends after `iterations`, or where a turn lowers the objective by less than `tolerance` of it.
    """

    name: ClassVar[str] = "cmfh"

    share: float = 0.5
    projecting: float = 100.0
    penalty: float = 0.01
    iterations: int = 200
    tolerance: float = 1e-6

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        (x, of_x), (y, of_y) = spanned(images - images.mean(axis=0)), spanned(texts - texts.mean(axis=0))
        sides = x, y
        shares = self.share, 1 - self.share
        grams = [side.T @ side + self.penalty / self.projecting * np.eye(side.shape[1]) for side in sides]
        factors = [cho_factor(gram) for gram in grams]  # these stay: only the latent codes move
        latent = np.random.default_rng(self.seed).standard_normal((len(images), self.bits))
        for _ in range(self.iterations):
            loadings = [solved(latent, side, self.penalty / share) for side, share in zip(sides, shares, strict=True)]
            projections = [cho_solve(factor, side.T @ latent) for factor, side in zip(factors, sides, strict=True)]
            latent = self._latent(sides, shares, loadings, projections)
            self.losses.append(self.objective(sides, latent, loadings, projections))
            if len(self.losses) > 1 and self.losses[-2] - self.losses[-1] < self.tolerance * self.losses[-2]:
                break
        self.training_codes = pack_signs(latent)
        return linear(images, texts, *(turn(one) for turn, one in zip((of_x, of_y), projections, strict=True)))

    def _latent(
        self,
        sides: tuple[Doubles, Doubles],
        shares: tuple[float, float],
        loadings: list[Doubles],
        projections: list[Doubles],
    ) -> Doubles:
        """V [n, k] for the other matrices: a ridge regression whose system is k x k."""
        system = (2 * self.projecting + self.penalty) * np.eye(self.bits)
        wanted = np.zeros((len(sides[0]), self.bits))
        for side, share, loading, projection in zip(sides, shares, loadings, projections, strict=True):
            system += share * loading @ loading.T
            wanted += share * side @ loading.T + self.projecting * side @ projection
        return np.asarray(np.linalg.solve(system, wanted.T).T)

    def objective(
        self, sides: tuple[Doubles, Doubles], latent: Doubles, loadings: list[Doubles], projections: list[Doubles]
    ) -> float:
        """What is minimised. sides [n, d], [n, e], V [n, k], loadings Uᵀ [k, d], [k, e], projections [d, k], [e, k]."""
        total = self.penalty * float((latent**2).sum())
        for side, share, loading, projection in zip(
            sides, (self.share, 1 - self.share), loadings, projections, strict=True
        ):
            total += share * float(((side - latent @ loading) ** 2).sum())
            total += self.projecting * float(((latent - side @ projection) ** 2).sum())
            total += self.penalty * float((loading**2).sum() + (projection**2).sum())
        return total


def spanned(side: Doubles) -> tuple[Doubles, Callable[[Doubles], Doubles]]:
    """A side of fewer rows than columns in the space of its rows, [n, n], and what takes projections back, [n, k] ->
    [d, k]; any other as it is.

    Ridge regressions find nothing outside that space, and turning into it changes no norm: the objective is the same.
    """
    if len(side) >= side.shape[1]:
        return side, lambda projection: projection
    basis = np.linalg.svd(side, full_matrices=False)[2].T
    return side @ basis, lambda projection: np.asarray(basis @ projection)


def solved(x: Doubles, y: Doubles, penalty: float) -> Doubles:
    """min over A of ||y - x A||² + penalty ||A||²: x [n, p], y [n, m] -> [p, m]."""
    return np.asarray(np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y))
