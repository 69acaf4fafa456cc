"""One kept connection to an engine, asked the way `Cluster` is, with as little beside it as Python allows."""

import http.client
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from integration.engine.client import Cluster
from mappings.errors import EngineRefused

_own = threading.local()  # a connection serves one thread at a time


class Wire:
    """Takes the place of `integration.engine.client.Cluster` in what searches: `request`, with the same errors."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=600)

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """Send `body` (a mapping, or the bytes of one or of lines) and return the parsed answer."""
        payload = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        kind = "application/x-ndjson" if path.endswith(("_bulk", "_msearch")) else "application/json"
        asked = f"{path}?{urlencode(params)}" if params else path
        self._connection.request(method, asked, payload, {"Content-Type": kind})
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status >= 300:
            raise EngineRefused(answer.status, "refused", read[:500].decode("utf-8", "replace"), f"{method} {path}")
        return msgspec.json.decode(read) if read else None


def wire(url: str) -> Wire:
    """The calling thread's own connection to `url`."""
    held: dict[str, Wire] = _own.__dict__.setdefault("wires", {})
    if url not in held:
        held[url] = Wire(url)
    return held[url]


def patient(url: str) -> Cluster:
    """A client for what takes minutes: merging a million records into one segment."""
    return Cluster(url, timeout=3600)
