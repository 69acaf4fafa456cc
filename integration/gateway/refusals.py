"""Our refusals in the form of OpenSearch's own errors.

What goes wrong between us and the cluster, the broker or the encoder names machines, accounts and folders: that is for
the log, and a caller is told no more than whether to try again.
"""

import json
import logging
from typing import Any

from integration.gateway.exchange import Header
from mappings.errors import (
    CodeLengthError,
    CrosshatchError,
    RecordError,
    RequestError,
    SettingsError,
    Unavailable,
    UnknownIndexError,
    WorkerUnavailable,
)

JSON: list[Header] = [(b"content-type", b"application/json; charset=UTF-8")]


_log = logging.getLogger(__name__)


def for_callers(error: CrosshatchError) -> CrosshatchError:
    """What a caller may be told of an error that was not the cluster's answer to a request of his own."""
    if isinstance(error, UnknownIndexError):
        return UnknownIndexError("no such index")
    own = isinstance(error, RequestError | RecordError | CodeLengthError | WorkerUnavailable)
    if (own and not isinstance(error, SettingsError)) or type(error) is Unavailable:
        return error
    _log.warning("a request could not be answered: %s", error)
    return Unavailable("the gateway cannot answer this now; its log tells why")


def refusal(error: CrosshatchError) -> tuple[int, bytes]:
    """Status and JSON body of an answer that says what a caller may know of `error`."""
    error = for_callers(error)
    said: dict[str, Any] = {"type": f"crosshatch_{_kind(error)}", "reason": str(error)}
    return error.status, json.dumps({"error": {"root_cause": [said], **said}, "status": error.status}).encode()


def _kind(error: CrosshatchError) -> str:
    """RequestError -> request_error: as the engine writes its own types."""
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in type(error).__name__).lstrip("_")
