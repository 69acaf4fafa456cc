"""The picture tower of the default encoder: EfficientNet-Lite0 (Tan and Le, ICML 2019), trained on ImageNet."""

import numpy as np
import torch
from PIL import Image

from encoders.device import Device
from encoders.efficientnet import CLASSES, HEAD, EfficientNetLite0
from encoders.towers import Floats, Pixels
from encoders.weights import Weights
from mappings.errors import BundleError

SIDE = 224  # pixels; the network was trained at this size
POOLED = HEAD


class Lite0:
    """Features: the 1280 pooled activations, then the 1000 class logits."""

    width = POOLED + CLASSES
    side = SIDE

    def __init__(self, weights: Weights, device: Device) -> None:
        self._device = device
        self._network = _network(weights).to(device.torch).to(memory_format=torch.channels_last)
        self.chunk = device.picture_chunk

    @staticmethod
    def prepare(picture: Image.Image) -> Pixels:
        """Fit the whole picture into 224 x 224 on white: a cover keeps its title, a drawing its outline."""
        scale = SIDE / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        small = picture.resize((width, height), Image.Resampling.BICUBIC)
        square = Image.new("RGB", (SIDE, SIDE), "white")
        square.paste(small, ((SIDE - width) // 2, (SIDE - height) // 2))
        return np.asarray(square)

    @torch.inference_mode()
    def features(self, pictures: Pixels) -> Floats:
        """uint8 [n, 224, 224, 3] -> float32 [n, 2280]; mean and deviation are .5, as the weights expect."""
        batch = torch.from_numpy(self._device.fill(pictures, self.chunk)).to(self._device.torch).permute(0, 3, 1, 2)
        scaled = batch.to(torch.float32).div_(127.5).sub_(1.0).contiguous(memory_format=torch.channels_last)
        with self._device.precision():
            pooled = self._network(scaled)
        pooled = pooled.float()
        logits = self._network.classifier(pooled)  # in full precision: ConSE takes their exponentials
        features: Floats = torch.cat([pooled, logits], dim=1)[: len(pictures)].cpu().numpy()
        return features


def _network(weights: Weights) -> EfficientNetLite0:
    """The network with its weights; the package's 296 tensors stand in its order under other names."""
    network = EfficientNetLite0()
    tensors = torch.load(
        weights.folder / weights.files[0], weights_only=True, map_location="cpu"
    )  # no code is unpickled
    try:
        network.fill(tensors)
    except ValueError as error:
        raise BundleError(f"{weights.package} {weights.version} does not fit: {error}; install 0.1.0") from error
    return network.eval()
