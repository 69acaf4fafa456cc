"""Encoders by name: what the project ships, what was fitted here, a folder, or the Hugging Face hub. No torch."""

import re
from dataclasses import replace
from pathlib import Path

from encoders.api import BundleCard
from encoders.bundle import MODEL, Bundle, read
from mappings.errors import BundleError, UnknownEncoderError

SHIPPED = Path(__file__).parent / "bundles"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def known() -> list[BundleCard]:
    """The bundles that the project ships, shortest codes first."""
    cards = [_named(read(path.parent), path.parent.name).card for path in SHIPPED.glob(f"*/{MODEL}")]
    return sorted(cards, key=lambda card: card.bits)


def find(reference: str, *, data: Path) -> BundleCard:
    """The card of the bundle called `reference`; `bundle` says what may stand there."""
    return bundle(reference, data=data).card


def bundle(reference: str, *, data: Path) -> Bundle:
    """The proven bundle of a shipped name, a folder, a name under `<data>/bundles`, or a hub name (`owner/name`).

    `clip:<folder or name>` is what `encoders.clip.fit_bundle` made of these weights under `<data>/bundles`.
    Raises UnknownEncoderError, which lists the known names, and BundleError where it is there but not sound.
    """
    name = fitted_name(reference) if reference.startswith("clip:") else reference
    for folder in (SHIPPED / name, Path(name).expanduser(), data / "bundles" / name):
        if name and (folder / MODEL).is_file():
            own = folder.is_relative_to(SHIPPED) or folder.is_relative_to(data)
            return _named(read(folder), reference if own else str(folder.absolute()))
    if reference.startswith("clip:"):
        raise UnknownEncoderError(
            f"no head was fitted for {reference!r} under {data / 'bundles'}; its codes need one, fitted on the "
            "catalogue itself"
        )
    if _HUB_NAME.fullmatch(reference) and not Path(reference).exists():
        return _named(read(_from_hub(reference)), reference)
    fitted = sorted(path.parent.name for path in (data / "bundles").glob(f"*/{MODEL}"))
    names = [path.parent.name for path in sorted(SHIPPED.glob(f"*/{MODEL}"))]
    raise UnknownEncoderError(
        f"no encoder {reference!r}; there are: {', '.join(names + fitted)}. "
        f"A folder with a {MODEL}, or owner/name on the Hugging Face hub, will do as well"
    )


def _named(found: Bundle, reference: str) -> Bundle:
    """The bundle under the name that finds it on every machine: a path is for bundles that lie nowhere of ours."""
    return replace(found, card=replace(found.card, reference=reference))


def fitted_name(reference: str, bits: int = 128) -> str:
    """Name of the bundle fitted for `clip:<folder or name>`: `clip-<last part>-<bits>`."""
    last = reference.removeprefix("clip:").rstrip("/").rpartition("/")[2]
    return f"clip-{re.sub(r'[^a-z0-9]+', '-', last.lower()).strip('-') or 'weights'}-{bits}"


def _from_hub(reference: str) -> Path:
    """Fetch a bundle from the hub into its cache. Raises UnknownEncoderError: no network, or no such name."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(reference, allow_patterns=[MODEL, "*.safetensors", "*.txt"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnknownEncoderError(
            f"no encoder {reference!r} here, and the Hugging Face hub gives none: {first}; "
            "without a network, copy the bundle's folder and name its path"
        ) from error
    if not (folder / MODEL).is_file():
        raise BundleError(
            f"{reference!r} on the hub is no Crosshatch bundle: it has no {MODEL}; CLIP weights are clip:{reference}"
        )
    return folder
