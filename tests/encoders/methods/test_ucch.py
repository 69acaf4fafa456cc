"""UCCH: its losses against loops and finite differences, and that training lowers them."""

import numpy as np
import pytest
import torch

from encoders.methods.perceptrons import network, unit
from encoders.methods.ucch import Ucch, contrast, ranking
from tests.encoders.methods.sets import separable

RNG = np.random.default_rng(3)


def drawn(*shape: int) -> torch.Tensor:
    return torch.from_numpy(RNG.standard_normal(shape))


def test_contrast_by_loops() -> None:
    h, own, others = unit(drawn(4, 6)), drawn(4, 6), drawn(9, 6)
    same = torch.zeros(4, 9, dtype=torch.bool)
    same[2, 5] = same[0, 1] = True  # a key that is the row's own is no negative
    slow = 0.0
    for i in range(4):
        positive = float(h[i] @ own[i].sign()) / 6**0.5 / 0.7
        sums = np.exp(positive) + sum(
            np.exp(float(h[i] @ others[j].sign()) / 6**0.5 / 0.7) for j in range(9) if not same[i, j]
        )
        slow -= np.log(np.exp(positive) / sums) / 4
    assert float(contrast(h, own, others, same, 0.7)) == pytest.approx(slow)


def test_ranking_by_loops() -> None:
    similarities = torch.tensor([[0.9, 0.8, -0.5], [0.1, 0.2, 0.3], [-0.9, 0.0, 0.4]], dtype=torch.float64)
    slow = 0.0
    for scores in (similarities.numpy(), similarities.numpy().T):
        for i in range(3):
            shifted = [m if scores[i, i] - m <= 0.2 else m - 1 for m in scores[i]]
            slow += (0.2 + np.log(np.exp(shifted).sum()) - scores[i, i]) / 3
    assert float(ranking(similarities, margin=0.2, shift=1.0)) == pytest.approx(slow)


def test_gradients_by_finite_differences() -> None:
    """Away from the edge of the margin, where the ranking loss jumps."""
    own, others, same = drawn(4, 6), drawn(9, 6), torch.zeros(4, 9, dtype=torch.bool)
    raw = drawn(4, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: contrast(unit(x.tanh()), own, others, same, 0.9), raw)
    images, texts = (drawn(4, 6).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(
        lambda x, y: ranking(unit(x.tanh()) @ unit(y.tanh()).T, margin=0.2, shift=1.0), (images, texts)
    )


def test_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = network(5, 8, 16, torch.Generator().manual_seed(4))
    torch.manual_seed(2)
    second = network(5, 8, 16, torch.Generator().manual_seed(4))
    assert all((a == b).all() for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_training_lowers_the_loss_and_leaves_other_random_numbers_alone() -> None:
    made = separable(64, 1)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    method = Ucch(16, width=32, batch=32, epochs=30, rate=1e-3).fit(made.images, made.texts)
    assert (torch.rand(3) == expected).all()
    assert len(method.losses) == 30
    assert max(method.losses[-5:]) < min(method.losses[:5])


def test_codes_are_those_of_the_network() -> None:
    made = separable(64, 1)
    learnt = (method := Ucch(16, width=32, epochs=2).fit(made.images, made.texts)).learnt
    rows = (made.images - learnt["image_mean"]) / made.images.std(axis=0)
    first = np.maximum(rows @ learnt["image_00_weight"].T + learnt["image_01_bias"], 0)
    second = np.maximum(first @ learnt["image_02_weight"].T + learnt["image_03_bias"], 0)
    last = second @ learnt["image_04_weight"].T + learnt["image_05_bias"]
    assert method.relax_images(made.images) == pytest.approx(last)
