"""UCCH: contrastive learning against a memory of binary codes (Hu, Zhu, Lin, Peng, Zhao and Peng, "Unsupervised
Contrastive Cross-Modal Hashing", TPAMI 45(3), 2023), on features that are extracted already.

    β L_c + (1 - β) L_r                                                                       (Eqs. 2 and 15)

L_c asks each side's h to know its own pair's code among others of the memory (Eqs. 3, 4), without relaxing them: keys
are the signs of v, which follows the pair's mean h by momentum (Eq. 5). L_r asks that the sides of a pair be nearer to
each other than to all others of the batch, by a bound that counts those outside the margin too (Eqs. 8, 14). h and keys
have length 1.

Ours: features are standardised; the K negative keys are drawn once a batch and shared by its rows (drawn for each row,
as printed, they are a tensor of batch x K x bits); networks of 512 units and 20 epochs, where the authors' have 8192
units and 100 epochs.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from encoders.methods.method import Flags
from encoders.methods.perceptrons import PerceptronMethod, Perceptrons, unit
from encoders.training.itq import Doubles


@dataclass
class Ucch(PerceptronMethod):
    """UCCH by Adam. β is `contrasting`, δ `momentum`, τ `temperature`, K `negatives`, m `margin`, ξ `shift`.

    Defaults are the authors' published ones, but for `width` and `epochs`.
    """

    name: ClassVar[str] = "ucch"

    contrasting: float = 0.9
    momentum: float = 0.4
    temperature: float = 0.9
    negatives: int = 4096
    margin: float = 0.2
    shift: float = 1.0

    def _learner(self, images: Doubles, texts: Doubles, labels: Flags, where: torch.device) -> "UcchLearner":
        return UcchLearner(self, images, texts, where)


class UcchLearner(Perceptrons):
    """Both networks and the memory v [n, k], which follows them after each step."""

    def __init__(self, method: Ucch, images: Doubles, texts: Doubles, where: torch.device) -> None:
        super().__init__(method, images, texts, where)
        self._method = method
        start = torch.randn(self.count, method.bits, generator=self.random).sign() / method.bits**0.5
        self._memory = start.to(where)

    def losses(self, rows: Tensor, phase: str) -> dict[str, Tensor]:
        """β L_c and (1 - β) L_r of a batch."""
        method, own = self._method, rows.to(self.device)
        h = [unit(side) for side in self.relaxed(rows)]
        others = torch.randint(self.count, (min(method.negatives, self.count),), generator=self.random).to(self.device)
        same = others[None] == own[:, None]
        keys = self._memory[own], self._memory[others]
        contrasts = [contrast(one, *keys, same, method.temperature) for one in h]
        ranked = ranking(h[0] @ h[1].T, margin=method.margin, shift=method.shift)
        self._mean = (h[0] + h[1]).detach() / 2
        return {
            "contrast": method.contrasting * (contrasts[0] + contrasts[1]),
            "ranking": (1 - method.contrasting) * ranked,
        }

    def stepped(self, rows: Tensor, phase: str) -> None:
        """Eq. 5."""
        own, momentum = rows.to(self.device), self._method.momentum
        self._memory[own] = unit(momentum * self._memory[own] + (1 - momentum) * unit(self._mean).float())

    def kept(self) -> dict[str, Tensor]:
        """The memory."""
        return {"memory": self._memory}


def contrast(h: Tensor, own: Tensor, others: Tensor, same: Tensor, temperature: float) -> Tensor:
    """-mean_i log of exp(<h_i, k_i> / τ) over itself and Σ_j exp(<h_i, k_j> / τ): Eqs. 3 and 4 of the paper.

    h [b, k] of length 1; own [b, k] and others [K, k] are memory, whose signs, at length 1, are the keys; same bool
    [b, K] tells which of the others is a row's own, and no negative of it. -> ()
    """
    positive = (h * unit(own.sign())).sum(dim=1) / temperature
    negative = (h @ unit(others.sign()).T / temperature).masked_fill(same, float("-inf"))
    return (torch.logsumexp(torch.cat([positive[:, None], negative], dim=1), dim=1) - positive).mean()


def ranking(similarities: Tensor, *, margin: float, shift: float) -> Tensor:
    """Eq. 14 of the paper with κ = 1, both directions: mean_i of m + log Σ_j exp(S_ij) - S_ii.

    similarities M [b, b], picture i against text j. S_ij = M_ij where M_ii - M_ij <= m, else M_ij - ξ (Eq. 8). -> ()
    """
    total = similarities.new_zeros(())
    for scores in (similarities, similarities.T):
        own = scores.diagonal()[:, None]
        shifted = torch.where(own - scores <= margin, scores, scores - shift)
        total = total + (margin + torch.logsumexp(shifted, dim=1) - shifted.diagonal()).mean()
    return total
