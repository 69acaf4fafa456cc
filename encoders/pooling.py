"""One vector a text: the mean of a BERT's last layer over the tokens, of length 1."""

from collections.abc import Sequence

import numpy as np
import torch

from encoders.bert import Bert
from encoders.device import Device
from encoders.towers import Floats

BUCKETS = (8, 16, 32, 64, 128, 256)  # tokens a row is padded to
CHARACTERS = 20  # a token, at most: cutting there first keeps a text of megabytes from being tokenised whole


def pooled(network: Bert, device: Device, tokens: Sequence[list[int]]) -> Floats:
    """Token ids of n texts, none longer than the largest bucket -> float32 [n, hidden], unit length.

    Each row is padded to its own bucket, so it never meets a longer one that would change its rounding.
    """
    result = np.zeros((len(tokens), network.config.hidden_size), dtype=np.float32)
    for size in BUCKETS:
        rows = [row for row, ids in enumerate(tokens) if _bucket(len(ids)) == size]
        for start in range(0, len(rows), device.text_chunk):
            chunk = rows[start : start + device.text_chunk]
            result[chunk] = _mean(network, device, [tokens[row] for row in chunk], size)
    return result


@torch.inference_mode()
def _mean(network: Bert, device: Device, tokens: list[list[int]], size: int) -> Floats:
    """Token ids of one bucket -> float32 [n, hidden], unit length."""
    padded = np.array([ids + [0] * (size - len(ids)) for ids in tokens], dtype=np.int64)
    lengths = np.array([[len(ids)] for ids in tokens], dtype=np.int64)
    words, counts = (
        torch.from_numpy(device.fill(rows, device.text_chunk)).to(device.torch) for rows in (padded, lengths)
    )
    mask = torch.arange(size, device=words.device) < counts
    with device.precision():
        states = network(words, mask)
    weights = mask[:, :, None].float()
    mean = (states.float() * weights).sum(dim=1) / weights.sum(dim=1)
    unit: Floats = torch.nn.functional.normalize(mean, dim=1)[: len(tokens)].cpu().numpy()
    return unit


def clean(text: str, max_tokens: int) -> str:
    """One space between words, no lone surrogates (JSON can carry them, tokenizers refuse them), no excess."""
    limit = max_tokens * CHARACTERS
    return " ".join(text[: 4 * limit].encode("utf-8", "replace").decode().split())[:limit]


def _bucket(length: int) -> int:
    return next(size for size in BUCKETS if length <= size)
