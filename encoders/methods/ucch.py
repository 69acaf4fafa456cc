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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from encoders.methods.method import Flags, Learnt, Method
from encoders.training.itq import Doubles


@dataclass
class Ucch(Method):
    """UCCH by Adam on the CPU. β is `contrasting`, δ `momentum`, τ `temperature`, K `negatives`, m `margin`, ξ `shift`.

    Defaults are the authors' published ones, but for `width` and `epochs`. `losses` holds each epoch's mean loss.
    """

    name: ClassVar[str] = "ucch"

    contrasting: float = 0.9
    momentum: float = 0.4
    temperature: float = 0.9
    negatives: int = 4096
    margin: float = 0.2
    shift: float = 1.0
    width: int = 512
    epochs: int = 20
    batch: int = 256
    rate: float = 1e-4

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        torch_state = torch.Generator().manual_seed(self.seed)
        learnt: Learnt = {}
        sides, nets = [], []
        for side, features in (("image", images), ("text", texts)):
            learnt[f"{side}_mean"] = features.mean(axis=0)
            deviation = features.std(axis=0)
            learnt[f"{side}_scale"] = np.where(deviation > 0, deviation, 1)
            sides.append(torch.from_numpy((features - learnt[f"{side}_mean"]) / learnt[f"{side}_scale"]).float())
            nets.append(network(features.shape[1], self.width, self.bits, torch_state))
        self._train(sides, nets, torch_state)
        for side, net in zip(("image", "text"), nets, strict=True):
            for layer, (name, weights) in enumerate(net.named_parameters()):
                learnt[f"{side}_{layer:02}_{name.rpartition('.')[2]}"] = weights.detach().double().numpy()
        return learnt

    def _train(self, sides: list[Tensor], nets: list[nn.Sequential], random: torch.Generator) -> None:
        """Adam over shuffled batches; the memory v [n, k] is updated after each."""
        count = len(sides[0])
        memory = torch.randn(count, self.bits, generator=random).sign() / self.bits**0.5
        weights = [weight for net in nets for weight in net.parameters()]
        adam = torch.optim.Adam(weights, lr=self.rate)
        for _ in range(self.epochs):
            total = 0.0
            for rows in batches(count, self.batch, random):
                h = [unit(net(side[rows]).tanh()) for net, side in zip(nets, sides, strict=True)]
                others = torch.randint(count, (min(self.negatives, count),), generator=random)
                loss = self.contrasting * sum(
                    contrast(one, memory[rows], memory[others], others[None] == rows[:, None], self.temperature)
                    for one in h
                ) + (1 - self.contrasting) * ranking(h[0] @ h[1].T, margin=self.margin, shift=self.shift)
                adam.zero_grad()
                torch.autograd.backward(loss)
                adam.step()
                memory[rows] = unit(
                    self.momentum * memory[rows] + (1 - self.momentum) * unit((h[0] + h[1]).detach() / 2)
                )
                total += float(loss.detach()) * len(rows)
            self.losses.append(total / count)

    def _project(self, side: str, centred: Doubles) -> Doubles:
        """The network before tanh, which changes no sign; in float64, so that batches agree."""
        rows = centred / self.learnt[f"{side}_scale"]
        layers = sorted(name for name in self.learnt if name.startswith(f"{side}_0"))
        for place in range(0, len(layers), 2):
            weight, bias = (self.learnt[name] for name in layers[place : place + 2])
            rows = rows @ weight.T + bias
            if place + 2 < len(layers):
                rows = np.maximum(rows, 0)
        return np.asarray(rows)


def network(features: int, width: int, bits: int, random: torch.Generator) -> nn.Sequential:
    """features -> width -> width -> bits with ReLU between; weights by He et al. (ICCV 2015), from `random`."""
    sizes = (features, width), (width, width), (width, bits)
    layers = [
        nn.Linear(*size, device="meta").to_empty(device="cpu") for size in sizes
    ]  # draws nothing from torch's state
    net = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    for weights in net.parameters():
        if weights.ndim > 1:
            nn.init.kaiming_uniform_(weights, a=5**0.5, generator=random)
        else:
            nn.init.zeros_(weights)
    return net


def batches(count: int, size: int, random: torch.Generator) -> Iterator[Tensor]:
    """Row numbers, shuffled; the last batch is left out where it is smaller, unless it is the only one."""
    order = torch.randperm(count, generator=random)
    for start in range(0, max(count - size, 0) + 1, size):
        yield order[start : start + size]


def unit(rows: Tensor) -> Tensor:
    """Rows at length 1; [n, k] -> [n, k]."""
    return nn.functional.normalize(rows, dim=1)


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
