"""Pictures of kind `file`: inside the picture roots only, whatever links and races say."""

import os
import stat
from pathlib import Path

from integration.settings import Settings
from mappings.errors import RecordError


def read_file(value: str, settings: Settings) -> bytes:
    """Read a picture file; a relative path is tried under each root in turn.

    Symbolic links inside a root may lead to places inside it. Raises RecordError: `picture-missing` (also for an empty
    file), `picture-forbidden` outside the roots, for what is no regular file, or without the right to read, and
    `picture-too-large`.
    """
    if not settings.picture_roots:
        raise RecordError(
            "picture-forbidden", "a picture is a file, but no folder is allowed; set CROSSHATCH_PICTURE_ROOTS"
        )
    outside = False
    for root in settings.picture_roots:
        try:
            base = root.resolve(strict=True)
            inner = (base / value).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # absent, a NUL in the name, a loop of links
            outside |= not _stays_inside(root, value)
            continue
        if inner.is_relative_to(base):
            return _read_inside(base, inner.relative_to(base), value, settings.picture_max_bytes)
        outside = True
    if outside:
        raise RecordError("picture-forbidden", f"{value[:200]!r} is outside CROSSHATCH_PICTURE_ROOTS")
    raise RecordError("picture-missing", f"there is no file {value[:200]!r} under CROSSHATCH_PICTURE_ROOTS")


def _stays_inside(root: Path, value: str) -> bool:
    """Whether a path that does not exist would be inside, by its letters: no answer tells what exists outside."""
    base = os.path.abspath(root)  # noqa: PTH100 (Path.absolute keeps `..`, Path.resolve looks at the disk)
    inner = os.path.abspath(Path(base) / value)  # noqa: PTH100
    return Path(inner).is_relative_to(base)


def _read_inside(base: Path, inner: Path, value: str, max_bytes: int) -> bytes:
    """Read what `resolve` found, unless it changed meanwhile."""
    try:
        fd = _open_inside(base, inner)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise RecordError("picture-forbidden", f"{value[:200]!r} is no regular file")
            with open(fd, "rb", closefd=False) as file:
                data = file.read(max_bytes + 1)
        finally:
            os.close(fd)
    except FileNotFoundError as error:
        raise RecordError("picture-missing", f"there is no file {value[:200]!r} any more") from error
    except OSError as error:
        raise RecordError("picture-forbidden", f"{value[:200]!r} cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise RecordError(
            "picture-too-large", f"{value[:200]!r} has more than {max_bytes} bytes (CROSSHATCH_PICTURE_MAX_BYTES)"
        )
    if not data:
        raise RecordError("picture-missing", f"{value[:200]!r} is an empty file")
    return data


def _open_inside(base: Path, inner: Path) -> int:
    """Open folder by folder, following no link any more: a link put there since `resolve` ends in OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY  # a pipe would wait for its writer
    opened = os.open(base, flags)
    for name in inner.parts:
        folder = opened
        try:
            opened = os.open(name, flags, dir_fd=folder)
        finally:
            os.close(folder)
    return opened
