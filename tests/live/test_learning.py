"""A catalogue as a data set, on a real engine: the demo's records and pictures, some of them spoilt, measured."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from encoders.data.api import DataSet
from integration import attach as attaching
from integration import learning, permissions, state
from integration.cli import cli
from integration.demo import catalogue, drawings
from integration.engine.client import Cluster
from integration.settings import Settings
from mappings.errors import DataError, NotAttachedError, RequestError
from mappings.profile import TargetProfile
from tests.live.fakes import CARD
from tests.live.test_roles import Recorded, recorded

__all__ = ["recorded"]
RECORDS = 120


@dataclass(frozen=True)
class Shelf:
    """An attached index, its documents, and the folder of its pictures."""

    index: str
    documents: list[dict[str, Any]]
    pictures: Path


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """Every fourth record of the demo, drawings and books, and their pictures, three of which are none any more."""
    folder = tmp_path_factory.mktemp("pictures")
    every = list(catalogue.documents(folder))[::4][:RECORDS]
    (folder / every[0]["cover_file"]).write_bytes(b"no picture")
    (folder / every[1]["cover_file"]).unlink()
    del every[2]["cover_file"]
    del every[3]["title"], every[3]["parallel_titles"]
    every[3].pop("summary", None)
    shutil.copy(folder / every[5]["cover_file"], folder / every[4]["cover_file"])
    return every, folder


@pytest.fixture
def shelf(cluster: Cluster, index: Callable[..., str], documents: tuple[list[dict[str, Any]], Path]) -> Iterator[Shelf]:
    """They are in an index of their own, which is attached and not encoded: nothing of learning needs codes."""
    every, folder = documents
    name = index(catalogue.INDEX)
    lines = [part for one in every for part in ({"create": {"_id": one["control_number"]}}, one)]
    packed = b"".join(catalogue._encoder.encode(line) + b"\n" for line in lines)
    assert not cluster.bulk(f"/{name}", packed, params={"refresh": "true"})["errors"]
    attaching.attach(cluster, attaching.plan(cluster, name, "demo", CARD))
    yield Shelf(name, every, folder)
    attaching.detach(cluster, state.attached(cluster, name), drop_codes=True)


def read(cluster: Cluster, shelf: Shelf, settings: Settings, folder: Path, **more: Any) -> tuple[DataSet, Any]:
    own = settings.model_copy(update={"picture_roots": (shelf.pictures,), **more})
    return learning.read(cluster, shelf.index, folder, own, seed=0)


def test_records_with_words_and_pictures_become_pairs(
    recorded: Recorded, shelf: Shelf, settings: Settings, tmp_path: Path
) -> None:
    found, done = read(recorded, shelf, settings, tmp_path)
    assert done.records == RECORDS
    assert done.left_out == {"without picture": 1, "without text": 1, "without a picture that can be read": 2}
    assert done.skipped == {"picture-unreadable": 1, "picture-missing": 1}
    assert len(set(found.pairs.records.tolist())) == RECORDS - 4
    assert permissions.missing("learner", recorded.sent) == set()
    role = next(role for role in permissions.ROLES if role.name == "learner")
    assert set(role.requests) == {permissions.shape(*one) for one in recorded.sent}, "and no more than that"

    whole = {one["control_number"]: one for one in shelf.documents}
    ids = sorted(set(whole) - {one["control_number"] for one in shelf.documents[:4]})
    captions, pictures = found.pairs.captions, found.pairs.pictures
    assert captions is not None
    assert pictures is not None
    for row in range(0, len(found.pairs), 97):
        one = whole[ids[found.pairs.records[row]]]
        assert pictures[row] == (shelf.pictures / one["cover_file"]).read_bytes()
    drawing = next(row for row in range(len(ids)) if ids[row].startswith("picture-"))
    said = {captions[row] for row in range(len(found.pairs)) if found.pairs.records[row] == drawing}
    one = whole[ids[drawing]]
    assert {title["text"] for title in one["parallel_titles"]} | {one["title"]} | set(one["subjects"]) <= said
    assert {title["language"] for title in one["parallel_titles"]} == set(drawings.LANGUAGES)


def test_twins_are_in_one_part(cluster: Cluster, shelf: Shelf, settings: Settings, tmp_path: Path) -> None:
    """Records 4 and 5 show the same picture."""
    own = settings.model_copy(update={"picture_roots": (shelf.pictures,)})
    ids = sorted(one["control_number"] for one in shelf.documents[4:])
    twins = {ids.index(one["control_number"]) for one in shelf.documents[4:6]}
    for seed in range(8):
        found, _ = learning.read(cluster, shelf.index, tmp_path, own, seed=seed)
        learnt = set(found.pairs.records[found.split.train].tolist())
        assert len(twins & learnt) in (0, 2)


def test_the_command_measures_the_catalogue(
    shelf: Shelf, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", str(settings.opensearch_url))
    monkeypatch.setenv("CROSSHATCH_PICTURE_ROOTS", str(shelf.pictures))
    monkeypatch.setenv("CROSSHATCH_DATA", str(tmp_path / "data"))
    ended = CliRunner().invoke(cli, ["evaluate", "default-64", "--data", f"index:{shelf.index}", "--json"])
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout)
    assert found["data"]["name"] == f"index:{shelf.index}"
    assert found["data"]["labels"] > 5
    [encoder] = found["encoders"]
    seen = encoder["directions"]["image-image"]["figures"]["map"]
    assert seen["value"] > 1.3 * seen["chance"]
    assert f"{RECORDS} records read; left out: 2 without a picture that can be read, " in ended.stderr
    assert list((tmp_path / "data").iterdir()) == [], "the pictures are gone again"
    refused = CliRunner().invoke(cli, ["evaluate", "default-64", "--data", "index:x", "--folder", "y"])
    assert isinstance(refused.exception, RequestError)


def test_the_command_trains_on_the_catalogue(
    shelf: Shelf, index: Callable[..., str], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes out is attached to another index as it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", str(settings.opensearch_url))
    monkeypatch.setenv("CROSSHATCH_PICTURE_ROOTS", str(shelf.pictures))
    monkeypatch.setenv("CROSSHATCH_DATA", str(tmp_path / "data"))
    out, data = tmp_path / "own", ["--data", f"index:{shelf.index}"]
    asked = ["train", "cca-itq", *data, "--bits", "64", "--set", "penalty=3", "--out", str(out), "--json"]
    ended = CliRunner().invoke(cli, asked)
    assert ended.exit_code == 0, ended.output
    done = json.loads(ended.stdout)
    assert (done["kind"], done["bits"], done["without_words"]) == ("bundle", 64, 0)
    assert done["validated_with"] >= 20
    across = next(row for row in done["results"] if (row["direction"], row["figure"]) == ("text-image", "map"))
    assert across["value"] > 1.3 * across["chance"]
    other = index(catalogue.INDEX)
    tried = CliRunner().invoke(cli, ["attach", other, "--target", "demo", "--encoder", str(out), "--check", "--json"])
    assert json.loads(tried.stdout)["ok"], tried.stdout


def test_what_cannot_be_learnt_from(
    cluster: Cluster, index: Callable[..., str], shelf: Shelf, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(NotAttachedError, match="is not attached; run `crosshatch attach"):
        learning.read(cluster, index(), tmp_path, settings, seed=0)
    with pytest.raises(DataError, match=r"has no pictures that can be learnt from: .* picture-forbidden"):
        learning.read(cluster, shelf.index, tmp_path, settings.model_copy(update={"picture_roots": ()}), seed=0)
    for one in shelf.documents[40:]:
        cluster.request("DELETE", f"/{shelf.index}/_doc/{one['control_number']}")
    cluster.request("POST", f"/{shelf.index}/_refresh")
    with pytest.raises(DataError, match=r"36 records .* came; 50 at least are needed .* 40 records read; left out"):
        read(cluster, shelf, settings, tmp_path)
    known = state.attached(cluster, shelf.index)
    bare = TargetProfile(name="bare", text=("title",))
    state.save(cluster, replace(known, profile=bare))
    with pytest.raises(RequestError, match="its target profile bare names none"):
        learning.read(cluster, shelf.index, tmp_path, settings, seed=0)
