"""The project's own files, as tests about the project see them: no checkout of git is needed."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("mappings", "encoders", "integration", "workers")  # each imports only what stands to its left
MADE = frozenset(
    {".git", ".venv", ".crosshatch", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__"}
    | {"dist", "build", "crosshatch.toml"}
)  # what .gitignore names: made, not written


def written(folder: Path = PROJECT) -> Iterator[Path]:
    """Every file that somebody wrote, in a stable order."""
    for path in sorted(folder.iterdir()):
        if path.name in MADE or path.name.endswith(".egg-info") or path.is_symlink():
            continue
        if path.is_dir():
            yield from written(path)
        else:
            yield path


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of every written file that is text."""
    for path in written():
        try:
            yield name_of(path), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Name (relative path) and syntax tree of every module of these packages."""
    for package in packages:
        for path in written(PROJECT / package):
            if path.suffix == ".py":
                yield name_of(path), _parsed(path)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    """The path inside the project, with slashes."""
    return path.relative_to(PROJECT).as_posix()
