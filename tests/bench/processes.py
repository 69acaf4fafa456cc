"""What processes cost, out of /proc: memory and processor time, each with all that descend from it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integration.engine import lifeline
from integration.engine.services import Services
from integration.settings import Settings

MIB = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def family(process: int) -> list[int]:
    """A process and its descendants, as far as they live."""
    found = [process]
    for one in found:  # it grows while it is read
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, _read(children).split())
    return found


def rss_mib(processes: list[int]) -> float:
    """Resident memory in MiB, added up: pages that a fork shares count in each."""
    held = [_read(Path(f"/proc/{one}/statm")).split() for one in processes]
    return sum(int(one[1]) for one in held if one) * _PAGE / MIB


def cpu_seconds(processes: list[int]) -> float:
    """Processor time that these processes have used so far."""
    told = [_read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split() for one in processes]
    return sum(int(one[11]) + int(one[12]) for one in told if one) / _TICKS


def parts_of(services: Services) -> dict[str, list[int]]:
    """The processes of the embedded broker, and those of the engine with the host that holds both."""
    every = family(services.pid or 0)
    broker = [one for one in every if "redis" in _read(Path(f"/proc/{one}/comm"))]
    return {"broker": broker, "engine": [one for one in every if one not in broker]}


@contextmanager
def follower(settings: Settings, services: Services, index: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`crosshatch update INDEX --follow` in a process of its own, for the length of a `with` block."""
    names = {
        "CROSSHATCH_OPENSEARCH_URL": services.url,
        "CROSSHATCH_REDIS_URL": services.broker_url,
        "CROSSHATCH_DATA": str(settings.data),
    }
    command = [sys.executable, "-m", "integration.cli", "update", index, "--follow"]
    process = lifeline.child(command, log=settings.data / "follow.log", env={**os.environ, **names})
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _read(file: Path) -> str:
    """Empty where the process is gone."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
