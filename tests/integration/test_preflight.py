"""The check before anything is downloaded."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from integration import preflight

SOURCE = Path(preflight.__file__)


def test_this_machine_passes_or_is_told_why_not() -> None:
    done = subprocess.run([sys.executable, "-S", str(SOURCE)], capture_output=True, text=True, timeout=30)
    assert done.returncode in (0, 1)
    assert done.stderr.startswith("preflight: ")


def test_an_old_python_gets_as_far_as_the_message() -> None:
    ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 8))
    assert "install one and run" in str(preflight.python((3, 8)))
    assert preflight.python((3, 11)) is None
    assert preflight.python((3, 14)) is not None


def test_it_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3e9})())
    assert preflight.disk(tmp_path) == f"3.0 GB are free at {tmp_path}; 12 are needed: make room, or use another disk"
    (tmp_path / ".venv").mkdir()
    assert preflight.disk(tmp_path) is None


@pytest.mark.parametrize(
    ("available_kb", "limit", "fine"),
    [(8_000_000, "max", True), (3_000_000, "max", False), (8_000_000, "2000000000", False), (8_000_000, "", True)],
)
def test_memory(tmp_path: Path, available_kb: int, limit: str, fine: bool) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:   {available_kb} kB\n")
    (tmp_path / "max").write_text(limit)
    problem = preflight.memory(tmp_path / "meminfo", tmp_path / "max")
    assert (problem is None) is fine


def test_all_ports_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(preflight, "_free", lambda _: False)
    assert "no port from 9200 to 9299 is free" in str(preflight.ports())
    assert preflight.main() == 1
    assert "ss -ltnp" in capsys.readouterr().err
