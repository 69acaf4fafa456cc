"""The archive of classes: when it is written, when it is used, and that a Java without one still starts."""

from pathlib import Path

import pytest

from integration.engine.archive import ClassArchive
from integration.engine.java import Java


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClassArchive:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program = tmp_path / "java" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\n: > "${2#-XX:SharedArchiveFile=}"\n')
    program.chmod(0o755)
    return ClassArchive.of(Java(tmp_path / "java", 25, vectors=False), [Path("a.jar")])


def test_the_first_run_writes_it_and_the_next_uses_it(archive: ClassArchive) -> None:
    base, write = archive.options()
    assert base == f"-XX:SharedArchiveFile={archive.base}"
    written = Path(write.removeprefix("-XX:ArchiveClassesAtExit="))

    def end() -> None:
        written.write_text("classes")

    archive.keep(end=end)
    assert archive.classes.read_text() == "classes"
    assert not written.exists()
    assert archive.options() == [f"-XX:SharedArchiveFile={archive.base}:{archive.classes}"]
    archive.keep(end=lambda: pytest.fail("nothing is to be written, so Java need not end first"))


def test_a_java_that_writes_nothing_starts_without(archive: ClassArchive) -> None:
    (archive.java.home / "bin" / "java").unlink()
    assert archive.options() == []
    archive.keep(end=lambda: pytest.fail("there is nothing to keep"))


def test_each_class_path_has_its_own(archive: ClassArchive) -> None:
    assert ClassArchive.of(archive.java, [Path("b.jar")]).classes != archive.classes
