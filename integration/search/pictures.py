"""The picture of a query, where the caller names it: a file of their own, or a URL under the picture rules."""

from pathlib import Path

from integration.pictures import PictureReference, fetch
from integration.settings import Settings
from mappings.errors import RecordError, RequestError


def read_picture(where: str, settings: Settings) -> bytes:
    """The encoded picture at a path or an http(s) URL. Raises RequestError where there is none, or too large a one.

    The path is the caller's own and may lie anywhere; the picture roots are for paths that records name.
    """
    if where.lower().startswith(("http://", "https://")):
        try:
            return fetch(PictureReference("url", where), settings).data
        except RecordError as error:
            raise RequestError(f"the query's picture cannot be used: {error}") from error
    path = Path(where)
    try:
        if not path.is_file():  # a pipe or a device may never end
            raise RequestError(f"{where} is no picture file; give a file or an http(s) URL")
        with path.open("rb") as file:
            data = file.read(settings.picture_max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise RequestError(f"{where} cannot be read: {error}") from error
    if len(data) > settings.picture_max_bytes:
        raise RequestError(
            f"{where} is larger than {settings.picture_max_bytes} bytes; use a smaller picture, "
            "or raise CROSSHATCH_PICTURE_MAX_BYTES"
        )
    return data
