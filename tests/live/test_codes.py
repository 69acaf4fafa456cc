"""What the code store keeps, for how long, and that nothing in use is ever dropped; with a fake encoder."""

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from integration import attach as attaching
from integration import codes, rollcall, scan, state
from integration.cli import cli
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster, part
from integration.engine.services import Services
from integration.jobs import Job
from integration.settings import Settings
from integration.store import today
from mappings.errors import DataError
from tests.live.fakes import CARD, FakeEncoder, NoWatch

TITLES = ("whale", "boat", "harbour")


@pytest.fixture
def known(cluster: Cluster, index: Callable[..., str], tmp_path: Any, settings: Settings) -> state.Attached:
    """An attached index of three encoded records."""
    file = tmp_path / "test.yaml"
    file.write_text("name: test\ntext: [title]\n")
    name = index({"mappings": {"properties": {"title": {"type": "text"}}}})
    known = attaching.attach(cluster, attaching.plan(cluster, name, str(file), CARD))
    for title in TITLES:
        write(cluster, known, title)
    encode(cluster, known, settings)
    return known


def write(cluster: Cluster, known: state.Attached, record: str, title: str | None = None) -> None:
    """The catalogue writes a record whole."""
    path = f"/{known.index}/_doc/{part(record)}"
    cluster.request("PUT", path, params={"refresh": "true"}, body={"title": title or record})


def encode(cluster: Cluster, known: state.Attached, settings: Settings) -> int:
    """One update of what is stale; how many items the encoder was given."""
    encoder = FakeEncoder()
    keys = tuple(one.key for one in scan.judged(cluster, known) if one.verdict == "stale")
    job = Job(uuid.uuid4().hex, known.index, known.uuid, known.space, keys)
    BatchEncoding(job, known, cluster, lambda: encoder, settings).run(NoWatch())
    return len(encoder.encoded)


def scan_all(cluster: Cluster, known: state.Attached) -> None:
    """A full scan, as `update` and `reindex` begin with."""
    roll = rollcall.RollCall(cluster, known, known.spaces)
    roll.meet(known.space, [one.digest for one in scan.judged(cluster, known)])
    roll.close()


def backdate(cluster: Cluster, known: state.Attached, days: int) -> None:
    """Let so many days go by: for the entries, and for the scan that was noted."""
    day = (today() - datetime.timedelta(days=days)).isoformat()
    script = {"script": {"source": "ctx._source.seen = params.day", "params": {"day": day}}}
    cluster.request("POST", f"/{known.store}/_refresh")
    cluster.request("POST", f"/{known.store}/_update_by_query", params={"refresh": "true"}, body=script)
    noted = state.get(cluster, f"scan:{known.index}:{known.space}")
    if noted:
        state.put(cluster, f"scan:{known.index}:{known.space}", noted["_source"] | {"at": day})


def command(services: Services, *arguments: str) -> Result:
    """Run `crosshatch codes`."""
    return CliRunner().invoke(cli, ["codes", *arguments], env={"CROSSHATCH_OPENSEARCH_URL": services.url})


def test_what_no_scan_met_for_long_is_dropped_and_nothing_in_use(
    cluster: Cluster, known: state.Attached, settings: Settings, services: Services
) -> None:
    """A record that changed leaves an entry behind; it goes when it is old, and when a full scan said so."""
    write(cluster, known, "boat", "ship")
    assert encode(cluster, known, settings) == 1
    with pytest.raises(DataError, match="no full scan"):
        codes.gc(cluster, known)
    backdate(cluster, known, 100)
    scan_all(cluster, known)
    assert codes.stats(cluster, known).listed() == {
        "index": known.index,
        "store": known.store,
        "entries": 4,
        "bytes": codes.stats(cluster, known).bytes,
        "days": 90,
        "spaces": {
            known.space: {
                "entries": 4,
                "oldest": (today() - datetime.timedelta(days=100)).isoformat(),
                "unseen": 1,
                "scanned": today().isoformat(),
            }
        },
    }
    assert json.loads(command(services, "stats", known.index, "--json").stdout)["entries"] == 4
    assert codes.gc(cluster, known, days=99) == {known.space: 0}  # dates may be a week older than the truth
    dry = command(services, "gc", known.index, "--dry-run", "--json")
    assert json.loads(dry.stdout) == {"index": known.index, "dropped": {known.space: 1}, "dry_run": True}
    assert codes.stats(cluster, known).entries == 4
    done = command(services, "gc", known.index, "--json")
    assert json.loads(done.stdout) == {"index": known.index, "dropped": {known.space: 1}}
    for title in ("whale", "ship", "harbour"):
        write(cluster, known, title)
    assert encode(cluster, known, settings) == 0
    write(cluster, known, "boat")
    assert encode(cluster, known, settings) == 1


def test_what_came_back_after_the_last_scan_is_in_use(
    cluster: Cluster, known: state.Attached, settings: Settings
) -> None:
    """A job notes what it restores; what only an old scan met stays until a new one has missed it."""
    write(cluster, known, "boat", "ship")
    encode(cluster, known, settings)
    scan_all(cluster, known)
    backdate(cluster, known, 200)
    assert codes.gc(cluster, known) == {known.space: 0}  # all were in use at the last scan, or may have been
    write(cluster, known, "boat")  # as it was before
    assert encode(cluster, known, settings) == 0
    scan_all(cluster, known)
    assert codes.gc(cluster, known) == {known.space: 1}  # `ship`
    write(cluster, known, "boat")
    assert encode(cluster, known, settings) == 0


def test_scans_write_to_the_store_at_most_once_a_week(cluster: Cluster, known: state.Attached) -> None:
    """A scan that was noted a few days ago is enough."""
    scan_all(cluster, known)
    backdate(cluster, known, 6)
    scan_all(cluster, known)
    six_days_ago = (today() - datetime.timedelta(days=6)).isoformat()
    assert codes.stats(cluster, known).spaces[known.space].oldest == six_days_ago
    backdate(cluster, known, 7)
    scan_all(cluster, known)
    assert codes.stats(cluster, known).spaces[known.space].oldest == today().isoformat()


@pytest.mark.parametrize("drop", [False, True])
def test_an_index_that_is_attached_again_finds_its_codes_unless_they_were_dropped(
    cluster: Cluster, known: state.Attached, settings: Settings, tmp_path: Any, drop: bool
) -> None:
    """The store can be read by nobody who has not its secret, so detach leaves that behind."""
    attaching.detach(cluster, known, drop_codes=drop)
    again = attaching.attach(cluster, attaching.plan(cluster, known.index, str(tmp_path / "test.yaml"), CARD))
    assert again.store == known.store
    assert encode(cluster, again, settings) == (len(TITLES) if drop else 0)
    assert codes.stats(cluster, again).entries == len(TITLES)
