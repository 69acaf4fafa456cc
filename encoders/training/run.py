"""Train a method on a data set, from the first check to what comes out: `crosshatch train` without its command line.

Raw pictures and texts go through the backbones of another bundle, and out comes a bundle that `attach` takes. A set of
features has no backbones: out comes the method alone, which `evaluate` takes. Beside either lies `<its name>-training`,
with log and plot of a method that learns by gradient, and its checkpoint until it ends.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from encoders import catalogue
from encoders.data.api import DataSet
from encoders.methods.method import Method
from encoders.methods.trained import Run, Trained
from encoders.training import bundling, journal
from encoders.training.material import Material, check, gathered, raw
from mappings.errors import RequestError

MOST = 0.33  # of the training pairs may be held out


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a training, beside the method's own parameters.

    `backbones` names the bundle whose backbones see raw pictures and texts; `validation` is a share of the training
    pairs; `fresh` forgets an interrupted run. `patience` and `half` as in `encoders.training.loop.Plan`.
    """

    out: Path
    backbones: str = "default-128"
    validation: float = 0.1
    patience: int = 5
    half: bool = False
    licence: str = "not stated"
    fresh: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.validation <= MOST or self.patience < 0:
            raise RequestError(
                f"validation {self.validation} and patience {self.patience} came; expected 0 to {MOST}, and 0 or more"
            )

    @property
    def beside(self) -> Path:
        """The folder of log, plot and checkpoint."""
        return self.out.with_name(f"{self.out.name}-training")

    @property
    def checkpoint(self) -> Path:
        """The file that a run which is interrupted goes on from."""
        return self.beside / "checkpoint.safetensors"


def train(
    method: Method, dataset: DataSet, order: Order, *, data: Path, device: str, tell: Callable[[str], None]
) -> dict[str, object]:
    """Train `method`, write what comes out to `order.out`, and report, ready for `json.dumps`; `tell` gets progress.

    Raises RequestError where a folder is in the way or the set lacks what the method needs, DataError where its content
    cannot be learnt from, UnknownEncoderError and BundleError for the backbones: all before training starts.
    """
    began = time.perf_counter()
    if order.out.exists():
        raise RequestError(f"{order.out} is there already; name another folder for --out, or remove it")
    check(dataset, method)
    backbones = catalogue.bundle(order.backbones, data=data) if raw(dataset) else None
    spared = isinstance(method, Trained) or backbones is not None  # a closed form on features has no use for them
    share = order.validation if spared else 0.0
    material = gathered(dataset, backbones, share=share, seed=method.seed, device=device, tell=tell)
    tell(f"{method.name} learns from {len(material.learning)} pairs, {len(material.checking)} are held out")
    _fit(method, material, order, device, tell)
    told = _kept(method, material, order)
    order.checkpoint.unlink(missing_ok=True)
    return {
        "folder": str(order.out),
        **told,
        "method": method.name,
        "bits": method.bits,
        "pairs": len(material.learning),
        "validated_with": len(material.checking),
        "without_words": material.wordless,
        "epochs": len(method.course) if isinstance(method, Trained) else None,
        "seconds": round(time.perf_counter() - began, 1),
    }


def _fit(method: Method, material: Material, order: Order, device: str, tell: Callable[[str], None]) -> None:
    pairs = material.dataset.pairs
    learning = pairs.take(material.learning)
    images, texts = learning.features()
    if not isinstance(method, Trained):
        method.fit(images, texts, learning.labels)
        return
    if order.fresh:
        order.checkpoint.unlink(missing_ok=True)
    checking = pairs.take(material.checking) if len(material.checking) else None
    report = journal.Journal(order.beside, method.epochs, tell).report
    method.fit(
        images,
        texts,
        learning.labels,
        run=Run(device, order.half, order.patience, checking, order.checkpoint, report),
    )
    journal.plot(order.beside, f"{method.name}, {method.bits} bits, {material.dataset.name}", method.course)


def _kept(method: Method, material: Material, order: Order) -> dict[str, object]:
    """Write the bundle, or the method alone, and tell what it is."""
    if material.backbones is None:
        digest = bundling.write_method(order.out, method)
        return {"kind": "method", "digest": digest, "results": bundling.results(method, material.dataset)}
    made = bundling.write_bundle(order.out, method, material, material.backbones, licence=order.licence)
    return {"kind": "bundle", "space": made.card.space, "digest": made.model.digest, "results": made.model.results}
