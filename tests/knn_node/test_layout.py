"""What the node with plugins is laid out from; `tests/live/knn` starts it."""

from pathlib import Path

import pytest

from integration.engine.jars import Jar
from tests.knn_node import layout
from tests.knn_node.layout import Artifact


def test_the_lock_names_every_module_and_plugin_once_and_nothing_twice_on_a_path() -> None:
    artifacts = layout.locked()
    places = {artifact.place for artifact in artifacts}
    assert places == {
        layout.CORE,
        *(f"modules/{name}" for name in layout.MODULES),
        *(f"plugins/{name}" for name in layout.PLUGINS),
    }
    files = [(artifact.place, artifact.jar.coordinate.split(":")[1]) for artifact in artifacts]
    core = {name for place, name in files if place == layout.CORE}
    assert not [name for place, name in files if place != layout.CORE and name in core]
    assert all(len(artifact.jar.sha256) == 64 and artifact.jar.size > 0 for artifact in artifacts)


def test_the_home_is_made_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "thing-1.0.jar"
    jar.write_bytes(b"x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(layout, "MODULES", {"geo-client": "org.example.Geo"})
    monkeypatch.setattr(layout, "PLUGINS", ())
    monkeypatch.setattr(
        layout, "locked", lambda: [Artifact(place, Jar("g:a:1", "0", 1)) for place in ("core", "modules/geo-client")]
    )
    monkeypatch.setattr(layout.jars, "in_cache", lambda jars: [jar for _ in jars])
    home, libraries = layout.laid_out()
    assert libraries == [jar]
    assert (home / "modules" / "geo-client" / jar.name).read_bytes() == b"x"
    descriptor = (home / "modules" / "geo-client" / "plugin-descriptor.properties").read_text()
    assert "name=geo\n" in descriptor
    assert "classname=org.example.Geo\n" in descriptor
    assert layout.laid_out()[0] == home
    assert [path.name for path in home.parent.iterdir()] == [home.name]
