"""The text tower for all languages but English: multilingual-e5-small (Wang et al., 2024)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace

from encoders import e5_file
from encoders.device import Device
from encoders.pooling import clean, pooled
from encoders.towers import Floats
from encoders.weights import Weights


class E5:
    """Features: the mean of the last layer over the tokens, of length 1."""

    def __init__(self, weights: Weights, device: Device, *, prefix: str, max_tokens: int) -> None:
        self._device, self._prefix, self._max_tokens = device, prefix, max_tokens
        file = e5_file.read(weights.folder / weights.files[0])
        self._network = file.network.eval().to(device.torch)
        self._begin, self._end, self._normal = file.begin, file.end, file.normal
        self._tokenizer = Tokenizer(Unigram(file.pieces, file.unknown, False))
        self._tokenizer.pre_tokenizer = Metaspace()
        self._tokenizer.enable_truncation(max_tokens - 2)  # the two are <s> and </s>
        self.width = self._network.config.hidden_size

    def features(self, texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """n texts -> float32 [n, width] and which of them hold any word."""
        cleaned = [self._cleaned(text) for text in texts]
        spoken = np.array([bool(text) for text in cleaned], dtype=bool)
        result = np.zeros((len(texts), self.width), dtype=np.float32)
        result[spoken] = pooled(self._network, self._device, [self._tokens(text) for text in cleaned if text])
        return result, spoken

    def _cleaned(self, text: str) -> str:
        """Unicode's compatibility forms, with which the vocabulary was made, and one space between words."""
        return " ".join(clean(text, self._max_tokens).translate(self._normal).split())

    def _tokens(self, text: str) -> list[int]:
        return [self._begin, *self._tokenizer.encode(self._prefix + text).ids, self._end]
