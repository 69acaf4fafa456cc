"""Near-duplicate pictures, by difference hash: a split that parts twins measures memory, not search."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import block_array, csr_array, hstack
from scipy.sparse.csgraph import connected_components

NEAR = 2  # bits of 64 that a near-duplicate's hash may differ in


def difference_hash(picture: Image.Image) -> NDArray[np.uint8]:
    """dHash (Krawetz, 2013): whether each of 8 x 8 gray cells is brighter than its left neighbour. -> uint8 [8]"""
    gray = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BICUBIC), dtype=np.int16)
    return np.packbits(gray[:, 1:] > gray[:, :-1])


def groups(hashes: NDArray[np.uint8], *, near: int = NEAR) -> NDArray[np.int64]:
    """Group number of each picture: those within `near` bits, and all that hang together, share one. [n, 8] -> [n]"""
    whole = np.ascontiguousarray(hashes).view(np.uint64)[:, 0]
    parent = list(range(len(hashes)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for row in range(len(hashes) - 1):
        apart = np.bitwise_count(whole[row] ^ whole[row + 1 :])
        for other in np.flatnonzero(apart <= near):
            parent[root(row + 1 + int(other))] = root(row)
    return np.array([root(node) for node in range(len(hashes))], dtype=np.int64)


def whole_groups(groups: NDArray[np.int64], most: int, *, seed: int) -> NDArray[np.bool_]:
    """Which rows a draw of `most` at most takes, [n] -> [n]: random groups, each whole, as long as they fit."""
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    chosen: list[int] = []
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        if sizes[group] <= most:
            chosen.append(int(group))
            most -= int(sizes[group])
    return np.isin(which, chosen)


def together(*groupings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups of what shares a group in one grouping or another, and all that hangs together so. Each [n] -> [n]"""
    count, columns = len(groupings[0]), []
    for groups in groupings:
        kinds, which = np.unique(groups, return_inverse=True)
        columns.append(csr_array((np.ones(count), (np.arange(count), which)), shape=(count, len(kinds))))
    of_groups = hstack(columns, format="csr")
    return np.asarray(connected_components(block_array([[None, of_groups], [of_groups.T, None]]))[1][:count])
