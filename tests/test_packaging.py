"""The lock, the make targets and the file that continuous integration runs."""

import os
import re
import subprocess
import tomllib

from tests.sources import PROJECT

LOCK = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
PINS = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", LOCK, re.MULTILINE))


def normal(requirement: str) -> str:
    """The name in a requirement, as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]).lower()


def test_the_lock_holds_every_dependency() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = (
        project["project"]["dependencies"] + project["dependency-groups"]["dev"] + project["build-system"]["requires"]
    )
    assert [name for name in map(normal, wanted) if name not in PINS] == []


def test_every_line_of_the_lock_is_a_pin_with_hashes_or_a_hash() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    form = re.compile(r"[a-z0-9-]+==\S+( ; [^\\\n]+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?(\n|$))+")
    assert [entry.splitlines()[0] for entry in entries if not form.fullmatch(entry)] == []


def test_every_target_is_explained_and_stands_in_the_readme() -> None:
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())  # type: ignore[index]
    explained = dict(re.findall(r"^([a-z-]+):.*## (.+)$", MAKEFILE, re.MULTILINE))
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert phony == set(explained)
    assert [target for target in phony - {"help"} if f"`make {target}`" not in readme] == []


def test_every_module_that_a_target_runs_can_be_run() -> None:
    modules = re.findall(r"\$\(BIN\)/python -m ([\w.]+)", MAKEFILE)
    runnable = [f"{module}.__main__" if (PROJECT / module.replace(".", "/")).is_dir() else module for module in modules]
    files = {module: PROJECT / (module.replace(".", "/") + ".py") for module in runnable}
    own = {module: path for module, path in files.items() if path.parts[len(PROJECT.parts)] in ("encoders", "tests")}
    assert len(own) > 5
    assert [module for module, path in own.items() if not path.is_file()] == []


def make(*words: str) -> str:
    """What make prints; the make that runs these tests passes nothing on."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "MFLAGS"}
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True).stdout


def test_make_alone_lists_the_targets() -> None:
    assert re.search(r"^  make demo +start engine", make(), re.MULTILINE)


def test_setup_asks_the_preflight_before_it_downloads() -> None:
    first, *rest = make("--dry-run", "--always-make", "setup").splitlines()
    assert "integration/preflight.py" in first
    assert "install" not in first
    assert any("--require-hashes" in line for line in rest)


def test_continuous_integration_runs_make_test() -> None:
    run = PROJECT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    assert re.search(r"^exec make test", run.read_text(encoding="utf-8"), re.MULTILINE)
    subprocess.run(["bash", "-n", run], check=True)
