"""A head for CLIP- or SigLIP-like weights, fitted on the catalogue itself: such weights come without one."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from encoders import catalogue
from encoders.api import BundleCard, Item
from integration import pictures, records, scan
from integration.engine.client import Cluster
from integration.settings import Settings
from mappings.errors import UnknownEncoderError
from mappings.profile import TargetProfile

RECORDS = 2000  # a sample is enough for a rotation; more would only take longer
BITS = 128


def card_of(cluster: Cluster, index: str, profile: TargetProfile, reference: str, settings: Settings) -> BundleCard:
    """The card of `reference`; for `clip:...` without a head yet, one is fitted on records of `index` and saved.

    `index` is a concrete name. Raises UnknownEncoderError, and DataError where the index has too few records.
    """
    try:
        return catalogue.find(reference, data=settings.data)
    except UnknownEncoderError:
        if not reference.startswith("clip:"):
            raise
    from encoders.clip import fit_bundle  # torch: only where something is fitted

    out = _folder(reference, settings.data)
    items = islice(_items(cluster, index, profile, settings), RECORDS)
    fit_bundle(reference, items, bits=BITS, out=out, device=settings.device, max_pixels=settings.picture_max_pixels)
    return catalogue.find(reference, data=settings.data)


def _folder(reference: str, data: Path) -> Path:
    return data / "bundles" / catalogue.fitted_name(reference, BITS)


def _items(cluster: Cluster, index: str, profile: TargetProfile, settings: Settings) -> Iterator[Item]:
    """Text and pictures of the index's records, as a worker would read them; those without either are left out."""
    for page in scan.pages(cluster, index):
        for hit in page:
            content = records.read(json.loads(bytes(hit.source)), profile)
            fetched = pictures.fetch_all(content.pictures[:1], settings)
            item = Item(content.text, tuple(one.data for one in fetched if isinstance(one, pictures.Fetched)))
            if item.text or item.pictures:
                yield item
