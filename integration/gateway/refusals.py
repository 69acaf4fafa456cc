"""Our refusals in the form of OpenSearch's own errors."""

import json
from typing import Any

from integration.gateway.exchange import Header
from mappings.errors import CrosshatchError

JSON: list[Header] = [(b"content-type", b"application/json; charset=UTF-8")]


def refusal(error: CrosshatchError) -> tuple[int, bytes]:
    """Status and JSON body of an answer that says what `error` says."""
    said: dict[str, Any] = {"type": f"crosshatch_{_kind(error)}", "reason": str(error)}
    return error.status, json.dumps({"error": {"root_cause": [said], **said}, "status": error.status}).encode()


def _kind(error: CrosshatchError) -> str:
    """RequestError -> request_error: as the engine writes its own types."""
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in type(error).__name__).lstrip("_")
