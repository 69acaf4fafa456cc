"""CLIP-like weights become an encoder; the model is a tiny random one, made here without any network."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from encoders import catalogue
from encoders.api import Item
from encoders.clip import fit_bundle
from encoders.loading import load
from mappings.errors import BundleError, DataError, RequestError, UnknownEncoderError

BITS = 16
WORDS = ("cat", "dog", "red", "blue", "house", "tree", "boat", "book")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of two layers and 128 dimensions, its tokenizer and its picture settings."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPTextConfig,
        CLIPVisionConfig,
        PreTrainedTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("weights") / "tiny-clip"
    size: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 128,
    }
    text = CLIPTextConfig(
        vocab_size=len(WORDS) + 4, max_position_embeddings=12, bos_token_id=1, eos_token_id=2, pad_token_id=0, **size
    )
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=text.to_dict(),
        vision_config=CLIPVisionConfig(image_size=32, patch_size=8, **size).to_dict(),
        projection_dim=128,
    )
    CLIPModel(config).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(("<pad>", "<s>", "</s>", "<unk>", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def items(drawings: list[bytes]) -> list[Item]:
    """250 records with both sides, some with one; one picture is none."""
    both = [Item(f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} {WORDS[n // 64 % 8]}", (drawings[n % 11],)) for n in range(250)]
    return [*both, Item("cat"), Item(None, (drawings[0],)), Item("dog", (b"none",)), Item()]


def test_fitted_saved_found_and_loaded(tiny: Path, items: list[Item], tmp_path: Path) -> None:
    reference = f"clip:{tiny}"
    out = tmp_path / "bundles" / catalogue.fitted_name(reference, BITS)
    card = fit_bundle(reference, items, bits=BITS, out=out, device="cpu", max_pixels=10**6)
    assert card.name == "clip-tiny-clip-16"
    assert card.parts == ("text", "image", "record")
    assert len(card.calibration) == 9
    assert catalogue.find("clip-tiny-clip-16", data=tmp_path) == replace(card, reference="clip-tiny-clip-16")
    assert json.loads((out / "model.json").read_text())["method"] == "clip-itq"
    encoder = load(str(out), device="cpu", data=tmp_path, max_pixels=10**6)
    codes = encoder.encode([items[0], Item("boat"), Item(None, (b"none",)), Item(" ")])
    assert codes[0].record is not None
    assert codes[0].record.bits == BITS
    assert (codes[1].image, codes[1].record) == ((), None)
    assert [error.reason for error in codes[2].problems.values()] == ["picture-unreadable"]
    assert codes[3].text is None
    assert encoder.encode([items[0]])[0] == codes[0]


def test_fitting_again_gives_the_same_digest(tiny: Path, items: list[Item], tmp_path: Path) -> None:
    made = [fit_bundle(f"clip:{tiny}", iter(items), bits=BITS, out=tmp_path / n, device="cpu", sample=60) for n in "ab"]
    assert made[0].digest == made[1].digest


def test_other_weights_under_the_same_name_are_refused(tiny: Path, items: list[Item], tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "weights"
    shutil.copytree(tiny, copy)
    fit_bundle(f"clip:{copy}", items, bits=BITS, out=tmp_path / "b", device="cpu", sample=60)
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    with pytest.raises(BundleError, match="are not those the bundle was made with"):
        load(str(tmp_path / "b"), device="cpu", data=tmp_path, max_pixels=1)


def test_what_cannot_be_fitted(tiny: Path, items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="1 texts and 0 pictures came"):
        fit_bundle(f"clip:{tiny}", [Item("cat")], bits=BITS, out=tmp_path / "x", device="cpu")
    with pytest.raises(RequestError, match="has 128 dimensions; ask for at most as many bits, not 256"):
        fit_bundle(f"clip:{tiny}", items, bits=256, out=tmp_path / "x", device="cpu")
    with pytest.raises(BundleError, match="holds no CLIP-like model"):
        fit_bundle(f"clip:{tmp_path}", items, bits=BITS, out=tmp_path / "x", device="cpu")
    with pytest.raises(UnknownEncoderError, match="the Hugging Face hub gives no such weights"):
        fit_bundle("clip:no such/name/at all", items, bits=BITS, out=tmp_path / "x", device="cpu")
    assert not (tmp_path / "x").exists()
