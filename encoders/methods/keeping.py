"""A fitted method as a folder: `model.json` (schema, method, parameters, digest) and its tensors; never pickle.

The codes that it gave its training pairs, where it did, lie beside them: `evaluate --database learned` searches these.
A method alone encodes features. The bundle that `attach` takes has backbones and calibration beside it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from encoders import bundle, methods
from encoders.methods.method import Method
from mappings.errors import BundleError, CrosshatchError, RequestError

SCHEMA = "method-1"
TENSORS = "learnt.safetensors"


def save(method: Method, folder: Path) -> None:
    """Write what `method` has learnt into `folder`. Raises RequestError where it was not fitted."""
    if not method.learnt:
        raise RequestError(f"{method.name} has learnt nothing yet; fit it before it is saved")
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in method.learnt.items()}, folder / TENSORS)
    if method.training_codes is not None:
        save_file({"codes": np.ascontiguousarray(method.training_codes)}, folder / bundle.LEARNED)
    document: dict[str, object] = {"schema": SCHEMA, "method": method.name, "parameters": method.parameters}
    document["digest"] = bundle.digest(document, folder)
    (folder / bundle.MODEL).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def saved(folder: Path) -> bool:
    """Whether a method was saved in `folder`, sound or not."""
    try:
        document = json.loads((folder / bundle.MODEL).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("schema") == SCHEMA


def load(folder: Path) -> Method:
    """The method that was saved in `folder`; it encodes bit for bit as before.

    Raises BundleError where the folder is damaged, changed, or of another schema.
    """
    path = folder / bundle.MODEL
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as JSON: {error}; save the method again") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise BundleError(f"{path} has schema {schema!r}; expected {SCHEMA}: it is no saved method of this version")
    if bundle.digest(document, folder) != document.get("digest"):
        raise BundleError(f"{folder} was changed after it was saved: its digest differs; save the method again")
    try:
        method = rebuilt(folder, document["method"], document["parameters"], load_file(folder / TENSORS))
        if (folder / bundle.LEARNED).is_file():
            method.training_codes = load_file(folder / bundle.LEARNED)["codes"]
    except (KeyError, OSError, SafetensorError) as error:
        raise BundleError(f"{folder} holds no method of this version: {error}; train it again") from error
    return method


def rebuilt(folder: Path, name: str, parameters: object, learnt: Mapping[str, NDArray[np.generic]]) -> Method:
    """The method `name` with what it was given and what it has learnt, as `folder` holds them. Raises BundleError."""
    try:
        method = methods.named(name)(**msgspec.convert(parameters, dict[str, Any]))
        missing = {"image_mean", "text_mean"} - set(learnt)
        if missing:
            raise BundleError(f"{min(missing)} is not among its tensors")
    except (TypeError, msgspec.ValidationError, CrosshatchError) as error:
        raise BundleError(f"{folder} holds no method of this version: {error}; train it again") from error
    method.learnt = {part: np.asarray(array, dtype=np.float64) for part, array in learnt.items()}
    return method
