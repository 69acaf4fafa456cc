"""Whether this machine can run the project: asked by `make` before anything is downloaded.

Runs with the bare `python3` of the system, so it uses the standard library only and no syntax newer than Python 3.8:
an old Python has to get as far as the message about it.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PYTHONS = ((3, 11), (3, 13))  # oldest and newest
FRESH_GB = 12.0  # the environment (torch alone has 5) with what pip keeps while it installs
GROWN_GB = 2.0  # the environment exists: engine libraries, data, logs
MEMORY_GB = 4.0  # engine 1, worker and encoder 2, the rest
PORTS = range(9200, 9300)  # of which the engine takes the first free one
GB = 1e9


def main() -> int:
    """Print one line a problem, each with what to do; return 0 where there is none, else 1."""
    problems = [text for text in (check() for check in CHECKS) if text]
    for text in problems:
        print("preflight: " + text, file=sys.stderr)
    if not problems:
        print("preflight: Python, disk, memory and ports are fine", file=sys.stderr)
    return 1 if problems else 0


def system() -> str | None:
    """Linux on x86_64: what the wheels of Java, Redis and torch that we use are built for."""
    seen = platform.system() + " " + platform.machine()
    if seen in ("Linux x86_64", "Linux AMD64"):
        return None
    return "this is " + seen + "; Linux x86_64 is needed: use such a machine, a virtual one or a container"


def python(version: tuple[int, ...] = tuple(sys.version_info[:2])) -> str | None:
    """CPython of a version that every dependency has a wheel for."""
    oldest, newest = (".".join(map(str, pair)) for pair in PYTHONS)
    if PYTHONS[0] <= version[:2] <= PYTHONS[1] and platform.python_implementation() == "CPython":
        return None
    seen = platform.python_implementation() + " " + ".".join(map(str, version[:2]))
    return f"this is {seen}; CPython {oldest} to {newest} is needed: install one and run `make PYTHON=python{newest}`"


def modules() -> str | None:
    """`venv` with `ensurepip`, which Debian and Ubuntu pack apart from Python."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return "Python lacks {}; on Debian and Ubuntu: apt install python3-venv".format(" and ".join(missing))


def disk(project: Path = PROJECT) -> str | None:
    """Room for the environment where there is none yet, else for data."""
    needed = GROWN_GB if (project / ".venv").exists() else FRESH_GB
    free = shutil.disk_usage(str(project)).free / GB
    if free >= needed:
        return None
    return f"{free:.1f} GB are free at {project}; {needed:.0f} are needed: make room, or use another disk"


def memory(meminfo: Path = Path("/proc/meminfo"), limit: Path = Path("/sys/fs/cgroup/memory.max")) -> str | None:
    """Memory for engine, broker, worker and encoder; a container's limit counts."""
    rows = dict(line.split(":", 1) for line in _read(meminfo).splitlines() if ":" in line)
    try:
        available = int(rows["MemAvailable"].split()[0]) * 1024 / GB
    except (KeyError, IndexError, ValueError):
        return None  # a system that does not tell; the engine will, if it is too little
    capped = _read(limit).strip()
    available = min(available, int(capped) / GB) if capped.isdigit() else available
    if available >= MEMORY_GB:
        return None
    seen = f"{available:.1f} GB of memory are free"
    return f"{seen}; {MEMORY_GB:.0f} are needed: end other programs, or raise the container's limit"


def ports() -> str | None:
    """A free port on loopback for the engine."""
    if any(_free(port) for port in PORTS):
        return None
    seen = f"no port from {PORTS[0]} to {PORTS[-1]} is free on 127.0.0.1"
    return f"{seen}: end a program that holds one (`ss -ltnp` lists them)"


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the engine does: a port in TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


CHECKS = (system, python, modules, disk, memory, ports)

if __name__ == "__main__":
    sys.exit(main())
