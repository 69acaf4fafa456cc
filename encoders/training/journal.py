"""What a training run tells as it goes: a line an epoch, `log.csv`, and the loss parts and the score as a plot."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from encoders.evaluation.plots import save
from encoders.training.loop import Epoch


@dataclass(frozen=True, slots=True)
class Journal:
    """Of one run, in `folder`; `tell` is given a line for whoever watches."""

    folder: Path
    epochs: int  # that are planned
    tell: Callable[[str], None]

    def report(self, epochs: Sequence[Epoch]) -> None:
        """After each epoch: one line, and the log of all so far."""
        last = epochs[-1]
        parts = ", ".join(f"{name} {value:.4f}" for name, value in last.losses.items())
        score = "" if last.score is None else f"; validation MAP {last.score:.4f}"
        self.tell(f"epoch {last.number} of {self.epochs}: loss {last.loss:.4f} ({parts}){score}")
        log(self.folder, epochs)


def log(folder: Path, epochs: Sequence[Epoch]) -> Path:
    """`log.csv`: a row an epoch, a column a loss part. A run that goes on drops what its checkpoint does not know."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = list(epochs[-1].losses)
    path = folder / "log.csv"
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "loss", *parts, "score", "seconds"])
        for epoch in epochs:
            score = "" if epoch.score is None else round(epoch.score, 6)
            losses = (round(epoch.losses[part], 6) for part in parts)
            rows.writerow([epoch.number, round(epoch.loss, 6), *losses, score, round(epoch.seconds, 3)])
    return draft.replace(path)


def plot(folder: Path, title: str, epochs: Sequence[Epoch]) -> list[Path]:
    """`loss.png` and `loss.svg`: the loss with its parts above, the validation score below where there is one."""
    scored = [epoch for epoch in epochs if epoch.score is not None]
    figure = Figure(figsize=(5, 5 if scored else 3), layout="constrained")
    figure.suptitle(title)
    above, *below = figure.subplots(2 if scored else 1, sharex=True, squeeze=False)[:, 0]
    numbers = [epoch.number for epoch in epochs]
    above.plot(numbers, [epoch.loss for epoch in epochs], color="black", label="loss")
    if len(epochs[-1].losses) > 1:
        for part in epochs[-1].losses:
            above.plot(numbers, [epoch.losses[part] for epoch in epochs], label=part)
    above.set_ylabel("loss")
    above.legend()
    for axes in below:
        axes.plot([epoch.number for epoch in scored], [epoch.score for epoch in scored], marker=".", color="black")
        axes.set_ylabel("MAP on the validation part")
    [above, *below][-1].set_xlabel("epoch")
    return [save(figure, folder / f"loss.{kind}") for kind in ("png", "svg")]
