"""EfficientNet-Lite0 for inference (Tan and Le, ICML 2019, arXiv:1905.11946).

The Lite variant has no squeeze-and-excitation and ReLU6 in place of swish, and keeps stem and head as they are.

Written out because importing timm takes longer (17 s of one core) than encoding hundreds of pictures; a test holds both
to the same values.
"""

from collections.abc import Mapping

from torch import Tensor, nn

STEM, HEAD, CLASSES = 32, 1280, 1000
# kernel, stride, expansion, channels, repeats: Table 1 of the paper
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1, act: bool = True
) -> nn.Module:
    """Convolution, batch norm, ReLU6; padded as TensorFlow does, where the odd pixel falls to the right and below."""
    total = kernel - stride  # for sides that the stride divides, as 224 and its halves down to 7
    before, after = total // 2, total - total // 2
    layers: list[nn.Module] = [
        nn.ZeroPad2d((before, after, before, after)),
        nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    ]
    return nn.Sequential(*layers, nn.ReLU6()) if act else nn.Sequential(*layers)


class Block(nn.Module):
    """Widen by `expansion`, filter each channel by itself, narrow; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        widen = [convolution(inputs, wide, 1)] if expansion > 1 else []
        filtered = convolution(wide, wide, kernel, stride, groups=wide)
        self.layers = nn.Sequential(*widen, filtered, convolution(wide, outputs, 1, act=False))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, h, w) -> (batch, outputs, h / stride, w / stride)"""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """Pictures in [-1, 1], (batch, 3, 224, 224), to pooled activations (batch, 1280); `classifier` has the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, STEM, 3, 2)
        blocks, inputs = [], STEM
        for kernel, stride, expansion, channels, repeats in STAGES:
            for number in range(repeats):
                blocks.append(Block(inputs, channels, kernel, stride if number == 0 else 1, expansion))
                inputs = channels
        self.blocks = nn.Sequential(*blocks)
        self.head = convolution(inputs, HEAD, 1)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Mean of the last feature map: (batch, 1280)."""
        states: Tensor = self.head(self.blocks(self.stem(x)))
        return states.float().mean(dim=(2, 3))  # in full precision, also where the layers counted in half

    def fill(self, weights: Mapping[str, Tensor]) -> None:
        """Take weights that stand in the order of the layers, under any names. Raises ValueError if they do not fit."""
        ours = self.state_dict()
        if [tuple(t.shape) for t in weights.values()] != [tuple(t.shape) for t in ours.values()]:
            raise ValueError(
                f"{len(weights)} tensors came; expected {len(ours)} in the order and shapes of EfficientNet-Lite0"
            )
        self.load_state_dict(dict(zip(ours, weights.values(), strict=True)))
