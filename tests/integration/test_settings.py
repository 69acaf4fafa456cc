"""Settings from the environment and from crosshatch.toml, and errors that name the variable."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from integration.settings import Settings, load
from mappings.errors import SettingsError


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No CROSSHATCH_* of whoever runs the tests, and a working folder of our own."""
    for name in [name for name in os.environ if name.startswith("CROSSHATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal() -> str:
    with pytest.raises(SettingsError) as raised:
        load()
    return str(raised.value)


def test_defaults() -> None:
    made = load()
    assert (made.opensearch_url, made.redis_url, made.data) == (None, None, Path(".crosshatch"))
    assert (made.picture_roots, made.picture_hosts) == ((), ())


@pytest.mark.parametrize(
    ("came", "hosts"),
    [
        ("one.example", ("one.example",)),
        (" one.example , two.example:8080,", ("one.example", "two.example:8080")),
        ('["one.example", "two.example"]', ("one.example", "two.example")),
        ("  []", ()),
        (",", ()),
        ("", ()),
    ],
)
def test_hosts_are_parted_by_commas_or_json(monkeypatch: pytest.MonkeyPatch, came: str, hosts: tuple[str, ...]) -> None:
    monkeypatch.setenv("CROSSHATCH_PICTURE_HOSTS", came)
    assert load().picture_hosts == hosts


@pytest.mark.parametrize(
    ("came", "roots"),
    [
        ("/srv/covers", ["/srv/covers"]),
        ("/srv/covers:/mnt/a, b", ["/srv/covers", "/mnt/a, b"]),
        ('["/srv/a:b", "/c"]', ["/srv/a:b", "/c"]),
        (":", []),
    ],
)
def test_folders_are_parted_by_colons_or_json(monkeypatch: pytest.MonkeyPatch, came: str, roots: list[str]) -> None:
    monkeypatch.setenv("CROSSHATCH_PICTURE_ROOTS", came)
    assert load().picture_roots == tuple(map(Path, roots))


@pytest.mark.parametrize(
    ("name", "came", "said"),
    [
        ("BATCH", "many", "Input should be a valid integer"),
        ("BATCH", "0", "Input should be greater than 0"),
        ("BATCH", "1001", "Input should be less than or equal to 1000"),
        ("PICTURE_MAX_BYTES", "-1", "Input should be greater than 0"),
        ("PICTURE_MAX_PIXELS", "1e9", "Input should be a valid integer"),
        ("PICTURE_TIMEOUT", "0", "Input should be greater than 0"),
        ("PICTURE_TIMEOUT", "nan", "Input should be a finite number"),
        ("PICTURE_TIMEOUT", "inf", "Input should be a finite number"),
        ("WRITE_RATE", "0", "Input should be greater than 0"),
        ("WRITE_RATE", "inf", "Input should be a finite number"),
        ("QUIET_HOURS", "8-18", "expected start-end such as 08:00-18:00"),
        ("QUIET_HOURS", "[1]", "QUIET_HOURS.0"),
        ("HEAP_LIMIT", "-1", "Input should be greater than 0"),
        ("DISK_LIMIT", "full", "Input should be a valid number"),
        ("PICTURE_HOSTS", '["a"', "Expecting"),
        ("PICTURE_HOSTS", "[1]", "Input should be a valid string"),
        ("PICTURE_ROOTS", '[{"a": 1}]', "path"),
    ],
)
def test_a_wrong_value_names_the_variable_and_what_came(
    monkeypatch: pytest.MonkeyPatch, name: str, came: str, said: str
) -> None:
    monkeypatch.setenv(f"CROSSHATCH_{name}", came)
    assert f"CROSSHATCH_{name}" in refusal()
    assert said in refusal()
    assert "(came: " in refusal()


def test_every_wrong_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSHATCH_BATCH", "x")
    monkeypatch.setenv("CROSSHATCH_PICTURE_TIMEOUT", "y")
    assert "CROSSHATCH_BATCH" in refusal()
    assert "CROSSHATCH_PICTURE_TIMEOUT" in refusal()


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    file = 'batch = 7\npicture_hosts = ["a.example"]\npicture_roots = "/a:/b"\nopensearch_url = "http://search:9200"\n'
    (folder / "crosshatch.toml").write_text(file)
    made = load()
    assert (made.batch, made.picture_hosts, made.picture_roots) == (7, ("a.example",), (Path("/a"), Path("/b")))
    monkeypatch.setenv("CROSSHATCH_BATCH", "8")
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", "")
    assert load().batch == 8
    assert load().opensearch_url == "http://search:9200", "an empty variable is none"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"bach = 3\n", "CROSSHATCH_BACH: Extra inputs are not permitted"),
        (b"[pictures]\nroots = 3\n", "CROSSHATCH_PICTURES: Extra inputs are not permitted"),
        (b"batch = \n", "settings cannot be read: "),
        (b"batch = \xff\n", "settings cannot be read: "),
        (b'picture_roots = [["a"]]\n', "CROSSHATCH_PICTURE_ROOTS"),
        (b"picture_hosts = 3\n", "CROSSHATCH_PICTURE_HOSTS"),
    ],
)
def test_a_wrong_file(folder: Path, file: bytes, said: str) -> None:
    (folder / "crosshatch.toml").write_bytes(file)
    assert said in refusal()


def test_no_password_is_repeated(folder: Path) -> None:
    (folder / "crosshatch.toml").write_text(
        'opensearch_url = ["http://u:secret@search:9200"]\nredis_url = {p = "secret"}\n'
    )
    assert "CROSSHATCH_OPENSEARCH_URL" in refusal()
    assert "secret" not in refusal()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load().batch = 3


def test_what_the_program_sets_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSHATCH_BATCH", "8")
    assert Settings(batch=9).batch == 9


def test_no_password_of_a_node_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for came in ('["http://a:secret-word@b"', '[{"x": "http://a:secret-word@b"}]'):
        monkeypatch.setenv("CROSSHATCH_GATEWAY_NODES", came)
        said = refusal()
        assert "GATEWAY_NODES" in said
        assert "secret-word" not in said
