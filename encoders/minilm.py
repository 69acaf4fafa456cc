"""The text tower of the default encoder: all-MiniLM-L6-v2 (Reimers and Gurevych, EMNLP 2019; Wang et al., 2020)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from encoders.bert import Bert
from encoders.device import Device
from encoders.pooling import clean, pooled
from encoders.towers import Floats
from encoders.weights import Weights


class MiniLM:
    """Features: the mean of the last layer over the tokens, of length 1."""

    def __init__(self, weights: Weights, device: Device, *, prefix: str, max_tokens: int) -> None:
        self._device, self._prefix, self._max_tokens = device, prefix, max_tokens
        self._network = Bert.read(weights.folder).eval().to(device.torch)
        self._tokenizer = Tokenizer.from_file(str(weights.folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()
        self.width = self._network.config.hidden_size

    def features(self, texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """n texts -> float32 [n, width] and which of them hold any word."""
        tokens = [self._tokenizer.encode(self._prefix + clean(text, self._max_tokens)).ids for text in texts]
        spoken = np.array([len(ids) > 2 for ids in tokens], dtype=bool)  # the two are [CLS] and [SEP]
        result = np.zeros((len(texts), self.width), dtype=np.float32)
        result[spoken] = pooled(self._network, self._device, [ids for ids in tokens if len(ids) > 2])
        return result, spoken
