"""Our contrastive head: its losses against loops, hand-worked numbers and finite differences, and what it refuses."""

import numpy as np
import pytest
import torch

from encoders.methods.contrastive import Contrastive, balance, contrast, correlation, quantisation
from mappings.errors import RequestError
from tests.encoders.methods.sets import separable

RNG = np.random.default_rng(6)


def drawn(*shape: int) -> torch.Tensor:
    return torch.from_numpy(RNG.standard_normal(shape))


def test_contrast_by_loops() -> None:
    images, texts = drawn(4, 6), drawn(4, 6)
    slow = 0.0
    for asked, stored in ((images, texts), (texts, images)):
        for i in range(4):
            odds = [np.exp(float(asked[i] @ stored[j] / asked[i].norm() / stored[j].norm()) / 0.3) for j in range(4)]
            slow -= np.log(odds[i] / sum(odds)) / 8
    assert float(contrast(images, texts, temperature=0.3)) == pytest.approx(slow)


def test_terms_on_numbers_worked_out_by_hand() -> None:
    h = torch.tensor([[1.0, 0.5], [-0.5, 0.5]], dtype=torch.float64)
    assert float(quantisation(h)) == pytest.approx(3 * 0.25 / 4)
    assert float(balance(h)) == pytest.approx((0.25**2 + 0.5**2) / 2)
    assert float(correlation(h)) == pytest.approx(((0.5 - 0.25) / 2) ** 2)
    even = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert [float(term(even)) for term in (quantisation, balance, correlation)] == [0, 0, 0]


def test_gradients_by_finite_differences() -> None:
    images, texts = (drawn(5, 6).requires_grad_() for _ in range(2))
    check = torch.autograd.gradcheck
    assert check(lambda x, y: contrast(x.tanh(), y.tanh(), temperature=0.2), (images, texts))
    for term in (quantisation, balance, correlation):
        assert check(lambda x, term=term: term(x.tanh()), images)


def test_training_lowers_every_part_that_it_can() -> None:
    made = separable(64, 1)
    method = Contrastive(16, width=32, batch=32, epochs=30, rate=1e-3).fit(made.images, made.texts)
    first, last = method.course[0].losses, method.course[-1].losses
    assert list(first) == ["contrast", "quantisation", "balance", "decorrelation"]
    assert last["contrast"] < first["contrast"]
    assert last["quantisation"] < first["quantisation"]
    assert method.course[-1].loss < method.course[0].loss


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"dropout": -0.1}, {"temperature": 0.0}, {"epochs": 0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RequestError, match="came; expected"):
        Contrastive(16, **wrong)  # type: ignore[arg-type]
