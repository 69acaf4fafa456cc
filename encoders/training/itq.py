"""ITQ: the rotation that loses least when signs are taken (Gong and Lazebnik, CVPR 2011; TPAMI 2013)."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def principal(rows: Doubles, bits: int) -> Doubles:
    """The `bits` directions of largest variance about zero: [n, m] -> [m, bits]. The caller has centred the rows.

    Raises ValueError where there are fewer dimensions than bits.
    """
    if bits > rows.shape[1]:
        raise ValueError(f"{bits} bits were asked of {rows.shape[1]} dimensions; a longer code needs wider features")
    _, vectors = np.linalg.eigh(rows.T @ rows)
    top = vectors[:, ::-1][:, :bits]
    signs = np.sign(top[np.abs(top).argmax(axis=0), np.arange(bits)])  # LAPACK leaves each sign open
    return np.asarray(top * np.where(signs == 0, 1, signs))


def random_rotation(size: int, rng: np.random.Generator) -> Doubles:
    """A rotation drawn evenly from all: QR of a Gaussian matrix, its signs fixed (Mezzadri, 2007). [size, size]"""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)))


def itq(
    projected: Doubles, *, iterations: int, rng: np.random.Generator, bits: int | None = None
) -> tuple[Doubles, list[float]]:
    """Rotate so that the rows lie near the corners of a cube: min over B, R of ||B - V R||² (Eq. 2 of the paper).

    `projected` V is [n, m], centred; `bits` k >= m, by default m. Returns R [m, k], whose rows are orthonormal, and the
    loss before each turn of R and at the end; it never rises.
    """
    rotation = random_rotation(bits or projected.shape[1], rng)[: projected.shape[1]]
    losses = []
    for _ in range(iterations):
        rotated = projected @ rotation
        corners = np.where(rotated > 0, 1.0, -1.0)  # B for this R
        losses.append(float(((corners - rotated) ** 2).sum()))
        u, _, vt = np.linalg.svd(corners.T @ projected, full_matrices=False)  # R for this B: orthogonal Procrustes
        rotation = (u @ vt).T
    rotated = projected @ rotation
    losses.append(float(((np.where(rotated > 0, 1.0, -1.0) - rotated) ** 2).sum()))
    return rotation, losses
