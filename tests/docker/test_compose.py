"""The compose file keeps the compose specification, and what we promise of the services."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sources import PROJECT

COMPOSE = PROJECT / "docker" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
OURS = ("worker", "worker-gpu", "follow", "gateway", "cli")
each = pytest.mark.parametrize("name", SERVICES)


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Hold a file against the specification's own JSON schema, which check-jsonschema carries."""
    command = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=60)


def test_the_file_keeps_the_specification() -> None:
    done = validate(COMPOSE)
    assert done.returncode == 0, done.stdout


def test_the_specification_would_find_a_wrong_key(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text(encoding="utf-8").replace("healthcheck:", "healthchek:", 1))
    assert validate(wrong).returncode == 1


def test_services() -> None:
    assert set(SERVICES) == {"opensearch", "redis", *OURS}
    assert {name: service.get("profiles") for name, service in SERVICES.items() if "profiles" in service} == {
        "worker-gpu": ["gpu"],
        "follow": ["follow"],
        "gateway": ["gateway"],
        "cli": ["cli"],
    }


@each
def test_ports_are_published_on_the_loopback_interface_only(name: str) -> None:
    assert [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


@each
def test_limits_and_restart_are_set(name: str) -> None:
    service = SERVICES[name]
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert service["restart"] == ("no" if name == "cli" else "unless-stopped")


@each
def test_privileges_are_dropped(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert service.get("read_only") or name == "opensearch"
    assert not str(service.get("user", "")).startswith(("0", "root"))


@each
def test_secrets_are_not_written_down(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    secret = {key for key in environment if any(word in key.upper() for word in ("PASSWORD", "SECRET", "TOKEN", "KEY"))}
    assert {key: environment[key] for key in secret if not str(environment[key]).startswith("${")} == {}
    assert "@" not in "".join(str(value) for value in environment.values())  # no user and password in a URL


@each
def test_images_name_a_version(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert tag not in ("", "latest")


def test_health_is_asked_for() -> None:
    assert "test" in SERVICES["opensearch"]["healthcheck"]
    assert "test" in SERVICES["redis"]["healthcheck"]  # ours stands in the images


def test_builds_name_files_that_are_there() -> None:
    builds = [SERVICES[name]["build"] for name in OURS if "build" in SERVICES[name]]
    assert len(builds) == 2
    for build in builds:
        assert (COMPOSE.parent / build["context"] / build["dockerfile"]).is_file()


def test_redis_is_reached_by_nobody_outside() -> None:
    networks = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["networks"]
    assert SERVICES["redis"]["networks"] == ["broker"]
    assert networks["broker"] == {"internal": True}
    assert "ports" not in SERVICES["redis"]
