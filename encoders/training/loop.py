"""One training loop for every method that learns by gradient; a method gives it a `Learner`.

Networks, optimisers, random numbers, the order of the batches and the best so far are kept after every epoch, so that
a run that was killed goes on and ends with the same weights (on the same machine and versions).
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mappings.errors import DataError

Weights = dict[str, Tensor]


class Learner(ABC):
    """What the loop trains, with whatever a method needs beside its networks. Made anew for each run.

    A batch is `rows`, numbers of training pairs, int64 [b] on the CPU: what lies behind them, features or raw pictures
    and texts, is the learner's own affair.
    """

    count: int  # of training pairs
    networks: nn.ModuleDict
    optimisers: Mapping[str, Optimizer]  # one a phase, in their order, each with its own parameter groups
    turns: Literal["epoch", "batch"] = "epoch"  # phases take turns with each pass over the pairs, or with each batch
    random: torch.Generator  # on the CPU; draws the order of the batches, and all that the method draws
    device: torch.device

    @abstractmethod
    def losses(self, rows: Tensor, phase: str) -> dict[str, Tensor]:
        """The parts of a batch's loss by name, each a mean over the batch and weighted; their sum is minimised."""

    def stepped(self, rows: Tensor, phase: str) -> None:  # noqa: B027 (most methods have nothing to do here)
        """After each step of the optimiser: a memory follows, say."""

    def refresh(self, epoch: int) -> None:  # noqa: B027 (nor here)
        """Before epoch 1, 2, …: a similarity matrix or codes made anew, rates lowered."""

    def kept(self) -> Weights:
        """Tensors beside the networks that change in training; a checkpoint is read back into them in place."""
        return {}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a learner is trained. `patience`: epochs without a better score after which it ends; 0 is never.

    `half` counts in bfloat16 where torch deems it safe; weights stay float32.
    """

    epochs: int
    batch: int
    seed: int = 0
    patience: int = 0
    half: bool = False


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the pairs gave: mean loss parts, the validation score (higher is better), wall time."""

    number: int
    losses: dict[str, float]
    score: float | None
    seconds: float

    @property
    def loss(self) -> float:
        """All parts together."""
        return sum(self.losses.values())


class Keeper(Protocol):
    """Where a run is kept; `encoders.training.checkpoint` is one."""

    def read(self, learner: Learner) -> tuple[list[Epoch], Weights]:
        """Bring the learner to where it was: the epochs so far and the best weights; none where nothing is kept."""
        ...

    def write(self, learner: Learner, epochs: Sequence[Epoch], best: Weights) -> None:
        """Keep all of it, whole or not at all."""
        ...


def train(
    learner: Learner,
    plan: Plan,
    *,
    score: Callable[[], float] | None = None,
    keeper: Keeper | None = None,
    report: Callable[[Sequence[Epoch]], None] = lambda epochs: None,
) -> list[Epoch]:
    """Train `learner`; where there is a score, its networks end as they were after the epoch that scored best.

    `report` is given all epochs so far after each one. Raises DataError where the loss is no longer finite.
    """
    with _own_random(plan.seed, learner.device):
        epochs, best = keeper.read(learner) if keeper else ([], {})
        while len(epochs) < plan.epochs and not _stale(epochs, plan.patience):
            began = time.perf_counter()
            learner.refresh(len(epochs) + 1)
            losses = _pass(learner, plan, len(epochs) + 1)
            learner.networks.eval()
            found = None if score is None else score()
            if found is not None and all(found > (epoch.score or 0) for epoch in epochs):
                best = {name: weights.clone() for name, weights in learner.networks.state_dict().items()}
            epochs.append(Epoch(len(epochs) + 1, losses, found, time.perf_counter() - began))
            if keeper:
                keeper.write(learner, epochs, best)
            report(epochs)
    if best:
        learner.networks.load_state_dict(best)
    learner.networks.eval()
    return epochs


def batches(count: int, size: int, random: torch.Generator) -> Iterator[Tensor]:
    """Row numbers, shuffled; the last batch is left out where it is smaller, unless it is the only one."""
    order = torch.randperm(count, generator=random)
    for start in range(0, max(count - size, 0) + 1, size):
        yield order[start : start + size]


def _pass(learner: Learner, plan: Plan, number: int) -> dict[str, float]:
    """One epoch: every phase over all pairs. -> the mean of each part, by name, with its phase where there are some."""
    sums: dict[str, Tensor] = {}
    seen: dict[str, int] = {}
    learner.networks.train()
    for rows, phase in _turns(learner, plan.batch):
        for name, part in _step(learner, rows, phase, half=plan.half).items():
            told = name if len(learner.optimisers) == 1 else f"{phase} {name}"
            sums[told] = sums.get(told, torch.zeros((), device=part.device)) + part * len(rows)
            seen[told] = seen.get(told, 0) + len(rows)
    losses = {name: float(total) / seen[name] for name, total in sums.items()}
    wrong = [name for name, loss in losses.items() if not math.isfinite(loss)]
    if wrong:
        raise DataError(
            f"the loss part {wrong[0]!r} is {losses[wrong[0]]} in epoch {number}; lower the rate, or look at the "
            "features"
        )
    return losses


def _turns(learner: Learner, size: int) -> Iterator[tuple[Tensor, str]]:
    if learner.turns == "batch":
        yield from (
            (rows, phase) for rows in batches(learner.count, size, learner.random) for phase in learner.optimisers
        )
    else:
        yield from (
            (rows, phase) for phase in learner.optimisers for rows in batches(learner.count, size, learner.random)
        )


def _step(learner: Learner, rows: Tensor, phase: str, *, half: bool) -> dict[str, Tensor]:
    with torch.autocast(learner.device.type, dtype=torch.bfloat16, enabled=half):
        parts = learner.losses(rows, phase)
    optimiser = learner.optimisers[phase]
    optimiser.zero_grad()
    torch.autograd.backward(torch.stack(list(parts.values())).sum())
    optimiser.step()
    learner.stepped(rows, phase)
    return {name: part.detach().float() for name, part in parts.items()}


def _stale(epochs: Sequence[Epoch], patience: int) -> bool:
    """Whether the best score lies `patience` epochs back."""
    scores = [epoch.score for epoch in epochs if epoch.score is not None]
    return bool(patience and scores) and len(scores) - 1 - scores.index(max(scores)) >= patience


@contextmanager
def _own_random(seed: int, device: torch.device) -> Iterator[None]:
    """torch's own random numbers, which dropout draws from, begin at `seed` and are put back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
