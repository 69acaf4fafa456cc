"""What runs in a data folder: a lock that the host process holds for as long as it lives, and `engine.json`.

The kernel frees the lock however the host ends, so a crash leaves nothing that looks alive, and a process id that
was given to someone else is never signalled.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mappings.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class Services:
    """An engine and a broker. `version` is None where nobody asked, `pid` where this project started neither."""

    url: str
    broker_url: str
    version: str | None
    data: str
    pid: int | None


def folder_of(data: Path) -> Path:
    """The engine's own folder inside the settings' data folder."""
    return data.absolute() / "engine"


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold the host's lock, whose file tells the holder's process id; gives False where another process holds it."""
    with _opened(folder / "engine.lock") as lock:
        if not _locked(lock):
            yield False
            return
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield True


def _locked(lock: int) -> bool:
    """Take the lock; a few tries, as `holder` takes it for a moment to see whether it is free."""
    for _ in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.05)
    return False


@contextmanager
def starting(folder: Path) -> Iterator[None]:
    """One process at a time may start something in `folder`; the others wait for it."""
    with _opened(folder / "start.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EngineUnavailable(f"cannot write {path}: {error.strerror}; set CROSSHATCH_DATA to another") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def holder(folder: Path) -> int | None:
    """The process id of the host that lives in `folder`, or None."""
    try:
        with (folder / "engine.lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
    except OSError:
        pass
    return None


def publish(folder: Path, services: Services) -> None:
    """Say in `engine.json` that these answer."""
    path = folder / "engine.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(services)), encoding="utf-8")
    part.replace(path)


def published(folder: Path) -> Services | None:
    """The services of the living host in `folder`; None where none lives or it has not come up yet."""
    pid = holder(folder)
    try:
        services = Services(**json.loads((folder / "engine.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return services if pid is not None and services.pid == pid else None


def withdraw(folder: Path) -> None:
    """Remove `engine.json`."""
    (folder / "engine.json").unlink(missing_ok=True)
