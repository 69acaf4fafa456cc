"""Each method's objective against a slow obvious twin: the same number, and it never rises."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from encoders import methods
from encoders.methods import cmfh, kernels, seph
from encoders.methods.cca import Cca, canonical, repeated, whitening
from encoders.methods.cmfh import Cmfh
from encoders.methods.itq import CcaItq, Itq
from encoders.methods.lsh import Lsh
from encoders.methods.scm import ScmOrthogonal, ScmSequential, strongest
from encoders.methods.seph import Seph, divergence
from encoders.methods.stmh import SMALLEST, Stmh, halves
from encoders.training.itq import itq
from tests.encoders.methods.sets import separable

MADE = separable(60, 4)
RNG = np.random.default_rng(5)


def falls(losses: list[float]) -> bool:
    """Never rises, but for rounding, and falls at last."""
    slack = 1e-9 * max(map(abs, losses))
    return len(losses) > 1 and losses[-1] < losses[0] and all(b <= a + slack for a, b in pairwise(losses))


def similarities(labels: np.ndarray) -> np.ndarray:
    """SCM's S, the slow way: 2 cos - 1 of label rows."""
    n, labels = len(labels), labels.astype(float)
    cosine = [[labels[i] @ labels[j] / np.sqrt(labels[i].sum() * labels[j].sum()) for j in range(n)] for i in range(n)]
    return 2 * np.array(cosine, dtype=float) - 1


def test_cca_finds_the_correlations_of_the_eigenvalue_problem() -> None:
    """ρ² are the eigenvalues of Cxx⁻¹ Cxy Cyy⁻¹ Cyx, and what the projections correlate by."""
    x, y = (side - side.mean(axis=0) for side in (MADE.images, MADE.texts))
    first, second, correlations = canonical(MADE.images, MADE.texts, penalty=0)
    system = np.linalg.solve(x.T @ x, x.T @ y) @ np.linalg.solve(y.T @ y, y.T @ x)
    assert np.sort(np.linalg.eigvals(system).real)[::-1][:9] == pytest.approx(correlations**2)
    measured = [np.corrcoef(x @ a, y @ b)[0, 1] for a, b in zip(first.T, second.T, strict=True)]
    assert measured == pytest.approx(correlations)
    assert first.T @ x.T @ x @ first / 60 == pytest.approx(np.eye(9), abs=1e-8)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])
def test_whitened_features_have_the_variance_that_the_penalty_leaves(shape: tuple[int, int]) -> None:
    """Of more columns than rows too, whose covariance has as many directions that vary as there are rows, less one."""
    x = RNG.standard_normal(shape)
    x -= x.mean(axis=0)
    covariance = x.T @ x / len(x)
    known = whitening(x, penalty=0.1)
    assert known.shape == (shape[1], min(shape) - (shape[0] < shape[1]))
    shrunk = covariance + 0.1 * np.trace(covariance) / len(covariance) * np.eye(shape[1])
    assert known.T @ shrunk @ known == pytest.approx(np.eye(known.shape[1]), abs=1e-8)


def test_cca_leaves_out_directions_that_do_not_vary() -> None:
    topics = np.exp(MADE.texts)
    topics /= topics.sum(axis=1, keepdims=True)  # shares of topics add up to 1: one dimension says nothing
    assert len(canonical(MADE.images, topics, penalty=1e-3)[2]) == 8


def test_longer_codes_repeat_the_directions_that_agree_most() -> None:
    directions = np.arange(6.0).reshape(2, 3)
    assert repeated(directions, 5).tolist() == [[0, 1, 2, 0, 1], [3, 4, 5, 3, 4]]
    codes = Cca(32).fit(MADE.images, MADE.texts).relax_texts(MADE.texts)
    assert (codes[:, :9] == codes[:, 9:18]).all()


def test_lsh_is_hyperplanes_on_scaled_projections() -> None:
    first, _, correlations = canonical(MADE.images, MADE.texts, penalty=1e-3)
    planes = np.random.default_rng(8).standard_normal((9, 16))
    expected = (MADE.images - MADE.images.mean(axis=0)) @ first * correlations @ planes
    assert Lsh(16, seed=8).fit(MADE.images, MADE.texts).relax_images(MADE.images) == pytest.approx(expected)


def test_itq_with_more_bits_than_dimensions() -> None:
    rows = RNG.standard_normal((50, 5))
    rotation, losses = itq(rows, bits=16, iterations=20, rng=np.random.default_rng(0))
    assert rotation @ rotation.T == pytest.approx(np.eye(5), abs=1e-12)
    slow = sum((np.sign(value) - value) ** 2 for row in rows @ rotation for value in row)
    assert losses[-1] == pytest.approx(slow)
    assert falls(losses)


@pytest.mark.parametrize("method", [Itq(16), Itq(32), CcaItq(16), CcaItq(64)])
def test_itq_never_rises(method: Itq | CcaItq) -> None:
    assert falls(method.fit(MADE.images, MADE.texts).losses)


def test_cca_itq_rotates_both_sides_by_one_matrix() -> None:
    rng = np.random.default_rng(1)
    images = rng.standard_normal((200, 30))
    texts = images @ rng.standard_normal((30, 25)) + rng.standard_normal((200, 25))
    first, second, correlations = canonical(images, texts, penalty=1e-3)
    learnt = CcaItq(16).fit(images, texts).learnt
    rotations = [
        np.linalg.lstsq(directions[:, :16] * correlations[:16], learnt[f"{side}_projection"], rcond=None)[0]
        for side, directions in (("image", first), ("text", second))
    ]
    assert rotations[0] == pytest.approx(rotations[1])
    assert rotations[0] @ rotations[0].T == pytest.approx(np.eye(16), abs=1e-9)


def test_cmfh_objective_by_loops() -> None:
    method = Cmfh(16, share=0.3, projecting=5.0, penalty=0.2)
    sides = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 2))
    latent = RNG.standard_normal((4, 16))
    loadings = [RNG.standard_normal((16, side.shape[1])) for side in sides]
    projections = [RNG.standard_normal((side.shape[1], 16)) for side in sides]
    slow = 0.0
    for side, share, loading, projection in zip(sides, (0.3, 0.7), loadings, projections, strict=True):
        for i in range(4):
            slow += share * sum((side[i, d] - latent[i] @ loading[:, d]) ** 2 for d in range(side.shape[1]))
            slow += 5.0 * sum((latent[i, b] - side[i] @ projection[:, b]) ** 2 for b in range(16))
        slow += 0.2 * sum(value**2 for matrix in (loading, projection) for value in matrix.flat)
    slow += 0.2 * sum(value**2 for value in latent.flat)
    held = [cmfh.Side.of(side, share) for side, share in zip(sides, (0.3, 0.7), strict=True)]
    inner = [latent.T @ side for side in sides]
    assert method.objective(held, latent, inner, loadings, projections) == pytest.approx(slow)


def test_cmfh_never_rises_and_codes_the_pairs() -> None:
    method = Cmfh(16, seed=2).fit(MADE.images, MADE.texts)
    assert falls(method.losses)
    assert method.training_codes is not None
    assert method.training_codes.shape == (60, 2)


def test_cmfh_of_fewer_pairs_than_features_is_the_same_in_the_space_of_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, texts = RNG.standard_normal((20, 50)), RNG.standard_normal((20, 8))
    turned = Cmfh(16, seed=1).fit(images, texts)
    monkeypatch.setattr(cmfh, "spanned", lambda side: (side, lambda projection: projection))
    plain = Cmfh(16, seed=1).fit(images, texts)
    assert turned.losses == pytest.approx(plain.losses)
    np.testing.assert_allclose(turned.relax_images(images), plain.relax_images(images), atol=1e-6)


def test_scm_sequential_residue_by_the_whole_matrix() -> None:
    """The same as with S made, n x n; on separable classes each bit lowers it."""
    method = ScmSequential(16).fit(MADE.images, MADE.texts, MADE.labels)
    left = 16 * similarities(MADE.labels)
    slow = [(left**2).sum()]
    signs = [
        np.where((side - side.mean(axis=0)) @ method.learnt[f"{name}_projection"] > 0, 1, -1)
        for name, side in (("image", MADE.images), ("text", MADE.texts))
    ]
    for s, r in zip(signs[0].T, signs[1].T, strict=True):
        left = left - np.outer(s, r)
        slow.append((left**2).sum())
    assert method.losses == pytest.approx(slow)
    assert falls(method.losses)


def test_scm_orthogonal_reaches_the_most_that_its_constraints_allow() -> None:
    """tr(Wxᵀ Xᵀ S Y Wy) is the sum of singular values; no other directions of unit variance do better."""
    x, y = (side - side.mean(axis=0) for side in (MADE.images, MADE.texts))
    weighted = x.T @ similarities(MADE.labels) @ y
    learnt = ScmOrthogonal(16, penalty=0).fit(MADE.images, MADE.texts, MADE.labels).learnt
    first, second = (learnt[f"{side}_projection"][:, :3] for side in ("image", "text"))
    reached = np.trace(first.T @ weighted @ second)
    white_x, white_y = whitening(x, penalty=0), whitening(y, penalty=0)
    assert reached == pytest.approx(np.linalg.svd(white_x.T @ weighted @ white_y)[1][:3].sum())
    for _ in range(20):
        a, b = (np.linalg.qr(RNG.standard_normal((w.shape[1], 3)))[0] for w in (white_x, white_y))
        assert np.trace((white_x @ a).T @ weighted @ (white_y @ b)) < reached


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (300, 200), (200, 300)])
def test_the_strongest_directions_are_those_of_the_svd(shape: tuple[int, int]) -> None:
    matrix = RNG.standard_normal(shape)
    a, b = strongest(matrix)
    assert a @ matrix @ b == pytest.approx(np.linalg.svd(matrix)[1][0])
    assert [np.linalg.norm(a), np.linalg.norm(b)] == pytest.approx([1, 1])


def test_stmh_objective_by_loops() -> None:
    method = Stmh(16, share=0.3, joining=0.7, penalty=0.2)
    x, y = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 2))
    topics, rebuilding = RNG.standard_normal((16, 2)), RNG.standard_normal((16, 3))
    turning, concepts = RNG.standard_normal((16, 16)), RNG.standard_normal((4, 16))
    chosen = halves(RNG.standard_normal((4, 16)))
    slow = 0.0
    for i in range(4):
        slow += 0.3 * np.sqrt(((x[i] - concepts[i] @ rebuilding) ** 2).sum() + SMALLEST)
        slow += 0.7 * sum(((y[i] - topics[j]) ** 2).sum() for j in range(16) if chosen[i, j])
        slow += 0.7 * ((chosen[i] - concepts[i] @ turning) ** 2).sum()
    slow += 0.2 * sum(value**2 for matrix in (rebuilding, concepts, topics, turning) for value in matrix.flat)
    assert method.objective(x, y, topics, rebuilding, turning, concepts, chosen) == pytest.approx(slow)


def test_stmh_never_rises_and_each_code_has_half_of_its_bits() -> None:
    method = Stmh(32, seed=2, tolerance=0).fit(MADE.images, MADE.texts)
    assert falls(method.losses)
    for codes in (method.training_codes, method.encode_images(MADE.images), method.encode_texts(MADE.texts)):
        assert codes is not None
        assert (np.bitwise_count(codes).sum(axis=1) == 16).all()


@pytest.mark.parametrize("seed", range(4))
def test_stmh_parts_the_pairs_by_every_topic(seed: int) -> None:
    """A topic of all texts, or of none, is a bit that ranks stored pictures the same for every query."""
    codes = Stmh(32, seed=seed).fit(MADE.images, MADE.texts).training_codes
    assert codes is not None
    share = np.unpackbits(codes, axis=1).mean(axis=0)
    assert share.min() > 0
    assert share.max() < 1


def slow_divergence(codes: np.ndarray, labels: np.ndarray, quantising: float) -> float:
    n, labels = len(codes), labels.astype(float)
    affinity, near = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                affinity[i, j] = labels[i] @ labels[j] / np.sqrt(labels[i].sum() * labels[j].sum())
                near[i, j] = 1 / (1 + ((codes[i] - codes[j]) ** 2).sum() / 4)
    p, q = affinity / affinity.sum(), near / near.sum()
    kl = sum(p[i, j] * np.log(p[i, j] / q[i, j]) for i in range(n) for j in range(n) if p[i, j] > 0)
    return float(kl + quantising * ((np.abs(codes) - 1) ** 2).mean())


def unit(labels: np.ndarray) -> np.ndarray:
    return np.asarray(labels / np.sqrt(labels.sum(axis=1, keepdims=True)))


def test_seph_divergence_by_loops_and_its_gradient_by_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seph, "BLOCK", 5)
    codes = RNG.standard_normal((13, 6))
    labels = RNG.random((13, 4)) < 0.4
    labels[:, 0] |= ~labels.any(axis=1)
    loss, slope = divergence(codes, unit(labels), quantising=0.3)
    assert loss == pytest.approx(slow_divergence(codes, labels, 0.3))
    for i, b in [(0, 0), (4, 3), (12, 5), (7, 1)]:
        step = np.zeros_like(codes)
        step[i, b] = 1e-5
        moved = [slow_divergence(codes + sign * step, labels, 0.3) for sign in (1, -1)]
        assert slope[i, b] == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-4, abs=1e-9)


def test_seph_never_rises_and_separates_the_classes() -> None:
    method = Seph(16, seed=2, kernels=20).fit(MADE.images, MADE.texts, MADE.labels)
    assert falls(method.losses)
    assert method.training_codes is not None
    assert len(np.unique(method.training_codes, axis=0)) == 4


QUICK: dict[str, dict[str, object]] = {
    "seph-km": {"kernels": 20, "iterations": 2, "regressions": 5},
    "cmfh": {"iterations": 3},
}


TORCH = (
    "ucch",
    "contrastive",
)  # whose memory tracemalloc does not see; their networks are as wide as 512 columns a row
OURS = [name for name in methods.METHODS if name not in TORCH]


@pytest.mark.parametrize("name", OURS)
def test_no_method_makes_a_matrix_of_all_pairs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seph, "BLOCK", 64)
    made, method = separable(4000, 1), methods.named(name)(16, **QUICK.get(name, {}))
    tracemalloc.start()
    method.fit(made.images, made.texts, made.labels)
    method.encode_images(made.images)
    method.encode_texts(made.texts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000 * 4 / 1.5  # bytes, of float32


def test_logistic_regressions_never_rise_and_end_at_the_minimum() -> None:
    known, bits = RNG.standard_normal((40, 5)), RNG.random((40, 3)) < 0.4

    def loss(weights: np.ndarray) -> float:
        total = 0.1 / 2 * (weights[:-1] ** 2).sum()
        for i in range(40):
            for b in range(3):
                odds = known[i] @ weights[:-1, b] + weights[-1, b]
                total += np.log1p(np.exp(-odds if bits[i, b] else odds))
        return float(total)

    losses = [loss(kernels.logistic(known, bits, penalty=0.1, iterations=count)) for count in range(12)]
    assert falls(losses)
    best = kernels.logistic(known, bits, penalty=0.1, iterations=500)
    for place in [(0, 0), (5, 2), (3, 1)]:
        step = np.zeros_like(best)
        step[place] = 1e-4
        assert min(loss(best + step), loss(best - step)) >= loss(best)


def test_k_means_centres_by_hand() -> None:
    rows = np.array([[0.0], [1.0], [10.0], [11.0]])
    for seed in range(5):
        assert sorted(kernels.centres(rows, 2, np.random.default_rng(seed)).ravel()) == [0.5, 10.5]
    assert kernels.centres(rows, 9, np.random.default_rng(0)).shape == (4, 1)


def test_rbf_by_hand() -> None:
    rows, centres = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 0.0]])
    assert kernels.squares(rows, centres).tolist() == [[25, 0]]
    assert kernels.width(rows, centres) == pytest.approx(np.sqrt(12.5))
    assert kernels.rbf(rows, centres, 5.0)[0] == pytest.approx([np.exp(-0.5), 1])
