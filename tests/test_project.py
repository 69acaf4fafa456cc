"""What holds for the project as a whole: sizes, names, nothing of one machine in it, and a README that is true."""

import ast
import re
from pathlib import Path

import pytest

from tests.documented import README, TABLES, table_in
from tests.sources import PACKAGES, PROJECT, modules, name_of, texts, written

MODULE_LINES, FUNCTION_LINES = 300, 50
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
REGISTRIES = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("maven", "org"),
        ("maven", "apache", "org"),
        ("crates", "io"),
        ("pytorch", "org"),
    ]
]  # put together here, so that this file is not a finding


def test_modules_and_functions_are_short() -> None:
    long = []
    for name, tree in modules(*PACKAGES):  # a test file may be a long table of cases
        lines = (PROJECT / name).read_text(encoding="utf-8").count("\n")
        long += [f"{name}: {lines} lines"] if lines > MODULE_LINES else []
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                long += [f"{name}: {node.name} has {size} lines"] if size > FUNCTION_LINES else []
    assert long == []


def test_no_module_is_a_drawer() -> None:
    names = [name_of(path) for path in written() if path.suffix == ".py"]
    assert [name for name in names if DRAWERS & set(name.removesuffix(".py").split("/"))] == []


def test_public_things_of_the_packages_have_docstrings() -> None:
    bare = []
    for name, tree in modules(*PACKAGES):
        things = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
        things += [
            node for thing in things if isinstance(thing, ast.ClassDef) and not thing.name.startswith("_")
            for node in thing.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]  # fmt: skip
        bare += [f"{name}: {t.name}" for t in things if not t.name.startswith("_") and not ast.get_docstring(t)]
    assert bare == []


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_file_names_a_registry(host: str) -> None:
    pattern = re.compile(rf"\b{re.escape(host)}\b")
    assert [name for name, text in texts() if pattern.search(text)] == []


def test_no_file_names_a_place_on_one_machine() -> None:
    places = {str(place) for place in (PROJECT, PROJECT.resolve(), Path.home()) if len(place.parts) > 1}
    pattern = re.compile("|".join(rf"{re.escape(place)}\b" for place in places) + r"|/(?:home|Users)/\w+")
    assert [(name, found[0]) for name, text in texts() if (found := pattern.search(text))] == []


@pytest.mark.parametrize("name", TABLES)
def test_readme_has_every_setting_and_command_as_it_is(name: str) -> None:
    """`make readme` mends it."""
    assert table_in(README.read_text(encoding="utf-8"), name) == TABLES[name]()


def test_readme_leaves_nothing_open() -> None:
    assert re.findall(r"\b(?:TBD|TODO|FIXME)\b.*", README.read_text(encoding="utf-8")) == []


def test_readme_links_only_to_files_that_are_there() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (PROJECT / link).exists()] == []
