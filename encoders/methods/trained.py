"""What methods on features that learn by gradient share: they are fitted by the one training loop.

`fit` alone trains for `epochs` on the CPU. A `Run` adds a device, a validation part to stop by, and a checkpoint.
"""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch

from encoders.data.api import Pairs
from encoders.device import device
from encoders.methods.method import Flags, Learnt, Method
from encoders.training.checkpoint import Checkpoint
from encoders.training.itq import Doubles
from encoders.training.loop import Epoch, Learner, Plan, train
from encoders.training.validation import agreement
from mappings.errors import RequestError


@dataclass(frozen=True, slots=True)
class Run:
    """How one training goes, beside the method's own parameters. `validation` holds pairs with features.

    `patience` and `half` as in `encoders.training.loop.Plan`; `report` is given all epochs so far after each.
    """

    device: str = "cpu"
    half: bool = False
    patience: int = 0
    validation: Pairs | None = None
    checkpoint: Path | None = None
    report: Callable[[Sequence[Epoch]], None] = lambda epochs: None


class FeatureLearner(Learner):
    """A learner on features, which tells what encoding needs."""

    @abstractmethod
    def learnt(self) -> Learnt:
        """As `Method.learnt`, from the networks as they are now."""


@dataclass
class Trained(Method):
    """A method that the loop fits. `course` holds every epoch, `losses` their losses; `rate` is the optimiser's."""

    epochs: int = 20
    batch: int = 256
    rate: float = 1e-4
    run: Run = field(default_factory=Run, init=False, repr=False, compare=False)
    course: list[Epoch] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1 or self.batch < 2 or not self.rate > 0:
            raise RequestError(
                f"epochs {self.epochs}, batch {self.batch} and rate {self.rate} came; expected 1, 2 and more than 0 at "
                "least"
            )

    def fit(self, images: object, texts: object, labels: object = None, *, run: Run | None = None) -> Self:
        """As `Method.fit`; with a validation part the weights are those of the epoch that did best on it.

        Raises RequestError where the checkpoint is of another run, DataError where it is damaged or the loss is not
        finite, SettingsError where there is no such device.
        """
        self.run = run or Run()
        return super().fit(images, texts, labels)

    @abstractmethod
    def _learner(self, images: Doubles, texts: Doubles, labels: Flags, where: torch.device) -> FeatureLearner: ...

    def _learn(self, images: Doubles, texts: Doubles, labels: Flags) -> Learnt:
        run, where = self.run, device(self.run.device).torch
        learner = self._learner(images, texts, labels, where)
        keeper = Checkpoint(run.checkpoint, self._identity(images, texts, labels, where)) if run.checkpoint else None
        plan = Plan(self.epochs, self.batch, self.seed, run.patience, run.half)
        score = None if run.validation is None else lambda: self._score(learner)
        self.course = train(learner, plan, score=score, keeper=keeper, report=run.report)
        self.losses = [epoch.loss for epoch in self.course]
        return learner.learnt()

    def _score(self, learner: FeatureLearner) -> float:
        """MAP on the validation part, by the codes that would be stored."""
        self.learnt = learner.learnt()
        asked = self.run.validation
        if asked is None:
            raise ValueError("there is no validation part to score on")
        return agreement(self.encode_images(asked.images), self.encode_texts(asked.texts), asked)

    def _identity(self, images: Doubles, texts: Doubles, labels: Flags, where: torch.device) -> str:
        """SHA-256 over all that decides how the run ends: a checkpoint of another is refused."""
        run, validation = self.run, [*(self.run.validation.features() if self.run.validation else ())]
        about = [self.name, self.parameters, run.half, run.patience, where.type, torch.__version__]
        state = hashlib.sha256(json.dumps(about).encode())
        if run.validation is not None:
            labelled = run.validation.labels
            validation += [run.validation.records] if labelled is None else [labelled]
        for array in (images, texts, labels, *validation):
            state.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
        return state.hexdigest()
