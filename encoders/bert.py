"""BERT's encoder (Devlin et al., NAACL 2019) for inference, on weights in the transformers layout.

Written out because importing transformers takes longer (17 s of one core) than encoding a thousand records; a test
holds both to the same values.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional


class BertConfig(msgspec.Struct, frozen=True):
    """What `config.json` says of the sizes; other keys are for training."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float


class Bert(torch.nn.Module):
    """Token ids to the last layer's states: (batch, length) -> (batch, length, hidden)."""

    def __init__(self, config: BertConfig, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.config = config
        for name, tensor in tensors.items():
            self.register_buffer(name.replace(".", "/"), tensor)  # a dot would mean a submodule

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The network in a transformers folder, without its pooler."""
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=BertConfig)
        tensors = load_file(folder / "model.safetensors")
        return cls(config, {n: t for n, t in tensors.items() if t.is_floating_point() and not n.startswith("pooler")})

    def words(self, ids: Tensor) -> Tensor:
        """Token ids to their embeddings: (batch, length) -> (batch, length, hidden)."""
        return self._tensor("embeddings.word_embeddings.weight")[ids]

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """`mask` is true where a token stands, (batch, length)."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        kind = self._tensor("embeddings.token_type_embeddings.weight")[0]
        states = self.words(ids) + kind
        states = states + self._tensor("embeddings.position_embeddings.weight")[positions]
        states = self._norm(states, "embeddings.LayerNorm")
        for number in range(self.config.num_hidden_layers):
            layer = f"encoder.layer.{number}"
            attended = self._linear(self._attend(states, mask, layer), f"{layer}.attention.output.dense")
            states = self._norm(states + attended, f"{layer}.attention.output.LayerNorm")
            inner = functional.gelu(self._linear(states, f"{layer}.intermediate.dense"))
            states = self._norm(states + self._linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return states

    def _attend(self, states: Tensor, mask: Tensor, layer: str) -> Tensor:
        def heads(name: str) -> Tensor:  # (batch, heads, length, hidden / heads)
            flat = self._linear(states, f"{layer}.attention.self.{name}")
            return flat.view(*flat.shape[:2], count, -1).transpose(1, 2)

        count = self.config.num_attention_heads
        mixed = functional.scaled_dot_product_attention(
            heads("query"), heads("key"), heads("value"), attn_mask=mask[:, None, None, :]
        )
        return mixed.transpose(1, 2).flatten(2)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias"))

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")
        return functional.layer_norm(x, x.shape[-1:], weight, bias, self.config.layer_norm_eps)

    def _tensor(self, name: str) -> Tensor:
        return self.get_buffer(name.replace(".", "/"))
