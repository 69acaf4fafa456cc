"""STMH: each bit tells whether a topic is in a text, or the concept that answers to it in a picture (Wang, Gao, Wang
and He, "Semantic Topic Multimodal Hashing for Cross-Media Retrieval", IJCAI 2015).

    min α Σ_i ||x_i - U v_i|| + (1 - α) Σ_i Σ_j g_ij ||y_i - f_j||² + λ ||G - V R||²
        + γ (||U||² + ||V||² + ||F||² + ||R||²)

Texts are clustered by k topics f_j, each text g_i belonging to half of them; pictures are factorised with a norm that
is not squared, so that odd ones count less; R turns concepts into topics. The form is that in which the field passes
the method round, where each text has exactly k / 2 topics, which balances its code. One matrix after the other is set
to its minimum (the pictures' norm by a quadratic that bounds it), so the objective never rises. Ours: both sides scaled
to rows of mean squared length 1, so that the authors' small weights mean the same for features of any scale. With a
large `joining` V R copies the random memberships that it begins from, and they hardly ever move again.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from encoders.methods.cmfh import solved
from encoders.methods.kernels import squares
from encoders.methods.method import Flags, Learnt, Method
from encoders.training.itq import Doubles
from mappings.code import pack_signs

SMALLEST = 1e-8  # a picture that is rebuilt exactly would otherwise weigh infinitely much


@dataclass
class Stmh(Method):
    """Semantic topics. α is `share`, λ `joining`, γ `penalty`: their values are the authors', so are 5 iterations."""

    name: ClassVar[str] = "stmh"

    share: float = 0.5
    joining: float = 1e-6
    penalty: float = 1e-6
    iterations: int = 5
    tolerance: float = 1e-5

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        x, y = even(images), even(texts)
        chosen = halves(np.random.default_rng(self.seed).random((len(y), self.bits)))
        concepts, weights = chosen - 0.5, np.ones(len(x))
        for _ in range(self.iterations):
            topics = self._topics(y, chosen)
            rebuilding = solved(concepts * np.sqrt(weights)[:, None], x * np.sqrt(weights)[:, None], self.penalty)
            turning = solved(concepts, chosen, self.penalty / self.joining)
            concepts = self._concepts(x, chosen, rebuilding, turning, weights)
            chosen = halves((1 - self.share) * squares(y, topics) - 2 * self.joining * concepts @ turning)
            apart = np.sqrt(((x - concepts @ rebuilding) ** 2).sum(axis=1) + SMALLEST)
            weights = self.share / (2 * apart)
            self.losses.append(self.objective(x, y, topics, rebuilding, turning, concepts, chosen))
            if len(self.losses) > 1 and self.losses[-2] - self.losses[-1] < self.tolerance * abs(self.losses[-2]):
                break
        self.training_codes = pack_signs(chosen)
        return {
            "image_mean": images.mean(axis=0),
            "text_mean": texts.mean(axis=0),
            "image_projection": self._picture_projection(rebuilding, turning),
            "topics": topics * scale(texts),
        }

    def _topics(self, y: Doubles, chosen: Doubles) -> Doubles:
        """F [k, e]: the mean of each topic's texts, drawn to the origin by the penalty."""
        return np.asarray((chosen.T @ y) / (chosen.sum(axis=0) + self.penalty / (1 - self.share))[:, None])

    def _concepts(
        self, x: Doubles, chosen: Doubles, rebuilding: Doubles, turning: Doubles, weights: Doubles
    ) -> Doubles:
        """V [n, k]: row i solves (w_i UᵀU + λ R Rᵀ + γ I) v = w_i Uᵀ x_i + λ R g_i, in a basis that serves all i."""
        rest = self.joining * turning @ turning.T + self.penalty * np.eye(self.bits)
        root = np.linalg.cholesky(rest)
        half = np.linalg.solve(root, rebuilding)  # [k, d]
        values, basis = np.linalg.eigh(half @ half.T)
        wanted = weights[:, None] * (x @ rebuilding.T) + self.joining * chosen @ turning.T
        turned = np.linalg.solve(root, wanted.T).T @ basis / (weights[:, None] * values + 1)
        return np.asarray(np.linalg.solve(root.T, (turned @ basis.T).T).T)

    def _picture_projection(self, rebuilding: Doubles, turning: Doubles) -> Doubles:
        """Of a picture alone: its concepts by ridge regression on U, then R. [d, k]"""
        gram = rebuilding @ rebuilding.T + self.penalty / self.share * np.eye(self.bits)
        return np.asarray(np.linalg.solve(gram, rebuilding).T @ turning)

    def _project(self, side: str, centred: Doubles) -> Doubles:
        """How far each topic is over the middle of the row, so that half of the bits are 1 as in training."""
        if side == "image":
            near = centred @ self.learnt["image_projection"]
        else:
            near = -squares(centred, self.learnt["topics"])
        return np.asarray(near - np.median(near, axis=1, keepdims=True))

    def objective(
        self,
        x: Doubles,
        y: Doubles,
        topics: Doubles,
        rebuilding: Doubles,
        turning: Doubles,
        concepts: Doubles,
        chosen: Doubles,
    ) -> float:
        """What is minimised; each row's norm is sqrt(||.||² + SMALLEST)."""
        apart = np.sqrt(((x - concepts @ rebuilding) ** 2).sum(axis=1) + SMALLEST)
        small = sum(float((matrix**2).sum()) for matrix in (rebuilding, concepts, topics, turning))
        return (
            self.share * float(apart.sum())
            + (1 - self.share) * float((chosen * squares(y, topics)).sum())
            + self.joining * float(((chosen - concepts @ turning) ** 2).sum())
            + self.penalty * small
        )


def scale(features: Doubles) -> float:
    """Root of the rows' mean squared length, once centred."""
    return float(np.sqrt(((features - features.mean(axis=0)) ** 2).sum(axis=1).mean()))


def even(features: Doubles) -> Doubles:
    """Centred, rows of mean squared length 1, so that one set of weights fits features of any scale."""
    return np.asarray((features - features.mean(axis=0)) / scale(features))


def halves(costs: Doubles) -> Doubles:
    """1 for the half of each row that costs least, else 0: [n, k] -> [n, k]."""
    order = np.argsort(costs, axis=1, kind="stable")[:, : costs.shape[1] // 2]
    chosen = np.zeros_like(costs)
    np.put_along_axis(chosen, order, 1.0, axis=1)
    return chosen
