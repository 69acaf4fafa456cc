"""SCM: codes whose agreement across modalities is that of the labels (Zhang and Li, "Large-Scale Supervised Multimodal
Hashing with Semantic Correlation Maximization", AAAI 2014).

S = 2 G Gᵀ - 1 1ᵀ, with G the label rows at length 1, is never made: only Xᵀ S Y [d, e] is. Signs are dropped to learn a
bit, max tr(Wxᵀ Xᵀ S Y Wy) with Wxᵀ Xᵀ X Wx = n I and likewise for Y, which is a CCA weighted by S.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from encoders.methods.cca import NULL, repeated, whitening
from encoders.methods.method import Flags, Learnt, Method, linear
from encoders.training.itq import Doubles

LARGE = 128  # rows of a Gram matrix from which its first direction alone is looked for


@dataclass
class ScmOrthogonal(Method):
    """All bits at once, each uncorrelated with the others (the paper's SCM-Orth), so no more than there are dimensions.

    Bit i of a longer code repeats direction i mod r. `penalty`: share of the mean variance added to each side's.
    """

    name: ClassVar[str] = "scm-orth"
    supervised: ClassVar[bool] = True

    penalty: float = 1e-3

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        x, y, weighted, _ = correlated(images, texts, labels)
        white_x, white_y = whitening(x, penalty=self.penalty), whitening(y, penalty=self.penalty)
        u, values, vt = np.linalg.svd(white_x.T @ weighted @ white_y, full_matrices=False)
        kept = values >= NULL * values[0]
        first, second = white_x @ u[:, kept], white_y @ vt[kept].T
        return linear(images, texts, repeated(first, self.bits), repeated(second, self.bits))


@dataclass
class ScmSequential(Method):
    """Bit by bit, each fitted to what is left of k S, with no bound on their number (the paper's SCM-Seq,
    Algorithm 1).

    `losses` holds ||k S - Σ sign(X wx) sign(Y wy)ᵀ||² before the first bit and after each. What a bit maximises is that
    without signs, so this may rise where the features tell little of the labels: by 0.05 % on Wiki at 16 bits.
    """

    name: ClassVar[str] = "scm-seq"
    supervised: ClassVar[bool] = True

    penalty: float = 1e-3

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        x, y, weighted, unit = correlated(images, texts, labels)
        white_x, white_y = whitening(x, penalty=self.penalty), whitening(y, penalty=self.penalty)
        x, y, left, residue = (
            x @ white_x,
            y @ white_y,
            self.bits * white_x.T @ weighted @ white_y,
            Residue(unit, self.bits),
        )
        directions = []
        for _ in range(self.bits):
            a, b = strongest(left)
            signs = np.where(x @ a > 0, 1.0, -1.0), np.where(y @ b > 0, 1.0, -1.0)
            left -= np.outer(signs[0] @ x, signs[1] @ y)
            residue.take(*signs)
            directions.append((a, b))
        self.losses = residue.losses
        first, second = (np.stack(columns, axis=1) for columns in zip(*directions, strict=True))
        return linear(images, texts, white_x @ first, white_y @ second)


class Residue:
    """||k S - Σ_t s_t r_tᵀ||² as bits are taken off, in memory of n x bits."""

    def __init__(self, unit: Doubles, bits: int) -> None:
        count, self.unit, self.bits = len(unit), unit, bits
        square = 4 * ((unit.T @ unit) ** 2).sum() - 4 * (unit.sum(axis=0) ** 2).sum() + count**2
        self.losses = [float(bits**2 * square)]
        self.taken: list[tuple[Doubles, Doubles]] = []

    def take(self, s: Doubles, r: Doubles) -> None:
        """Take s rᵀ off: the square falls by 2 sᵀ R r - n², R what was left so far."""
        agreed = self.bits * (2 * (s @ self.unit) @ (r @ self.unit) - s.sum() * r.sum())
        agreed -= sum((s @ earlier) * (r @ other) for earlier, other in self.taken)
        self.losses.append(float(self.losses[-1] - 2 * agreed + len(s) ** 2))
        self.taken.append((s, r))


def correlated(images: Doubles, texts: Doubles, labels: Flags) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """X and Y centred, Xᵀ S Y [d, e], and G [n, c]."""
    x, y = images - images.mean(axis=0), texts - texts.mean(axis=0)
    unit = unit_rows(labels)
    return x, y, 2 * (x.T @ unit) @ (unit.T @ y) - np.outer(x.sum(axis=0), y.sum(axis=0)), unit


def unit_rows(labels: Flags) -> Doubles:
    """Label rows at length 1; a row without labels stays 0. [n, c]"""
    return np.asarray(labels / np.sqrt(np.maximum(labels.sum(axis=1, keepdims=True), 1)))


def strongest(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """Left and right singular vectors of the largest singular value, by the smaller of the two Gram matrices.

    A large one is never made: Lanczos iterations, from a start that is always the same, find its first direction.
    """
    if matrix.shape[0] < matrix.shape[1]:
        b, a = strongest(matrix.T)
        return a, b
    width = matrix.shape[1]
    if width > LARGE:
        gram = LinearOperator((width, width), matvec=lambda v: matrix.T @ (matrix @ v), dtype=np.float64)
        b = eigsh(gram, k=1, v0=np.ones(width), tol=1e-9)[1][:, 0]
    else:
        b = np.linalg.eigh(matrix.T @ matrix)[1][:, -1]
    a = matrix @ b
    return np.asarray(a / max(float(np.linalg.norm(a)), np.finfo(float).tiny)), np.asarray(b)
