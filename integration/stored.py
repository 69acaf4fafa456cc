"""What lies of ours in a document, and whether it is what should: codes of its content, their bands and vectors."""

from collections.abc import Mapping
from typing import Any

from integration.splice import REPLACED, is_beside
from integration.state import Bundle
from mappings import vectors
from mappings.bands import OBJECT as BESIDE
from mappings.errors import CodeLengthError
from mappings.fields import OBJECT, StoredCodes


def stored_members(document: Any, space: str) -> dict[str, Any] | None:
    """Our members of `space` in a parsed document; None where there are none."""
    ours = document.get(OBJECT) if isinstance(document, dict) else None
    members = ours.get(space) if isinstance(ours, dict) else None
    return members if isinstance(members, dict) else None


def stored_beside(document: Any, space: str) -> dict[str, Any] | None:
    """Bands, of whatever banding, and vectors of `space` in a parsed document; None where there are none."""
    ours = document.get(BESIDE) if isinstance(document, dict) else None
    entry = ours.get(space) if isinstance(ours, dict) else None
    if not isinstance(entry, dict) or not is_beside(entry):
        return None
    return {name: entry[name] for name in REPLACED[BESIDE] if name in entry}


def stored_codes(members: Mapping[str, Any] | None, digest: str, bits: int) -> StoredCodes | None:
    """The codes that `members` hold of the content with this digest; None where they hold none that can be read."""
    if not members or members.get("source") != digest:
        return None
    try:
        codes = StoredCodes.read(members, bits)
    except CodeLengthError:
        return None
    return codes if codes.parts else None


def beside_of(codes: StoredCodes, bundle: Bundle) -> dict[str, Any] | None:
    """What `stored_beside` should be with these codes; None in a space with neither bands nor vectors."""
    cut = bundle.cut.members(codes) if bundle.cut else {}
    return {**cut, **(vectors.members(codes) if bundle.vectors else {})} or None
