"""What lies of ours in a document, and whether it is what should: codes of its content, and their bands."""

from collections.abc import Mapping
from typing import Any

from integration.splice import REPLACED, is_bands
from mappings.bands import OBJECT as BANDS
from mappings.bands import Banding
from mappings.errors import CodeLengthError
from mappings.fields import OBJECT, StoredCodes


def stored_members(document: Any, space: str) -> dict[str, Any] | None:
    """Our members of `space` in a parsed document; None where there are none."""
    ours = document.get(OBJECT) if isinstance(document, dict) else None
    members = ours.get(space) if isinstance(ours, dict) else None
    return members if isinstance(members, dict) else None


def stored_bands(document: Any, space: str) -> dict[str, Any] | None:
    """The bands of `space` in a parsed document, of whatever banding; None where there are none."""
    ours = document.get(BANDS) if isinstance(document, dict) else None
    bands = ours.get(space) if isinstance(ours, dict) else None
    return {n: bands[n] for n in REPLACED[BANDS] if n in bands} if isinstance(bands, dict) and is_bands(bands) else None


def stored_codes(members: Mapping[str, Any] | None, digest: str, bits: int) -> StoredCodes | None:
    """The codes that `members` hold of the content with this digest; None where they hold none that can be read."""
    if not members or members.get("source") != digest:
        return None
    try:
        codes = StoredCodes.read(members, bits)
    except CodeLengthError:
        return None
    return codes if codes.parts else None


def bands_of(codes: StoredCodes, cut: Banding | None) -> dict[str, Any] | None:
    """What `stored_bands` should be beside these codes; None in a space without bands."""
    return cut.members(codes) or None if cut else None
