"""The Dockerfiles: linted, non-root, with a health check, and copying only what the build context holds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources import PROJECT

FILES = ("Dockerfile", "Dockerfile.cuda")
each = pytest.mark.parametrize("name", FILES)


def text(name: str) -> str:
    """A Dockerfile's text with continued lines joined."""
    return (PROJECT / "docker" / name).read_text(encoding="utf-8").replace("\\\n", " ")


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    """hadolint's verdict; style counts as well as errors."""
    command = [str(Path(sys.executable).with_name("hadolint")), "--no-color", "--failure-threshold", "style", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@each
def test_the_linter_finds_nothing(name: str) -> None:
    done = lint(PROJECT / "docker" / name)
    assert done.returncode == 0, done.stdout


def test_the_linter_would_find_something(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM python:latest\nRUN cd /x && pip install torch\n")
    assert lint(wrong).returncode == 1


@each
def test_the_image_runs_as_nobody_special(name: str) -> None:
    last = text(name).rpartition("\nFROM ")[2]
    users = re.findall(r"^USER (\S+)", last, re.MULTILINE)
    assert users == ["10001:10001"]
    assert last.index("USER ") < last.index("ENTRYPOINT")


@each
def test_the_image_has_a_health_check_and_starts_a_worker(name: str) -> None:
    last = text(name).rpartition("\nFROM ")[2]
    assert re.search(r'^HEALTHCHECK .*CMD \["python", "/opt/crosshatch/health\.py"\]', last, re.MULTILINE)
    assert 'ENTRYPOINT ["crosshatch"]\nCMD ["worker"]' in last


@each
def test_everything_is_installed_by_hash(name: str) -> None:
    installs = re.findall(r"(?:uv )?pip install [^&;\n]*", text(name))
    free = [line for line in installs if "--require-hashes" not in line]
    known = ("dist/*.whl", "TORCH_INDEX", "--constraint rest.lock")  # our own wheel; and torch without CUDA, said there
    assert [line for line in free if not any(word in line for word in known)] == []


@each
def test_what_is_copied_is_in_the_build_context(name: str) -> None:
    kept = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text(name), re.MULTILINE)
    sources = {source for line in copied for source in line.split()} - {"."}
    assert sources <= kept
    assert [path for path in kept if not (PROJECT / path).exists()] == []
