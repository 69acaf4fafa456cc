"""Our own contrastive head: a perceptron a side, trained so that both sides of a pair get the same code.

    L = L_c + α Σ_sides mean (|h| - 1)² + β Σ_sides mean_k (mean_i h_ik)² + γ Σ_sides mean_{k≠l} (mean_i h_ik h_il)²

L_c is InfoNCE both ways between the sides' relaxed codes h in [-1, 1] (van den Oord, Li and Vinyals, 2018; Radford et
al., ICML 2021). The other parts make of h a code that loses little when signs are taken (quantisation: Zhu, Long, Wang
and Cao, AAAI 2016), whose bits are 1 half of the time and independent of one another (Weiss, Torralba and Fergus,
NIPS 2008). Features are standardised, and some of them left out at random in training.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from encoders.methods.method import Flags
from encoders.methods.perceptrons import PerceptronMethod, Perceptrons, unit
from encoders.training.itq import Doubles
from mappings.errors import RequestError


@dataclass
class Contrastive(PerceptronMethod):
    """By Adam. α is `quantising`, β `balancing`, γ `decorrelating`; `dropout` is the share of features left out."""

    name: ClassVar[str] = "contrastive"

    temperature: float = 0.2
    quantising: float = 0.1
    balancing: float = 1.0
    decorrelating: float = 1.0
    dropout: float = 0.6
    epochs: int = 60
    rate: float = 3e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.dropout < 1 or not self.temperature > 0:
            raise RequestError(
                f"dropout {self.dropout} and temperature {self.temperature} came; expected 0 to less than 1, and more "
                "than 0"
            )

    def _learner(self, images: Doubles, texts: Doubles, labels: Flags, where: torch.device) -> "ContrastiveLearner":
        return ContrastiveLearner(self, images, texts, where)


class ContrastiveLearner(Perceptrons):
    """Both networks."""

    def __init__(self, method: Contrastive, images: Doubles, texts: Doubles, where: torch.device) -> None:
        super().__init__(method, images, texts, where, dropout=method.dropout)
        self._method = method

    def losses(self, rows: Tensor, phase: str) -> dict[str, Tensor]:
        """The four parts, the last three summed over the sides."""
        method, (image, text) = self._method, self.relaxed(rows)
        return {
            "contrast": contrast(image, text, temperature=method.temperature),
            "quantisation": method.quantising * (quantisation(image) + quantisation(text)),
            "balance": method.balancing * (balance(image) + balance(text)),
            "decorrelation": method.decorrelating * (correlation(image) + correlation(text)),
        }


def contrast(image: Tensor, text: Tensor, *, temperature: float) -> Tensor:
    """InfoNCE, the mean of both directions: picture i against all texts of the batch, and text i against all pictures.

    -mean_i log of exp(cos(h_i, g_i) / τ) over Σ_j exp(cos(h_i, g_j) / τ). [b, k], [b, k] -> ()
    """
    scores = unit(image) @ unit(text).T / temperature
    own = torch.arange(len(scores), device=scores.device)
    entropy = torch.nn.functional.cross_entropy
    return (entropy(scores, own) + entropy(scores.T, own)) / 2


def quantisation(h: Tensor) -> Tensor:
    """mean (|h| - 1)²: 0 where every bit is ±1. [b, k] -> ()"""
    return ((h.abs() - 1) ** 2).mean()


def balance(h: Tensor) -> Tensor:
    """mean_k (mean_i h_ik)²: 0 where every bit is 1 in half of the batch. [b, k] -> ()"""
    return (h.mean(dim=0) ** 2).mean()


def correlation(h: Tensor) -> Tensor:
    """mean over k ≠ l of (mean_i h_ik h_il)²: 0 where no bit tells of another. [b, k] -> ()"""
    products = h.T @ h / len(h)
    others = ~torch.eye(len(products), dtype=torch.bool, device=h.device)
    return (products[others] ** 2).mean()
