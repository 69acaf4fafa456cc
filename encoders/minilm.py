"""The text tower of the default encoder: all-MiniLM-L6-v2 (Reimers and Gurevych, EMNLP 2019; Wang et al., 2020)."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from encoders.bert import Bert
from encoders.device import Device
from encoders.towers import Floats
from encoders.weights import Weights

BUCKETS = (8, 16, 32, 64, 128, 256)  # tokens a row is padded to
CHARACTERS = 20  # a token, at most: cutting there first keeps a text of megabytes from being tokenised whole


class MiniLM:
    """Features: the mean of the last layer over the tokens, of length 1."""

    def __init__(self, weights: Weights, device: Device, *, prefix: str, max_tokens: int) -> None:
        self._device, self._prefix, self._max_tokens = device, prefix, max_tokens
        self._network = Bert(weights.folder).eval().to(device.torch)
        self._tokenizer = Tokenizer.from_file(str(weights.folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()
        self.width = self._network.config.hidden_size

    def features(self, texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """Each row is padded to its own bucket, so it never meets a longer one that would change its rounding."""
        tokens = [self._tokenizer.encode(self._prefix + clean(text, self._max_tokens)).ids for text in texts]
        result = np.zeros((len(texts), self.width), dtype=np.float32)
        spoken = np.array([len(ids) > 2 for ids in tokens], dtype=bool)  # the two are [CLS] and [SEP]
        for size in BUCKETS:
            rows = [i for i, ids in enumerate(tokens) if spoken[i] and _bucket(len(ids)) == size]
            for start in range(0, len(rows), self._device.text_chunk):
                chunk = rows[start : start + self._device.text_chunk]
                result[chunk] = self._embed([tokens[i] for i in chunk], size)
        return result, spoken

    @torch.inference_mode()
    def _embed(self, tokens: list[list[int]], size: int) -> Floats:
        """Token ids of one bucket -> float32 [n, width], unit length."""
        padded = np.array([ids + [0] * (size - len(ids)) for ids in tokens], dtype=np.int64)
        lengths = np.array([[len(ids)] for ids in tokens], dtype=np.int64)
        words, counts = (
            torch.from_numpy(self._device.fill(rows, self._device.text_chunk)).to(self._device.torch)
            for rows in (padded, lengths)
        )
        mask = torch.arange(size, device=words.device) < counts
        with self._device.precision():
            states = self._network(words, mask)
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
