"""A small learner that uses all that the loop offers: two phases, dropout, a memory, a rate that falls."""

import torch
from torch import Tensor, nn

from encoders.training.loop import Learner


class Small(Learner):
    """Two linear maps learn a third one; `seen` notes what the loop asked for, in order."""

    def __init__(self, *, count: int = 20, dropout: float = 0.5) -> None:
        self.count, self.device = count, torch.device("cpu")
        self.random = torch.Generator().manual_seed(3)
        self._x = torch.randn(count, 4, generator=self.random)
        self._y = self._x @ torch.randn(4, 2, generator=self.random)
        self._dropout = nn.Dropout(dropout)
        self.networks = nn.ModuleDict({"first": _linear(0.1), "second": _linear(0.2)})
        self.optimisers = {
            "first": torch.optim.Adam(self.networks["first"].parameters(), lr=0.05),
            "second": torch.optim.SGD(self.networks["second"].parameters(), lr=0.05, momentum=0.9),
        }
        self._memory = torch.zeros(count, 2)
        self.seen: list[str] = []

    def losses(self, rows: Tensor, phase: str) -> dict[str, Tensor]:
        self.seen.append(f"{phase} {len(rows)}")
        made = self.networks[phase](self._dropout(self._x[rows]))
        noise = torch.randn(len(rows), 2, generator=self.random)
        return {
            "fit": ((made - self._y[rows]) ** 2).mean(),
            "near": 0.1 * ((made - self._memory[rows] - 0.01 * noise) ** 2).mean(),
        }

    def stepped(self, rows: Tensor, phase: str) -> None:
        with torch.no_grad():
            self._memory[rows] = self.networks[phase](self._x[rows])

    def refresh(self, epoch: int) -> None:
        self.seen.append(f"epoch {epoch}")
        self.optimisers["second"].param_groups[0]["lr"] = 0.05 / epoch

    def kept(self) -> dict[str, Tensor]:
        return {"memory": self._memory}

    def error(self) -> float:
        """Mean squared error of the first network."""
        with torch.no_grad():
            return float(((self.networks["first"](self._x) - self._y) ** 2).mean())


def _linear(value: float) -> nn.Linear:
    layer = nn.Linear(4, 2)
    for weights in layer.parameters():
        nn.init.constant_(weights, value)
    return layer
