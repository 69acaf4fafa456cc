"""CLIP- and SigLIP-like pairs of towers (Radford et al., ICML 2021; Zhai et al., ICCV 2023) in transformers' form."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from encoders.device import Device
from encoders.pooling import clean
from encoders.towers import Floats, PictureTower, Pixels, TextTower
from encoders.weights import Weights
from mappings.errors import BundleError


def clip_towers(weights: Weights, device: Device) -> tuple[TextTower, PictureTower]:
    """Both towers of one model. Raises BundleError where the folder holds no model with text and picture features."""
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer  # takes many seconds to import

    try:  # safetensors only: a pickle can run code, and so can code that comes with a model
        model = AutoModel.from_pretrained(
            weights.folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(weights.folder, local_files_only=True, trust_remote_code=False)
        processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            weights.folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, ImportError) as error:  # what transformers raises for files that do not fit
        first = str(error).strip().partition("\n")[0]
        raise BundleError(f"{weights.folder} cannot be loaded as a CLIP-like model: {first}; fetch it whole") from error
    if not hasattr(model, "get_text_features") or not hasattr(model, "get_image_features"):
        raise BundleError(f"{weights.folder} is a {type(model).__name__}; expected one with text and picture features")
    model = model.eval().to(device.torch)
    return ClipText(model, tokenizer, device), ClipPicture(model, processor, device)


class ClipText:
    """Text features of length 1; every text is padded to the model's full length, so that shapes are fixed."""

    def __init__(self, model: torch.nn.Module, tokenizer: object, device: Device) -> None:
        self._model, self._tokenizer, self._device = model, tokenizer, device
        self._length: int = model.config.text_config.max_position_embeddings  # type: ignore[union-attr, assignment]
        self.width = self._embed([""]).shape[1]

    def features(self, texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """n texts -> float32 [n, width] and which of them hold any word."""
        cleaned = [clean(text, self._length) for text in texts]
        spoken = np.array(
            [any(char.isprintable() and not char.isspace() for char in text) for text in cleaned], dtype=bool
        )
        result = np.zeros((len(texts), self.width), dtype=np.float32)
        rows = np.flatnonzero(spoken)
        for start in range(0, len(rows), self._device.text_chunk):
            chunk = rows[start : start + self._device.text_chunk]
            result[chunk] = self._embed([cleaned[row] for row in chunk])
        return result, spoken

    @torch.inference_mode()
    def _embed(self, texts: list[str]) -> Floats:
        tokens = self._tokenizer(texts, padding="max_length", truncation=True, max_length=self._length)  # type: ignore[operator]
        inputs = {
            name: torch.from_numpy(self._device.fill(np.array(tokens[name]), self._device.text_chunk)).to(
                self._device.torch
            )
            for name in ("input_ids", "attention_mask")
            if name in tokens
        }
        with self._device.precision():
            found = self._model.get_text_features(**inputs)  # type: ignore[operator]
        return _unit(found)[: len(texts)]


class ClipPicture:
    """Picture features of length 1; resized and cropped as the model's own settings say."""

    def __init__(self, model: torch.nn.Module, processor: object, device: Device) -> None:
        self._model, self._processor, self._device = model, processor, device
        self._mean = torch.tensor(processor.image_mean).view(1, 3, 1, 1)  # type: ignore[attr-defined]
        self._deviation = torch.tensor(processor.image_std).view(1, 3, 1, 1)  # type: ignore[attr-defined]
        self.chunk = device.picture_chunk
        blank = self.prepare(Image.new("RGB", (64, 64)))
        self.side = max(blank.shape[:2])
        self.width = self.features(blank[None]).shape[1]

    def prepare(self, picture: Image.Image) -> Pixels:
        """Resized and cropped, not yet scaled: bytes are a quarter of what floats would be between threads."""
        made = self._processor(picture, do_rescale=False, do_normalize=False, return_tensors="np")  # type: ignore[operator]
        pixels: Pixels = np.clip(np.rint(made["pixel_values"][0]), 0, 255).astype(np.uint8).transpose(1, 2, 0)
        return pixels

    @torch.inference_mode()
    def features(self, pictures: Pixels) -> Floats:
        """uint8 [n, height, width, 3] -> float32 [n, width]."""
        batch = torch.from_numpy(self._device.fill(pictures, self.chunk)).permute(0, 3, 1, 2).float().div(255)
        scaled = ((batch - self._mean) / self._deviation).to(self._device.torch)
        with self._device.precision():
            found = self._model.get_image_features(pixel_values=scaled)  # type: ignore[operator]
        return _unit(found)[: len(pictures)]


def _unit(found: object) -> Floats:
    """Features as transformers 5 gives them (an output object) or 4 did (a tensor), brought to length 1."""
    tensor = found if isinstance(found, torch.Tensor) else found.pooler_output  # type: ignore[attr-defined]
    unit: Floats = torch.nn.functional.normalize(tensor.float(), dim=1).cpu().numpy()
    return unit
