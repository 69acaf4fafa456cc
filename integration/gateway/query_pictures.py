"""A query's picture by its URL, which the gateway fetches for whoever may search.

So it leads nowhere but where an administrator said, few are fetched at once, in threads that nothing else needs, and
how it failed is not told: that would say which machines and ports there are behind the gateway.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from integration.pictures import PictureReference, fetch
from integration.settings import Settings
from mappings.errors import RecordError, RequestError, Unavailable

AT_ONCE = 4
WAITING = 8  # searches that wait for a picture, those that are fetched included


def by_url(url: str, settings: Settings) -> bytes:
    """The picture's bytes, not decoded. Raises RequestError."""
    if settings.query_urls == "off" or (settings.query_urls == "listed" and not settings.picture_hosts):
        raise RequestError(
            "pictures of queries are not fetched here: send its bytes as base64, or upload it; an administrator may "
            "allow hosts (CROSSHATCH_PICTURE_HOSTS) or any public one (CROSSHATCH_QUERY_URLS)"
        )
    try:
        return fetch(PictureReference("url", url), settings).data
    except RecordError as error:
        if error.reason == "picture-too-large":
            raise RequestError(f"it has more than {settings.picture_max_bytes} bytes") from error
        raise RequestError("no picture can be had from this address, or it may not be asked") from error


class QueryPictures:
    """Fetches for searches, which wait in the loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "query-pictures")
        self._busy = 0

    async def by_url(self, url: str, settings: Settings) -> bytes:
        """As the function. Raises Unavailable where too many wait."""
        if self._busy >= WAITING:
            raise Unavailable("too many pictures are fetched at this time; try again")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, by_url, url, settings)
        finally:
            self._busy -= 1
