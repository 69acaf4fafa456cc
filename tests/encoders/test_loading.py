"""What the loaded default encoder promises of its codes."""

from pathlib import Path

import numpy as np
import pytest

from encoders import bundle, catalogue, e5_file
from encoders.api import Item
from encoders.heads import RidgeConseHead, head
from encoders.loading import HashEncoder, load
from mappings.code import HashCode
from mappings.errors import BundleError, SettingsError
from mappings.weighted import WeightedCode

CAT = "a cat sleeping on a red sofa"


def bits_apart(a: HashCode | None, b: HashCode | None) -> int:
    assert a is not None
    assert b is not None
    return a.distance(b)


def test_both_sides_give_three_codes(encoder: HashEncoder, drawings: list[bytes]) -> None:
    (codes,) = encoder.encode([Item(CAT, (drawings[0], drawings[1]))])
    assert codes.text is not None
    assert codes.record is not None
    assert [code.bits for code in (codes.text, codes.record, *codes.image) if code] == [128] * 4
    assert codes.problems == {}


def test_bits_are_packed_as_the_signs_of_the_floats(encoder: HashEncoder, drawings: list[bytes]) -> None:
    item = Item(CAT, (drawings[0],))
    (codes,), (floats,) = encoder.encode([item]), encoder.encode_floats([item])
    assert floats.text is not None
    assert floats.image[0] is not None
    assert floats.record is not None
    assert codes.text == HashCode.from_signs(floats.text.tolist())
    assert codes.image == (HashCode.from_signs(floats.image[0].tolist()),)
    assert codes.record == HashCode.from_signs(floats.record.tolist())


def test_a_query_keeps_the_sizes_of_its_floats(encoder: HashEncoder, drawings: list[bytes]) -> None:
    item = Item(CAT, (drawings[0], b"no picture"))
    (codes,), (floats,), query = encoder.encode([item]), encoder.encode_floats([item]), encoder.encode_query(item)
    assert isinstance(query.text, WeightedCode)
    assert isinstance(query.image[0], WeightedCode)
    assert (query.text.bare, query.image[0].bare, query.image[1]) == (codes.text, *codes.image)
    assert list(query.problems) == list(codes.problems) == [1]
    assert floats.text is not None
    sizes = np.abs(floats.text)
    assert list(query.text.weights) == [round(15 * float(size / sizes.max())) for size in sizes]


@pytest.mark.parametrize("text", [None, "", " \n\t", "\u200b\u200e", "\x00"])
def test_no_words_no_text_code(encoder: HashEncoder, drawings: list[bytes], text: str | None) -> None:
    (codes,) = encoder.encode([Item(text, (drawings[0],))])
    assert codes.text is None
    assert codes.record is None
    assert codes.image[0] is not None


def test_words_alone(encoder: HashEncoder) -> None:
    (codes,) = encoder.encode([Item(CAT)])
    assert codes.text is not None
    assert (codes.image, codes.record) == ((), None)


def test_nothing_at_all(encoder: HashEncoder) -> None:
    assert encoder.encode([]) == []
    (codes,) = encoder.encode([Item()])
    assert (codes.text, codes.image, codes.record, codes.problems) == (None, (), None, {})


def test_a_bad_picture_is_a_problem_and_the_rest_goes_through(encoder: HashEncoder, drawings: list[bytes]) -> None:
    torn, huge = drawings[1][:60], b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect'
    items = [Item(CAT, (b"no picture", drawings[0], torn)), Item(None, (huge,)), Item("a dog", (drawings[2],))]
    first, second, third = encoder.encode(items)
    assert {number: error.reason for number, error in first.problems.items()} == dict.fromkeys(
        (0, 2), "picture-unreadable"
    )
    assert (first.image[0], first.image[2]) == (None, None)
    assert (first.image[1], first.record) == (
        encoder.encode([Item(None, (drawings[0],))])[0].image[0],
        encoder.encode([Item(CAT, (drawings[0],))])[0].record,
    )
    assert (second.image, list(second.problems)) == ((None,), [0])
    assert third.problems == {}


def test_a_code_does_not_depend_on_its_batch(encoder: HashEncoder, drawings: list[bytes]) -> None:
    texts = [CAT, "dog", "A History of Printing in the Netherlands, with woodcuts. " * 5, "x " * 50, "Alice", "b", "c"]
    items = [Item(texts[number % 7], (picture,)) for number, picture in enumerate(drawings)]
    together = encoder.encode(items)
    alone = [encoder.encode([item])[0] for item in items[:4]]
    turned = encoder.encode(items[::-1])[::-1]
    for one, other in [*zip(together, alone, strict=False), *zip(together, turned, strict=True)]:
        assert bits_apart(one.text, other.text) <= 1
        assert bits_apart(one.image[0], other.image[0]) <= 1
        assert bits_apart(one.record, other.record) <= 1


def test_long_and_odd_text_is_cut_not_refused(encoder: HashEncoder) -> None:
    cut, longer = encoder.encode([Item("word " * 300), Item("word " * 2_000_000)])
    assert cut.text == longer.text
    odd = encoder.encode(
        [Item("\ud800 lone surrogate"), Item("[PAD] [CLS] [SEP]"), Item("猫" * 5000), Item("a" * 100_000)]
    )
    assert all(codes.text is not None for codes in odd)


def test_words_of_like_meaning_are_nearer(encoder: HashEncoder) -> None:
    cat, kitten, tractor = (
        codes.text for codes in encoder.encode([Item("a cat"), Item("a kitten"), Item("a red tractor")])
    )
    assert bits_apart(cat, kitten) < bits_apart(cat, tractor) - 10


@pytest.mark.parametrize("bits", [64, 256])
def test_other_lengths(encoder: HashEncoder, drawings: list[bytes], bits: int) -> None:
    other = head("ridge-conse-itq", catalogue.bundle(f"default-{bits}", data=catalogue.SHIPPED).tensors())
    assert isinstance(other, RidgeConseHead)
    assert other.projection.shape == (384, bits)


def test_saved_again_it_gives_the_same_bits(encoder: HashEncoder, drawings: list[bytes], tmp_path: Path) -> None:
    shipped = catalogue.bundle("default-128", data=tmp_path)
    halves = {
        name: array.astype(np.float16) if name in ("ridge", "classes", "projection", "bridge") else array
        for name, array in {**shipped.tensors(), **shipped.languages()}.items()
    }
    languages = {name: halves.pop(name) for name in shipped.languages()}
    bundle.write(tmp_path / "copy", shipped.model, halves, languages=languages)
    copy = load(str(tmp_path / "copy"), device="cpu", data=tmp_path, max_pixels=1_000_000)
    assert copy.card.digest == encoder.card.digest
    items = [Item(CAT, (drawings[0],)), Item("寝ている猫")]
    assert copy.encode(items) == encoder.encode(items)


def test_the_order_of_bits_is_the_permutation(encoder: HashEncoder, tmp_path: Path) -> None:
    import msgspec

    shipped = catalogue.bundle("default-128", data=tmp_path)
    turned = msgspec.structs.replace(shipped.model, permutation=list(range(128))[::-1])
    bundle.write(tmp_path / "turned", turned, shipped.tensors(), languages=shipped.languages())
    other = load(str(tmp_path / "turned"), device="cpu", data=tmp_path, max_pixels=1_000_000)
    (here,), (there,) = encoder.encode_floats([Item(CAT)]), other.encode_floats([Item(CAT)])
    assert here.text is not None
    assert there.text is not None
    np.testing.assert_allclose(there.text, here.text[::-1], atol=1e-6)


@pytest.mark.parametrize("member", ["text", "image", "multilingual"])
def test_other_weights_are_refused(tmp_path: Path, member: str) -> None:
    """The second text backbone's too, before any text asks for it."""
    import msgspec

    shipped = catalogue.bundle("default-128", data=tmp_path)
    other = msgspec.structs.replace(getattr(shipped.model, member), sha256="0" * 64)
    changed = msgspec.structs.replace(shipped.model, **{member: other})
    bundle.write(tmp_path / "other", changed, shipped.tensors(), languages=shipped.languages())
    with pytest.raises(BundleError, match="are not those the bundle was made with"):
        load(str(tmp_path / "other"), device="cpu", data=tmp_path, max_pixels=1)


def test_one_meaning_is_near_in_many_languages(encoder: HashEncoder) -> None:
    cats = ["a cat", "un chat", "eine Katze", "кошка", "猫", "고양이", "γάτα"]
    tractors = ["a red tractor", "un tracteur rouge", "ein roter Traktor", "красный трактор", "赤いトラクター"]
    codes = [one.text for one in encoder.encode([Item(text) for text in cats + tractors])]
    for cat in codes[1 : len(cats)]:
        assert bits_apart(codes[0], cat) < min(bits_apart(code, cat) for code in codes[len(cats) :])


def test_a_code_in_another_language_does_not_depend_on_its_batch(encoder: HashEncoder) -> None:
    texts = [
        "Un chat dort",
        CAT,
        "赤いトラクター",
        "История книгопечатания в Нидерландах. " * 9,
        "dog",
        "γάτα",
        "\ud800猫",
    ]
    together = encoder.encode([Item(text) for text in texts * 5])
    for text, number in zip(texts, range(len(texts)), strict=True):
        assert bits_apart(encoder.encode([Item(text)])[0].text, together[number].text) <= 1
        assert bits_apart(together[number + 28].text, together[number].text) <= 1


def test_english_is_read_without_the_second_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    original = e5_file.read

    def noted(path: Path) -> e5_file.E5File:
        read.append(path)
        return original(path)

    monkeypatch.setattr(e5_file, "read", noted)
    fresh = load("default-64", device="cpu", data=tmp_path, max_pixels=1)
    fresh.encode([Item(CAT), Item("A History of Printing"), Item()])
    assert read == []
    fresh.encode([Item("История книгопечатания"), Item("印刷の歴史")])
    assert len(read) == 1


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cuda:x", ""])
def test_a_device_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"use auto or cpu|expected auto, cpu, cuda or cuda:N"):
        load("default-128", device=name, data=tmp_path, max_pixels=1)
