"""Pictures that were uploaded to be searched by: kept in this process for minutes, within a bounded memory."""

import secrets
import threading
import time

from mappings.errors import RequestError, Unavailable

KEEP = 300.0  # seconds
MOST = 128_000_000  # bytes of all pictures


class Uploads:
    """Pictures by an id that nobody can guess."""

    def __init__(self, *, keep: float = KEEP, most: int = MOST) -> None:
        self._keep, self._most = keep, most
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, bytes]] = {}  # in the order in which they end

    def put(self, picture: bytes) -> str:
        """Keep a picture; return its id. Raises Unavailable where there is no room."""
        name = secrets.token_urlsafe(18)
        with self._lock:
            self._drop()
            if sum(len(held) for _, held in self._held.values()) + len(picture) > self._most:
                raise Unavailable("too many pictures are uploaded at this time; try again in some minutes")
            self._held[name] = (time.monotonic() + self._keep, picture)
        return name

    def get(self, name: str) -> bytes:
        """The picture. Raises RequestError where it is not here, or not any more."""
        with self._lock:
            self._drop()
            if name not in self._held:
                raise RequestError(
                    f"no picture is kept under this upload id; one lives {self._keep:.0f} seconds, in the gateway "
                    "process that took it: upload it again"
                )
            return self._held[name][1]

    def _drop(self) -> None:
        now = time.monotonic()
        while self._held and (first := next(iter(self._held))) and self._held[first][0] <= now:
            del self._held[first]
