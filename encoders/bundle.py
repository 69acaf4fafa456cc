"""A bundle: the folder that one trained encoder ships in. Read, proven, written and found here, without torch.

    model.json          schema 1: what it is, what it was trained on, how it measured (keys: `Model`)
    *.safetensors       the head's tensors; never pickle
    languages.safetensors  only where `multilingual` names a second text backbone: see `encoders.polyglot`
    training-codes.safetensors  only where a method gives its training pairs codes of their own: `codes`, uint8 [n, b]

The digest is the SHA-256 of the canonical JSON without `digest` and `results`, and of every other file. The backbones'
files are in it through their `sha256`, which are checked where the weights are loaded.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from encoders.api import PARTS, BundleCard
from mappings.code import check_bits
from mappings.errors import BundleError, RequestError

SCHEMA = 1
MODEL = "model.json"
LEARNED = "training-codes.safetensors"
LANGUAGES = "languages.safetensors"
SUFFIXES = (".safetensors", ".json", ".txt")  # a vocabulary is JSON or text; anything else may be code
MAX_MODEL_BYTES = 16_000_000

Tensors = Mapping[str, NDArray[np.generic]]


class TextModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text backbone: a weights package or `clip:<folder or name>`, its digest, and how a text is prepared."""

    package: str
    version: str
    sha256: str
    pooling: str
    prefix: str
    max_tokens: int


class ImageModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The picture backbone: a weights package or `clip:<folder or name>`, its digest, and how a picture is prepared."""

    package: str
    version: str
    sha256: str
    resize: int
    crop: str
    background: str


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`model.json`. `permutation` is null, or the order in which the head's bits are stored.

    `multilingual` reads the texts that `text` does not; a bundle without one has no such key.
    """

    schema: int
    method: str
    name: str
    bits: int
    parts: list[str]
    text: TextModel
    image: ImageModel
    head: dict[str, object]
    calibration: dict[str, list[float]]
    permutation: list[int] | None
    trained_on: list[dict[str, object]]
    licence: str
    digest: str = ""
    results: list[dict[str, object]] = []
    multilingual: TextModel | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose digest was found right."""

    model: Model
    card: BundleCard
    folder: Path

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The head's tensors as float32, by name. Raises BundleError where a file is damaged."""
        tensors: dict[str, NDArray[np.float32]] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.name not in (LEARNED, LANGUAGES):
                tensors |= _floats(path)
        return tensors

    def languages(self) -> dict[str, NDArray[np.float32]]:
        """The tensors beside `multilingual`, by name; none where there is no such backbone. Raises BundleError."""
        return {} if self.model.multilingual is msgspec.UNSET else _floats(self.folder / LANGUAGES)

    def training_codes(self) -> NDArray[np.uint8]:
        """The codes that training gave its pairs, [n, bits / 8]. Raises RequestError where the bundle keeps none."""
        path = self.folder / LEARNED
        if not path.is_file():
            raise RequestError(
                f"{self.folder} keeps no codes of its training pairs ({LEARNED}); its method learns none"
            )
        try:
            codes = load_file(path)["codes"]
        except (SafetensorError, OSError, KeyError) as error:
            raise BundleError(f"{path} holds no codes: {error}; fetch the bundle again") from error
        if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] * 8 != self.model.bits:
            raise BundleError(
                f"{path} holds {codes.dtype} {list(codes.shape)}; expected uint8 [n, {self.model.bits // 8}]"
            )
        return codes


def read(folder: Path) -> Bundle:
    """Read and prove the bundle in `folder`. Raises BundleError where it is damaged, changed or of another schema."""
    path = folder / MODEL
    try:
        raw = path.read_bytes()[: MAX_MODEL_BYTES + 1]
        document = json.loads(raw)
    except (OSError, ValueError) as error:  # also half a UTF-8 sequence, and JSON cut short
        raise BundleError(f"{path} cannot be read as JSON: {error}; fetch the bundle again") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise BundleError(f"{path} has schema {schema!r}; this version reads schema {SCHEMA}: update crosshatch-search")
    try:
        model = msgspec.convert(document, Model)
    except msgspec.ValidationError as error:
        raise BundleError(f"{path} does not hold what schema {SCHEMA} asks: {error}") from error
    _check(model, path)
    found = digest(document, folder)
    if found != model.digest:
        raise BundleError(
            f"{folder} was changed after it was made: its digest is {found[:16]}…, model.json says "
            f"{model.digest[:16]}…; fetch or train it again"
        )
    return Bundle(model, _card(model, folder), folder)


def write(
    folder: Path,
    model: Model,
    tensors: Tensors,
    *,
    languages: Tensors | None = None,
    training_codes: NDArray[np.uint8] | None = None,
) -> Bundle:
    """Write a bundle whole or not at all, replacing what `folder` held; its digest is computed here.

    `languages` are the tensors that `model.multilingual` asks for.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        draft = Path(scratch) / folder.name
        draft.mkdir()
        _save(tensors, draft / "head.safetensors")
        if languages:
            _save(languages, draft / LANGUAGES)
        if training_codes is not None:
            _save({"codes": training_codes}, draft / LEARNED)
        document = msgspec.to_builtins(model)
        document["digest"] = digest(document, draft)
        (draft / MODEL).write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        for path in draft.iterdir():
            path.chmod(0o644)  # safetensors writes for the owner alone; a worker may be another user
        read(draft)
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    return read(folder)


def digest(document: Mapping[str, object], folder: Path) -> str:
    """SHA-256 over the canonical JSON without `digest` and `results`, then `name NUL sha256 LF` of each other file."""
    kept = {key: value for key, value in document.items() if key not in ("digest", "results")}
    state = hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    for path in sorted(p for p in folder.rglob("*") if not p.is_dir() and p != folder / MODEL):
        name = path.relative_to(folder).as_posix()
        if path.suffix not in SUFFIXES:
            raise BundleError(f"{folder} holds {name!r}; a bundle holds only {', '.join(SUFFIXES)}: remove it")
        try:
            with path.open("rb") as file:
                state.update(f"\n{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror}; fetch the bundle again") from error
    return state.hexdigest()


def _check(model: Model, path: Path) -> None:
    """What the types cannot say. Raises BundleError."""
    check_bits(model.bits)
    if not model.parts or not set(model.parts) <= set(PARTS):
        raise BundleError(f"{path}: parts are {model.parts}; expected some of {', '.join(PARTS)}")
    for pair, table in model.calibration.items():
        falls = all(a >= b for a, b in pairwise(table))
        if len(table) != model.bits + 1 or not falls or not all(0 <= value <= 1 for value in table):
            raise BundleError(
                f"{path}: calibration {pair!r} must hold {model.bits + 1} values in [0, 1] that never rise"
            )
    if (model.multilingual is msgspec.UNSET) == (path.parent / LANGUAGES).exists():
        raise BundleError(
            f"{path}: `multilingual` and {LANGUAGES} belong together, one of them is missing; fetch the bundle again"
        )
    if model.permutation is not None and sorted(model.permutation) != list(range(model.bits)):
        raise BundleError(f"{path}: permutation must hold each bit from 0 to {model.bits - 1} once")


def _save(tensors: Tensors, path: Path) -> None:
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, path)


def _floats(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        return {name: array.astype(np.float32) for name, array in load_file(path).items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise BundleError(f"{path} is no safetensors file: {error}; fetch the bundle again") from error


def _card(model: Model, folder: Path) -> BundleCard:
    calibration = {pair: tuple(table) for pair, table in model.calibration.items()}
    return BundleCard(model.name, model.bits, model.digest, tuple(model.parts), calibration, str(folder))
