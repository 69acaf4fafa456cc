"""What a benchmark ran on."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

GIB = 2**30


def machine(cpuinfo: Path = Path("/proc/cpuinfo"), limit: Path = Path("/sys/fs/cgroup/memory.max")) -> dict[str, Any]:
    """Processor, cores that this process may use, memory, the load now, and versions; no name of the machine."""
    told = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text() if cpuinfo.is_file() else "", re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    allowed = limit.read_text().strip() if limit.is_file() else ""
    return {
        "cpu": told[1] if told else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(min(memory, int(allowed) if allowed.isdigit() else memory) / GIB, 1),
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def described(found: dict[str, Any]) -> str:
    """The same in two lines."""
    load = ", ".join(map(str, found["load"]))
    return (
        f"{found['cores']} cores of {found['cpu']}, {found['memory_gib']} GiB, load {load}\n"
        f"{found['system']}, Python {found['python']}, torch {found['torch']}, OpenSearch {found['opensearch']}"
    )
