"""The import line mappings <- encoders <- integration <- workers, and who alone may import what."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.sources import PACKAGES, PROJECT, modules

OWNERS = {
    "torch": "encoders/",
    "torchvision": "encoders/",
    "timm": "encoders/",
    "transformers": "encoders/",
    "opensearchpy": "integration/engine/",
    "jgo": "integration/engine/",
    "jpype": "integration/engine/",
    "testcontainers": "integration/engine/",
    "click": "integration/cli/",
}
LIGHT = (
    "mappings",
    "integration",
    "encoders.api",
    "encoders.bundle",
    "encoders.data",
    "encoders.pictures",
)  # with all below them


def imported(tree: ast.Module) -> Iterator[str]:
    """The top-level names that a module imports, `importlib.import_module("...")` included; relative ones left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module" and node.args:
            first = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value.partition(".")[0]


def test_imported_sees_every_form_of_import() -> None:
    source = "import a.b, c\nfrom d.e import f\nfrom . import g\ndef h():\n    import i\n"
    calls = 'importlib.import_module("j")\nimportlib.import_module(f"k.{l}")\n'
    assert sorted(imported(ast.parse(source + calls))) == ["a", "c", "d", "i", "j", "k"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_stands_to_its_left(package: str) -> None:
    right = set(PACKAGES[PACKAGES.index(package) + 1 :]) | {"tests"}
    seen = [(name, top) for name, tree in modules(package) for top in imported(tree)]
    assert seen
    assert [pair for pair in seen if pair[1] in right] == []


@pytest.mark.parametrize(("library", "owner"), OWNERS.items())
def test_only_its_owner_imports_a_library(library: str, owner: str) -> None:
    users = [name for name, tree in modules(*PACKAGES) if library in imported(tree)]
    assert [name for name in users if not name.startswith(owner)] == []


def test_torch_stays_out_until_an_encoder_is_loaded() -> None:
    """Every module of the catalogue's side is imported, in a fresh process: one module-level import would show."""
    names = [name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name, _ in modules(*PACKAGES)]
    light = [n for n in names if any(n == base or n.startswith(base + ".") for base in LIGHT) and "__main__" not in n]
    assert {"integration.cli", "encoders.api"} <= set(light)
    script = (
        "import importlib, json, sys\n"
        "loaded = []\n"
        f"for name in {light!r}:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules: loaded.append(name); break\n"
        "print(json.dumps(loaded))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
