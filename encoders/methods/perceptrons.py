"""A perceptron a side on standardised features: what UCCH and our contrastive head train, and how both then encode."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from encoders.methods.method import Learnt
from encoders.methods.trained import FeatureLearner, Trained
from encoders.training.itq import Doubles

SIDES = ("image", "text")


@dataclass
class PerceptronMethod(Trained):
    """A method that trains `Perceptrons`, with hidden layers of `width` units."""

    width: int = 512

    def _project(self, side: str, centred: Doubles) -> Doubles:
        return project(self.learnt, side, centred)


class Perceptrons(FeatureLearner):
    """Both networks on a device, with the standardised features of all pairs; Adam over all weights."""

    def __init__(
        self, method: PerceptronMethod, images: Doubles, texts: Doubles, device: torch.device, *, dropout: float = 0.0
    ) -> None:
        self.count, self.device, self._dropout = len(images), device, dropout
        self.random = torch.Generator().manual_seed(method.seed)
        self._scales: Learnt = {}
        self._features: dict[str, Tensor] = {}
        nets: dict[str, nn.Module] = {}
        for side, features in zip(SIDES, (images, texts), strict=True):
            mean, deviation = features.mean(axis=0), features.std(axis=0)
            scale = np.where(deviation > 0, deviation, 1)
            self._scales |= {f"{side}_mean": mean, f"{side}_scale": scale}
            self._features[side] = torch.from_numpy((features - mean) / scale).float().to(device)
            nets[side] = network(features.shape[1], method.width, method.bits, self.random)
        self.networks = nn.ModuleDict(nets).to(device)
        self.optimisers = {"all": torch.optim.Adam(self.networks.parameters(), lr=method.rate)}

    def relaxed(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures' and texts' hash features after tanh: rows [b] -> two of [b, bits]."""
        own = rows.to(self.device)
        seen = (nn.functional.dropout(self._features[side][own], self._dropout) for side in SIDES)
        image, text = (self.networks[side](features).tanh() for side, features in zip(SIDES, seen, strict=True))
        return image, text

    def learnt(self) -> Learnt:
        """Means, scales, and each layer's weight and bias, in their order: `image_00_weight`, `image_01_bias`, …"""
        result = dict(self._scales)
        for side in SIDES:
            for place, (name, weights) in enumerate(self.networks[side].named_parameters()):
                result[f"{side}_{place:02}_{name.rpartition('.')[2]}"] = weights.detach().double().cpu().numpy()
        return result


def project(learnt: Learnt, side: str, centred: Doubles) -> Doubles:
    """The network before tanh, which changes no sign; in float64, so that batches agree. [n, width] -> [n, bits]"""
    rows = centred / learnt[f"{side}_scale"]
    layers = sorted(name for name in learnt if name.startswith(f"{side}_0"))
    for place in range(0, len(layers), 2):
        weight, bias = (learnt[name] for name in layers[place : place + 2])
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


def unit(rows: Tensor) -> Tensor:
    """Rows at length 1; [n, k] -> [n, k]."""
    return nn.functional.normalize(rows, dim=1)
