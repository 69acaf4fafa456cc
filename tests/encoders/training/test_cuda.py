"""Training on a GPU: it learns what the CPU learns, and goes on after an interruption. Skipped where there is none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from encoders.methods import named
from encoders.methods.trained import Run, Trained
from encoders.training.loop import Epoch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
METHODS = ("ucch", "contrastive")
EPOCHS = 4


class Killed(Exception):
    """The process ends here."""


def pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 4, 256)
    hidden = 3 * rng.standard_normal((4, 8))[kinds] + rng.standard_normal((256, 8))
    sides = [hidden @ rng.standard_normal((8, width)) for width in (40, 30)]
    return sides[0], sides[1], np.eye(4, dtype=bool)[kinds]


def fitted(name: str, run: Run) -> Trained:
    method = named(name)(32, seed=1, epochs=EPOCHS, batch=64)
    assert isinstance(method, Trained)
    return method.fit(*pairs(), run=run)


@pytest.mark.parametrize("name", METHODS)
def test_the_losses_are_those_of_the_cpu(name: str) -> None:
    here, there = (fitted(name, Run(device)).losses for device in ("cpu", "cuda"))
    assert there == pytest.approx(here, rel=3e-2), "dropout draws other numbers there"


@pytest.mark.parametrize("name", METHODS)
def test_bfloat16_comes_near(name: str) -> None:
    whole, half = (fitted(name, Run("cuda", half=half)).losses for half in (False, True))
    assert half == pytest.approx(whole, rel=5e-2)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_that_was_stopped_ends_with_the_same_codes(name: str, tmp_path: Path) -> None:
    def stop(epochs: Sequence[Epoch]) -> None:
        if len(epochs) == 2:
            raise Killed

    images, texts, _ = pairs()
    kept = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        fitted(name, Run("cuda", checkpoint=kept, report=stop))
    resumed, whole = fitted(name, Run("cuda", checkpoint=kept)), fitted(name, Run("cuda"))
    assert resumed.losses == whole.losses
    assert (resumed.encode_images(images) == whole.encode_images(images)).all()
    assert (resumed.encode_texts(texts) == whole.encode_texts(texts)).all()
