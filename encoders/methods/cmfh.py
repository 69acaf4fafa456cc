"""CMFH: one latent code for both sides of a pair (Ding, Guo and Zhou, "Collective Matrix Factorization Hashing for
Multimodal Data", CVPR 2014).

    min λ ||X - V Uxᵀ||² + (1 - λ) ||Y - V Uyᵀ||² + μ (||V - X Px||² + ||V - Y Py||²)
        + γ (||Ux||² + ||Uy||² + ||V||² + ||Px||² + ||Py||²)

in rows as samples, each side centred. One matrix after the other is set to its minimum, so the objective never rises.
V's signs are the pair's code, those of X Px or Y Py the code of one side alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

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
        sides = Side.of(x, self.share), Side.of(y, 1 - self.share)
        ridge = self.penalty / self.projecting
        factors = [cho_factor(side.gram + ridge * np.eye(len(side.gram))) for side in sides]  # these stay
        latent = np.random.default_rng(self.seed).standard_normal((len(images), self.bits))
        inner = [latent.T @ side.rows for side in sides]
        for _ in range(self.iterations):
            loadings = [
                _ridge(latent, ones, self.penalty / side.share) for ones, side in zip(inner, sides, strict=True)
            ]
            projections = [cho_solve(factor, ones.T) for factor, ones in zip(factors, inner, strict=True)]
            latent = self._latent(sides, loadings, projections)
            inner = [latent.T @ side.rows for side in sides]
            self.losses.append(self.objective(sides, latent, inner, loadings, projections))
            if len(self.losses) > 1 and self.losses[-2] - self.losses[-1] < self.tolerance * self.losses[-2]:
                break
        self.training_codes = pack_signs(latent)
        return linear(images, texts, *(turn(one) for turn, one in zip((of_x, of_y), projections, strict=True)))

    def _latent(self, sides: Sequence["Side"], loadings: Sequence[Doubles], projections: Sequence[Doubles]) -> Doubles:
        """V [n, k] for the other matrices: a ridge regression whose system is k x k."""
        system = (2 * self.projecting + self.penalty) * np.eye(self.bits)
        wanted = np.zeros((len(sides[0].rows), self.bits))
        for side, loading, projection in zip(sides, loadings, projections, strict=True):
            system += side.share * loading @ loading.T
            wanted += side.rows @ (side.share * loading.T + self.projecting * projection)
        return np.asarray(np.linalg.solve(system, wanted.T).T)

    def objective(
        self,
        sides: Sequence["Side"],
        latent: Doubles,
        inner: Sequence[Doubles],
        loadings: Sequence[Doubles],
        projections: Sequence[Doubles],
    ) -> float:
        """What is minimised. V [n, k], VᵀX and VᵀY [k, d], [k, e], loadings Uᵀ likewise, projections [d, k], [e, k].

        By ||A - B||² = ||A||² - 2 <A, B> + ||B||², in which all that has n rows was multiplied before.
        """
        own, energy = latent.T @ latent, float((latent**2).sum())
        total = self.penalty * energy
        for side, ones, loading, projection in zip(sides, inner, loadings, projections, strict=True):
            rebuilt = side.energy - 2 * float((ones * loading).sum()) + float((loading * (own @ loading)).sum())
            reached = energy - 2 * float((ones.T * projection).sum())
            reached += float((projection * (side.gram @ projection)).sum())
            total += side.share * rebuilt + self.projecting * reached
            total += self.penalty * float((loading**2).sum() + (projection**2).sum())
        return total


@dataclass(frozen=True)
class Side:
    """A side's centred rows [n, d] with λ or 1 - λ, its squared norm and XᵀX [d, d], which no turn changes."""

    rows: Doubles
    share: float
    energy: float
    gram: Doubles

    @classmethod
    def of(cls, rows: Doubles, share: float) -> Self:
        """With what is computed once."""
        return cls(rows, share, float((rows**2).sum()), rows.T @ rows)


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
    return _ridge(x, x.T @ y, penalty)


def _ridge(x: Doubles, inner: Doubles, penalty: float) -> Doubles:
    """The same for `inner`, which is xᵀ y."""
    return np.asarray(np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), inner))
